package deb

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readAll(s string) ([]Stanza, error) {
	var all []Stanza
	err := ReadStanzas(strings.NewReader(s), func(s Stanza) error {
		all = append(all, s)
		return nil
	})
	return all, err
}

func TestReadStanzas(t *testing.T) {
	const in = "\n# a comment\nTypes: deb deb-src\n# another\nURIs: http://example.invalid/debian\n" +
		"Empty:\nText: first\n second\n .\n  third\n# in between\n fourth\n\t\n\nPackage: x1\r\nVersion:1\n"
	got, err := readAll(in)
	if err != nil {
		t.Fatal(err)
	}
	want := []Stanza{
		{{"Types", "deb deb-src"}, {"URIs", "http://example.invalid/debian"}, {"Empty", ""}, {"Text", "first\nsecond\n.\n third\nfourth"}},
		{{"Package", "x1"}, {"Version", "1"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got[0].Get("uris") == "" || got[0].Get("absent") != "" {
		t.Errorf("Get does not ignore case")
	}
}

func TestReadStanzasRefuses(t *testing.T) {
	for in, want := range map[string]string{
		" folded\n":               "line 1",
		"A: 1\n\n\nno colon\n":    "line 4",
		"A: 1\nB: 2\na: 3\n":      "line 3",
		": x\n":                   "line 1",
		"-A: x\n":                 "line 1",
		"A B: x\n":                "line 1",
		"A: 1\n\n# c\n\n folded":  "line 5",
		"Ä: x\n":                  "line 1",
		"-----BEGIN PGP SIGNED--": "line 1",
	} {
		got, err := readAll(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, error %v, want one at %s", in, got, err, want)
		}
	}
	stop := errors.New("stop")
	if err := ReadStanzas(strings.NewReader("A: 1\n"), func(Stanza) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the callback's error is lost: %v", err)
	}
	if _, err := ParseStanza([]byte("A: 1\n\nB: 2\n")); err == nil {
		t.Error("ParseStanza takes two stanzas")
	}
	if _, err := ParseStanza([]byte("\n#x\n")); err == nil {
		t.Error("ParseStanza takes none")
	}
	if _, err := readAll("A: 1\n" + strings.Repeat(" "+strings.Repeat("x", 1<<20)+"\n", 20)); err == nil {
		t.Error("a stanza of 20 MiB is taken")
	}
}

func FuzzReadStanzas(f *testing.F) {
	f.Add("A: 1\n b\n\n#c\nB: 2\n")
	f.Add("A:1\n\n\n\n C")
	f.Fuzz(func(t *testing.T, in string) {
		first, err := readAll(in)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, s := range first {
			for _, field := range s {
				b.WriteString(field.Name + ": " + strings.ReplaceAll(field.Value, "\n", "\n ") + "\n")
			}
			b.WriteString("\n")
		}
		again, err := readAll(b.String())
		if err != nil {
			t.Fatalf("printed %q: %v", b.String(), err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("from %q (-first +again):\n%s", in, diff)
		}
	})
}
