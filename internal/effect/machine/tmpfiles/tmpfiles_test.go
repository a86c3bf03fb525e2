package tmpfiles

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	lines, err := Parse(map[string][]byte{
		"b.conf": []byte("d /var/lib/x 0700 x x -\nL+ /etc/mtab - - - - ../proc/self/mounts\n# comment\n\nL! /etc/resolv.conf - - - - y\nz /dev/snd 0660 - audio\nd %t/x\n"),
		"a.conf": []byte("D /var/lib/x ~0755 root -\nf /etc/%m - - - - text of it\nq /var/tmp 1777\nC \"/etc/a\" :0600 - - - /usr/a\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Line{
		{Kind: Dir, Type: "D", Path: "var/lib/x", Mode: 0o755, User: "root"},
		{Kind: File, Type: "f", Path: "etc/%m", Mode: 0o644, Argument: "text of it"},
		{Kind: Dir, Type: "q", Path: "var/tmp", Mode: 0o1777},
		{Kind: Copy, Type: "C", Path: "etc/a", Mode: 0o600, Argument: "/usr/a"},
		{Kind: Link, Type: "L+", Path: "etc/mtab", Argument: "../proc/self/mounts"},
		{Kind: Link, Type: "L!", Path: "etc/resolv.conf", Argument: "y"},
		{Kind: Other, Type: "z", Path: "dev/snd", User: "", Group: "audio"},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	var creates []string
	for _, l := range lines {
		if l.Creates() {
			creates = append(creates, l.Path)
		}
	}
	if diff := cmp.Diff([]string{"var/lib/x", "var/tmp", "etc/a", "etc/mtab"}, creates); diff != "" {
		t.Errorf("Creates (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"d", "d var/x", "d /x 9"} {
		if _, err := Parse(map[string][]byte{"x": []byte(bad)}); err == nil {
			t.Errorf("Parse(%q): no error", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("d /a 0755 b c - d\n")
	f.Fuzz(func(t *testing.T, s string) {
		lines, err := Parse(map[string][]byte{"x": []byte(s)})
		for _, l := range lines {
			if err == nil && (l.Path == "" || l.Path[0] == '/' || l.Mode > 0o7777) {
				t.Errorf("Parse(%q) has the line %+v", s, l)
			}
		}
	})
}
