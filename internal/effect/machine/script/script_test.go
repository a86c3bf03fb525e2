package script

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/effect/machine/maint"
	"reprise/internal/layer"
)

// calls reads a script as a first installation runs it.
func calls(t *testing.T, text string, exists func(string) bool) []maint.Call {
	t.Helper()
	c, err := maint.Calls("test", []byte("#!/bin/sh\nset -e\n"+text), maint.World{Args: []string{"configure", ""},
		Exists: func(p string) bool { return exists(strings.TrimPrefix(p, "/")) }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAdditions(t *testing.T) {
	exists := func(p string) bool {
		return slices.Contains([]string{"usr/share/x/conf", "etc/shipped", "usr/bin", "usr/lib/tool"}, p)
	}
	for _, test := range []struct{ name, script, want string }{
		{"copy", "if [ ! -f /etc/x.conf ]; then cp -p /usr/share/x/conf /etc/x.conf; chmod 600 /etc/x.conf; fi",
			`{"from":"p","path":"etc/x.conf","kind":"copy","source":"usr/share/x/conf","mode":384}`},
		{"what a package ships stays", "cp /usr/share/x/conf /etc/shipped; mkdir -p /usr/bin; touch /etc/shipped", ""},
		{"a copy of nothing", "cp /usr/share/x/gone /etc/x", ""},
		{"link", "ln -sf ../x /etc/y", `{"from":"p","path":"etc/y","kind":"link","target":"../x","mode":0}`},
		{"link made relative", "ln -sfr /etc/locale.conf /etc/default/locale", `{"from":"p","path":"etc/default/locale","kind":"link","target":"../locale.conf","mode":0}`},
		{"no hard link", "ln /etc/a /etc/b", ""},
		{"directory with an owner", "mkdir /var/mail; chown root:mail /var/mail; chmod 2775 /var/mail",
			`{"from":"p","path":"var/mail","kind":"dir","mode":1533,"owner":"root","group":"mail"}`},
		{"mkdir with a mode", "mkdir -p -m 0700 /var/lib/x", `{"from":"p","path":"var/lib/x","kind":"dir","mode":448}`},
		{"install", "install -d -o man -g man -m 0755 /var/cache/man; install --mode 644 /dev/null /etc/empty; install --mode=600 /dev/null /etc/secret",
			`{"from":"p","path":"etc/empty","kind":"empty","mode":420} {"from":"p","path":"etc/secret","kind":"empty","mode":384} {"from":"p","path":"var/cache/man","kind":"dir","mode":493,"owner":"man","group":"man"}`},
		{"empty files", ": > /var/log/wtmp; touch /etc/environment", `{"from":"p","path":"etc/environment","kind":"empty","mode":420} {"from":"p","path":"var/log/wtmp","kind":"empty","mode":420}`},
		{"by way of a temporary name", "cp /usr/share/x/conf /etc/x.new; mv -f /etc/x.new /etc/x", `{"from":"p","path":"etc/x","kind":"copy","source":"usr/share/x/conf","mode":0}`},
		{"here-document", "cat > /etc/x <<EOF\n# a $$ b\n\nEOF\n", ""},
		{"here-document that is decided", "n=1\nif [ ! -e /etc/x ]; then cat >/etc/x <<EOF\n# a $n\n\tb\nEOF\nfi", `{"from":"p","path":"etc/x","kind":"text","text":"# a 1\n\tb\n","mode":420}`},
		{"here-document without tabs", "cat > /etc/x <<-EOF\n\ta\n\tEOF", `{"from":"p","path":"etc/x","kind":"text","text":"a\n","mode":420}`},
		{"here-document with backslashes", "cat > /etc/x <<EOF\n\\$a\nEOF", ""},
		{"umask", "umask 066; touch /etc/x; (umask 077; mkdir /etc/y); umask 022; touch /etc/z",
			`{"from":"p","path":"etc/x","kind":"empty","mode":384} {"from":"p","path":"etc/y","kind":"dir","mode":448} {"from":"p","path":"etc/z","kind":"empty","mode":420}`},
		{"made and taken away", "touch /etc/tmp; rm -f /etc/tmp", ""},
		{"only on an upgrade", `if [ -n "$2" ]; then touch /etc/x; fi`, ""},
		{"perhaps", "if grep -q a /etc/b; then touch /etc/x; fi", ""},
		{"out of the tree", "touch /../../etc/x /etc/../../y; ln -s a ../../z", `{"from":"p","path":"etc/x","kind":"empty","mode":420} {"from":"p","path":"y","kind":"empty","mode":420}`},
		{"merged usr", "ln -s tool /bin/other", `{"from":"p","path":"usr/bin/other","kind":"link","target":"tool","mode":0}`},
	} {
		var got []string
		for _, a := range Additions("p", calls(t, test.script, exists), exists) {
			b, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(b))
		}
		if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestModes(t *testing.T) {
	shipped := map[string]*layer.Entry{
		"usr/bin/x":    {Path: "usr/bin/x", Kind: layer.File, Mode: 0o755},
		"etc/rules.d":  {Path: "etc/rules.d", Kind: layer.Dir, Mode: 0o755},
		"etc/method":   {Path: "etc/method", Kind: layer.File, Mode: 0o644},
		"usr/bin/link": {Path: "usr/bin/link", Kind: layer.Symlink, Mode: 0o777, Target: "x"},
		"var/spool/c":  {Path: "var/spool/c", Kind: layer.Dir, Mode: 0o755},
	}
	entry := func(p string) *layer.Entry { return shipped[p] }
	exists := func(p string) bool { return shipped[p] != nil }
	for _, test := range []struct {
		name, script string
		want         []Mode
		unknown      int
	}{
		{"statoverride", "dpkg-statoverride --list /usr/bin/x || dpkg-statoverride --update --add root crontab 2755 /usr/bin/x",
			[]Mode{{"usr/bin/x", "f", 0o2755, "root", "crontab"}}, 0},
		{"chgrp and chmod", "chgrp _ssh /usr/bin/x; chmod 2755 /usr/bin/x", []Mode{{"usr/bin/x", "f", 0o2755, "0", "_ssh"}}, 0},
		{"chown of both", "chown root:polkitd /etc/rules.d; chmod 750 /etc/rules.d", []Mode{{"etc/rules.d", "d", 0o750, "root", "polkitd"}}, 0},
		{"symbolic", "chmod +x /etc/method; chmod u+s,o-rx /usr/bin/x", []Mode{{"etc/method", "f", 0o755, "0", "0"}, {"usr/bin/x", "f", 0o4750, "0", "0"}}, 0},
		{"no change", "chown root:root /usr/bin/x; chmod 755 /usr/bin/x; chmod 0644 /etc/method", nil, 0},
		{"there and back", "chmod 700 /usr/bin/x; chmod 755 /usr/bin/x", nil, 0},
		{"not ours", "chmod 700 /var/spool/c /run/x /usr/local/y /nowhere", nil, 0},
		{"a link", "chmod 700 /usr/bin/link", nil, 0},
		{"unknown path", "chmod 4755 $(which x)", nil, 1},
		{"unknown mode", "chmod $(stat -c %a /) /usr/bin/x", nil, 1},
		{"unknown owner", "chown $(id -u):x /usr/bin/x", nil, 1},
		{"perhaps", "if grep -q a /etc/b; then chmod 700 /usr/bin/x; fi", nil, 0},
	} {
		got, unknown := Modes("p", calls(t, test.script, exists), entry)
		slices.SortFunc(got, func(a, b Mode) int { return strings.Compare(a.Path, b.Path) })
		if len(got) == 0 {
			got = nil
		}
		if diff := cmp.Diff(test.want, got); diff != "" || len(unknown) != test.unknown {
			t.Errorf("%s: %d unknown %q, want %d (-want +got):\n%s", test.name, len(unknown), unknown, test.unknown, diff)
		}
	}
	state := StateModes("p", calls(t, "chown root:crontab /var/spool/c; chmod 1730 /var/spool/c; chmod 700 /usr/bin/x", exists), entry)
	if diff := cmp.Diff([]Mode{{"var/spool/c", "d", 0o1730, "root", "crontab"}}, state); diff != "" {
		t.Errorf("StateModes (-want +got):\n%s", diff)
	}
}

func FuzzScript(f *testing.F) {
	f.Add("ln -sr /a /b; mkdir -m 7 /c; install -d -m9 /d; chmod u=s,g+t /e; chown a.b /f; mv /c /g; cp /usr/x /etc/y")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := maint.Calls("fuzz", []byte("#!/bin/sh\n"+text), maint.World{Args: []string{"configure", ""}})
		if err != nil {
			return
		}
		for _, a := range Additions("p", c, func(p string) bool { return p == "usr/x" }) {
			if !layer.ValidPath(a.Path) && a.Path != layer.Meta && !strings.HasPrefix(a.Path, layer.Meta+"/") || a.Mode > 0o7777 {
				t.Errorf("script %q adds %+v", text, a)
			}
		}
		modes, _ := Modes("p", c, func(p string) *layer.Entry { return &layer.Entry{Path: "usr/x", Kind: layer.File, Mode: 0o644} })
		for _, m := range modes {
			if m.Mode > 0o7777 {
				t.Errorf("script %q gives mode %o", text, m.Mode)
			}
		}
	})
}
