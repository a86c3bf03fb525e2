package unit

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"reprise/internal/effect/machine/maint"
)

// rig/calls are what the postinst scripts of a trixie set enable, rig/units
// the [Install] sections of these units, rig/links the links of the root where
// the scripts ran.
func TestLinksEqualDebianS(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/rig/units")
	if err != nil {
		t.Fatal(err)
	}
	units := map[string]Install{}
	for _, f := range archive.Files {
		units[f.Name] = ParseInstall(f.Data)
	}
	calls, err := os.ReadFile("testdata/rig/calls")
	if err != nil {
		t.Fatal(err)
	}
	var enabled []Enabled
	for line := range strings.Lines(string(calls)) {
		words := strings.Fields(line)
		more, err := FromCalls(words[0], []maint.Call{{Args: words[1:], Sure: true}})
		if err != nil {
			t.Fatal(err)
		}
		enabled = append(enabled, more...)
	}
	preset, err := os.ReadFile("testdata/rig/preset")
	if err != nil {
		t.Fatal(err)
	}
	presets := map[Manager]Presets{System: ParsePresets(map[string][]byte{"90-systemd.preset": preset})}
	links, err := Links(enabled, presets, func(m Manager, name string) (File, bool) {
		in, ok := units[string(m)+"/"+name]
		return File{m.Lib() + "/" + name, in}, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, l := range links {
		fmt.Fprintln(&got, l.Name, l.Target)
	}
	want, err := os.ReadFile("testdata/rig/links")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func TestLinks(t *testing.T) {
	files := map[string]string{
		"a.service":    "[Unit]\nWantedBy=no.target\n[Install]\nWantedBy=multi-user.target \\\n  'other.target'\nAlias=dbus-org.a.service\nAlso=a.socket missing.socket\n",
		"a.socket":     "[Install]\nWantedBy=sockets.target\nAlso=a.service\n",
		"r.service":    "[Install]\nRequiredBy=x.target\nUpheldBy=y.target\n",
		"t@.service":   "[Install]\nWantedBy=t.target\nDefaultInstance=one\n",
		"u@.service":   "[Install]\nWantedBy=u@%i.target\nAlias=v@%i.service\n",
		"n.service":    "[Service]\nExecStart=/bin/true\n",
		"e.service":    "[Install]\nWantedBy=a.target\nWantedBy=\nWantedBy=b.target\n",
		"evil.service": "[Install]\nWantedBy=../../../etc\nAlias=../../shadow\n",
	}
	for _, test := range []struct {
		enable string
		want   []string
	}{
		{"a.service", []string{
			"dbus-org.a.service a.service", "multi-user.target.wants/a.service a.service",
			"other.target.wants/a.service a.service", "sockets.target.wants/a.socket a.socket"}},
		{"r.service", []string{"x.target.requires/r.service r.service", "y.target.upholds/r.service r.service"}},
		{"t@.service", []string{"t.target.wants/t@one.service t@.service"}},
		{"t@two.service", []string{"t.target.wants/t@two.service t@.service"}},
		{"u@z.service", []string{"u@z.target.wants/u@z.service u@.service", "v@z.service u@.service"}},
		{"n.service", nil},
		{"e.service", []string{"b.target.wants/e.service e.service"}},
		{"evil.service", nil},
	} {
		links, err := Links([]Enabled{{System, test.enable, false}}, nil, func(m Manager, name string) (File, bool) {
			text, ok := files[name]
			return File{m.Lib() + "/" + name, ParseInstall([]byte(text))}, ok
		})
		if err != nil {
			t.Errorf("%s: %v", test.enable, err)
		}
		var got []string
		for _, l := range links {
			got = append(got, strings.TrimPrefix(l.Name, "etc/systemd/system/")+" "+strings.TrimPrefix(l.Target, "/usr/lib/systemd/system/"))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.enable, diff)
		}
	}
	if _, err := Links([]Enabled{{System, "gone.service", false}}, nil, func(Manager, string) (File, bool) { return File{}, false }); err == nil {
		t.Error("a unit that no package brings: no error")
	}
}

func TestFromCalls(t *testing.T) {
	script := `#!/bin/sh
if deb-systemd-helper --quiet was-enabled 'on.service'; then deb-systemd-helper enable 'on.service' || true; fi
if deb-systemd-helper debian-installed 'off.service'; then deb-systemd-helper enable 'off.service' || true; fi
if deb-systemd-helper --quiet --user was-enabled 'u.socket'; then deb-systemd-helper --user enable 'u.socket' || true; fi
if [ -z "$2" ]; then systemctl ${DPKG_ROOT:+--root="$DPKG_ROOT"} enable getty@tty1.service; fi
if [ -n "$2" ]; then systemctl enable old.service; fi
systemctl --global enable g.service
`
	calls, err := maint.Calls("postinst", []byte(script), maint.World{Args: []string{"configure", ""}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := FromCalls("p", calls)
	if err != nil {
		t.Fatal(err)
	}
	want := []Enabled{{System, "on.service", true}, {User, "u.socket", true}, {System, "getty@tty1.service", false}, {User, "g.service", false}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("FromCalls (-want +got):\n%s", diff)
	}
	if _, err := FromCalls("p", []maint.Call{{Args: []string{"systemctl", "enable", "../x.service"}, Sure: true}}); err == nil {
		t.Error("a path for a unit name: no error")
	}
}

func FuzzParseInstall(f *testing.F) {
	f.Add("[Install]\nWantedBy=a.target\nAlias=b.service\nAlso=c.socket\nDefaultInstance=x\n")
	f.Fuzz(func(t *testing.T, s string) {
		links, _ := Links([]Enabled{{System, "a@.service", false}}, nil, func(m Manager, name string) (File, bool) {
			return File{m.Lib() + "/" + name, ParseInstall([]byte(s))}, true
		})
		for _, l := range links {
			if !strings.HasPrefix(l.Name, "etc/systemd/system/") || strings.Contains(l.Name, "/../") {
				t.Errorf("install section %q made the link %q", s, l.Name)
			}
		}
	})
}
