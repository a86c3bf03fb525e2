package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	keyA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEk4S2xdQ8hnZyKxV0jXDXBk3EMzBJ8UWt3XhPvdNBqH me@studio"
	keyB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFk4S2xdQ8hnZyKxV0jXDXBk3EMzBJ8UWt3XhPvdNBqH you@stage"
)

// config evaluates a program that must be good.
func config(t *testing.T, program string) *Config {
	t.Helper()
	c, err := Evaluate(t.Context(), write(t, map[string]string{"rig.jsonnet": program})+"/rig.jsonnet", EvalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAuthorize(t *testing.T) {
	const users = "services: { openssh: { enable: true } }, users: { users: { root: {}, a: { uid: 1000 }, b: { uid: 1001"
	for _, test := range []struct {
		name, program string
		keys          []string
		want          map[string]int // keys of each user
		ways          []string
	}{
		{"wheel", "{ " + users + ", extraGroups: ['wheel'] } } } }", []string{keyA}, map[string]int{"b": 1}, []string{`ssh as "b" with 1 key`}},
		{"sudo by members", "{ " + users + " } }, groups: { sudo: { members: ['a'] } } } }", []string{keyA}, map[string]int{"a": 1}, []string{`ssh as "a" with 1 key`}},
		{"no sudoer", "{ " + users + " } } } }", []string{keyA}, map[string]int{"a": 1, "b": 1}, []string{`ssh as "a" with 1 key`, `ssh as "b" with 1 key`}},
		{"a file with two", "{ " + users + ", extraGroups: ['sudo'] } } } }", []string{"# mine\n" + keyA + "\n\n" + keyB + "\n"}, map[string]int{"b": 2}, []string{`ssh as "b" with 2 keys`}},
		{"the same twice", "{ " + users + ", extraGroups: ['sudo'] } } } }", []string{keyA, keyA + "\n"}, map[string]int{"b": 1}, []string{`ssh as "b" with 1 key`}},
		{"with options", "{ " + users + ", extraGroups: ['sudo'] } } } }", []string{`from="10.0.0.*",no-pty ` + keyA}, map[string]int{"b": 1}, []string{`ssh as "b" with 1 key`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := config(t, test.program)
			if ways := c.WaysIn(); len(ways) > 0 {
				t.Errorf("ways in before: %q", ways)
			}
			if err := c.Authorize(test.keys...); err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for name, u := range c.Users.Users {
				if n := len(u.OpenSSH.AuthorizedKeys.Keys); n > 0 {
					got[name] = n
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.ways, c.WaysIn()); diff != "" {
				t.Errorf("ways in (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	private := "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----\n"
	for _, test := range []struct{ name, key, want string }{
		{"private", private, "the ssh key is a private key, which must stay where it is"},
		{"private, body only", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ", "is a private key"},
		{"garbage", "hello", `"hello" is no ssh public key`},
		{"cut", keyA[:40], "is no ssh public key"},
		{"a path", "~/.ssh/id_ed25519.pub", "is no ssh public key"},
		{"empty", " \n", "the ssh key is empty"},
		{"good and bad", keyA + "\nbad\n", `"bad" is no ssh public key`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := config(t, "{ services: { openssh: { enable: true } }, users: { users: { rig: {} } } }")
			err := c.Authorize(test.key)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "ssh-ed25519 AAAA… you@studio") {
				t.Errorf("error is %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "b3BlbnNz") {
				t.Errorf("shows a private key: %v", err)
			}
			if ways := c.WaysIn(); len(ways) > 0 {
				t.Errorf("half done: %q", ways)
			}
		})
	}
	if err := config(t, "{}").Authorize(keyA); err == nil || !strings.Contains(err.Error(), "has no normal user") {
		t.Errorf("without users: %v", err)
	}
}

func TestWaysIn(t *testing.T) {
	withKey := "openssh: { authorizedKeys: { keys: ['" + keyA + "'] } }"
	for _, test := range []struct {
		name, program string
		want          []string
	}{
		{"nothing", "{}", nil},
		{"key without server", "{ users: { users: { rig: { " + withKey + " } } } }", nil},
		{"server without key", "{ users: { users: { rig: {} } }, services: { openssh: { enable: true } } }", nil},
		{"not allowed", "{ users: { users: { rig: { " + withKey + " }, b: { uid: 1001 } } }, services: { openssh: { enable: true, settings: { AllowUsers: ['b'] } } } }", nil},
		{"root", "{ users: { users: { root: { " + withKey + " } } }, services: { openssh: { enable: true } } }", []string{`ssh as "root" with 1 key`}},
		{"root not", "{ users: { users: { root: { " + withKey + " } } }, services: { openssh: { enable: true, settings: { PermitRootLogin: 'no' } } } }", nil},
		{"console", "{ users: { users: { rig: {} } }, services: { getty: { autologinUser: 'rig' } } }", []string{`console, as "rig" without being asked`}},
	} {
		if diff := cmp.Diff(test.want, config(t, test.program).WaysIn()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
