package tui

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func TestWeak(t *testing.T) {
	for _, test := range []struct{ secret, want string }{
		{"", ""}, {"Studio2026!", "first that anybody tries"}, {"Lovelace1", "a name"}, {"ada1815", "a name"}, {"aaaaaaaaaaaaaaaa", "1 different"}, {"abababababababab", "2 different"},
		{"qwertzuiop", "keyboard"}, {"0987654321", "keyboard"}, {"24121979241219", "a number"}, {"kX9!p", "5 characters"}, {"four sparrows eat toast", ""}, {"kX9!pQ2#vT7z", ""},
	} {
		if got := weak(test.secret, shortPassphrase, "ada", "Ada Lovelace"); got == "" != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("weak(%q) = %q, want %q", test.secret, got, test.want)
		}
	}
}

func TestPassphraseComplaint(t *testing.T) {
	for _, test := range []struct{ secret, want string }{
		{"", "is not answered"}, {"1234567", "has 7 characters"}, {"schöne Töne", "'ö', which not every keyboard can type"}, {" four words in a row", "a space"}, {"four words in a row", ""},
	} {
		if got := passphraseComplaint(test.secret); got == "" != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%q: %q, want %q", test.secret, got, test.want)
		}
	}
}

const keyA, keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX you@studio", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX me too"

func TestKeysOf(t *testing.T) {
	for _, text := range []string{keyA + "\n" + keyB + "\n", "# mine\r\n" + keyA + "\r\n\r\n" + keyB, keyA + " " + keyB, "  " + keyA + "  " + keyB + "  "} {
		if got := keysOf(text); !slices.Equal(got, []string{keyA, keyB}) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// TestKeysFromElsewhere reads them from an address, and from a file on the stick.
func TestKeysFromElsewhere(t *testing.T) {
	r := newRig(t, laptop)
	var asked []string
	held, fails := "", error(nil)
	r.m.s.Actions.Keys = func(_ context.Context, place string) (string, error) {
		asked = append(asked, place)
		return held, fails
	}
	r.to(stepPerson)
	r.press("down", "down", "down", "down", "down", "'http://example.org/me.keys", "enter")
	r.shows("anybody on the way could change")
	r.press("ctrl+u", "'https://example.org/me.keys", "enter")
	r.want(stepPerson)
	r.shows("There is no ssh key in https://example.org/me.keys")
	held = "ssh-rsa nonsense\n"
	r.press("enter")
	r.shows("ssh key 1 of https://example.org/me.keys is")
	fails = errors.New("the server answers 404")
	r.press("enter")
	r.shows("404")
	held, fails = keyA+"\n"+keyB+"\n", nil
	r.press("enter")
	r.want(stepZone)
	if got := r.m.s.answers().User.Keys; !slices.Equal(got, []string{keyA, keyB}) {
		t.Errorf("keys %q", got)
	}
	r.press("enter")
	r.want(stepReview)
	r.press("end")
	r.shows("ssh key ssh-ed25519 ...WzB8AWFX you@studio", "ssh-ed25519 ...WzB8AWFX me too")
	r.press("esc", "esc")
	r.want(stepPerson)
	r.press("enter")
	r.want(stepZone)
	if len(asked) != 4 {
		t.Errorf("asked for %q", asked)
	}
	// Another place is read anew; one that was typed over is forgotten.
	r.press("esc")
	r.m.forms[stepPerson].focus = 5
	r.press("ctrl+u", "'you.pub", "enter")
	r.want(stepZone)
	if asked[len(asked)-1] != "you.pub" {
		t.Errorf("asked for %q", asked)
	}
	r.press("esc")
	r.press("ctrl+u")
	r.m.Update(tea.PasteMsg{Content: keyA + "\r\n" + keyB + "\r\n"})
	r.press("enter")
	r.want(stepZone)
	if got := r.m.s.answers().User.Keys; !slices.Equal(got, []string{keyA, keyB}) {
		t.Errorf("keys %q", got)
	}
}
