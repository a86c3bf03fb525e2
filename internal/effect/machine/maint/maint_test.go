package maint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fresh is the world of a first installation where only these files are.
func fresh(files ...string) World {
	return World{
		Args: []string{"configure", ""},
		Arch: "amd64",
		Exists: func(p string) bool {
			for _, f := range files {
				if f == p {
					return true
				}
			}
			return false
		},
		Answer: map[string]string{"x/setuid": "false", "x/tune": "true"},
	}
}

// lines prints calls as "args", with "maybe: " before those that are not sure.
func lines(calls []Call) string {
	var b strings.Builder
	for _, c := range calls {
		if !c.Sure {
			b.WriteString("maybe: ")
		}
		b.WriteString(strings.ReplaceAll(strings.Join(c.Args, " "), Unknown, "?"))
		for _, w := range c.Writes {
			b.WriteString(" > " + strings.ReplaceAll(w, Unknown, "?"))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestCalls(t *testing.T) {
	for _, test := range []struct{ name, script, want string }{
		{"debhelper enables", `if [ "$1" = "configure" ] || [ "$1" = "abort-upgrade" ]; then
	deb-systemd-helper unmask 'ssh.service' >/dev/null || true
	if deb-systemd-helper --quiet was-enabled 'ssh.service'; then
		deb-systemd-helper enable 'ssh.service' >/dev/null || true
	else
		deb-systemd-helper update-state 'ssh.service' >/dev/null || true
	fi
fi`, "deb-systemd-helper unmask ssh.service\ndeb-systemd-helper --quiet was-enabled ssh.service\ndeb-systemd-helper enable ssh.service\n"},
		{"debhelper does not enable", `if deb-systemd-helper debian-installed 'ssh.socket'; then
	deb-systemd-helper enable 'ssh.socket' || true
fi`, "deb-systemd-helper debian-installed ssh.socket\n"},
		{"upgrade only", `if dpkg --compare-versions "$2" lt-nl 2.0; then chmod 4755 /usr/bin/x; fi`,
			"dpkg --compare-versions  lt-nl 2.0\n"},
		{"lt is true on a first installation", `if dpkg --compare-versions "$2" lt 2.0; then touch /etc/x; fi`,
			"dpkg --compare-versions  lt 2.0\ntouch /etc/x\n"},
		{"case and default", `case "$1" in configure|reconfigure) touch a;; *) touch b;; esac`, "touch a\n"},
		{"loop", `for x in man mandb; do chown man:man "/usr/bin/$x"; done`, "chown man:man /usr/bin/man\nchown man:man /usr/bin/mandb\n"},
		{"function and continuation", "add() { adduser --system \\\n --home \"$2\" $1; }\nadd bob /run/bob", "adduser --system --home /run/bob bob\n"},
		{"unknown condition", `if grep -q x /etc/y; then A=1; touch a; else A=2; fi; touch $A`, "grep -q x /etc/y\nmaybe: touch a\ntouch ?\n"},
		{"debconf", `. /usr/share/debconf/confmodule
db_get x/setuid; [ "$RET" = true ] && touch a
db_get x/tune; [ "$RET" = true ] && touch b`, "db_get x/setuid\ndb_get x/tune\ntouch b\n"},
		{"exit ends", `[ "$1" = configure ] || exit 0
if [ -z "$2" ]; then touch a; exit 0; fi
touch b`, "touch a\n"},
		{"an exit that may not come", `if grep -q x y; then exit 0; fi; touch b`, "grep -q x y\ntouch b\n"},
		{"what is not there", `if [ ! -e /etc/x ] && [ -x /usr/bin/tool ]; then cp /usr/share/x /etc/x; fi`, "cp /usr/share/x /etc/x\n"},
		{"merged usr", `[ -x /bin/tool ] && touch a`, "touch a\n"},
		{"root prefix", `ln -s mawk "$DPKG_ROOT/usr/bin/awk" ${DPKG_ROOT:+--root="$DPKG_ROOT"}`, "ln -s mawk /usr/bin/awk\n"},
		{"substitution", `a=$(dpkg --print-architecture); b=$(uname -r); touch $a; touch $b`, "touch amd64\ntouch ?\n"},
		{"shift and $@", `f() { shift; touch "$@"; }; f a b c`, "touch b c\n"},
		{"trims", `x=/a/b.conf; touch ${x##*/} ${x%.conf} ${x#/a/}`, "touch b.conf /a/b b.conf\n"},
		{"writes", "cat > /etc/hosts <<EOF\nx\nEOF\n: > /var/log/wtmp", "cat > /etc/hosts\n: > /var/log/wtmp\n"},
		{"while", `while read a; do touch $a; done < /etc/x; touch b`, "maybe: touch ?\ntouch b\n"},
		{"pipe", `echo x | sed s/x/y/ > /etc/z`, "sed s/x/y/ > /etc/z\n"},
		{"or chain", `getent group x >/dev/null || addgroup --system x`, "getent group x\naddgroup --system x\n"},
		{"words of $2 vanish", `chmod 1 $2 /a; chmod 1 "$2"`, "chmod 1 /a\nchmod 1 \n"},
	} {
		calls, err := Calls(test.name, []byte("#!/bin/sh\nset -e\n"+test.script), fresh("/usr/bin/tool", "/usr/share/x"))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := cmp.Diff(test.want, lines(calls)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestCallsRefuses(t *testing.T) {
	for name, script := range map[string]string{
		"perl":      "#!/usr/bin/perl\n",
		"no shell":  "true\n",
		"zero":      "#!/bin/sh\ntrue \x00\n",
		"syntax":    "#!/bin/sh\nif true; then\n",
		"recursion": "#!/bin/sh\nf() { f; }; f\n",
		"long":      "#!/bin/sh\nL='a a a a a a a a a a a a a a a a'\n" + strings.Repeat("for i in $L; do ", 5) + "true" + strings.Repeat("; done", 5),
	} {
		if calls, err := Calls(name, []byte(script), fresh()); err == nil {
			t.Errorf("Calls(%s) = %d calls, want an error", name, len(calls))
		}
	}
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "a/b", true}, {"a?c", "abc", true}, {"[a-c]x", "bx", true}, {"[!a]x", "ax", false}, {`\*`, "*", true}, {`\*`, "a", false},
		{"*b*d", "abcd", true}, {"*b*d", "abce", false}, {"", "", true}, {"a", "", false}, {"[", "[", true},
	} {
		if got := Match(test.pattern, test.text); got != test.want {
			t.Errorf("Match(%q, %q) = %v, want %v", test.pattern, test.text, got, test.want)
		}
	}
}

func FuzzCalls(f *testing.F) {
	f.Add("for x in a b; do f() { test -n \"$x\" || exit; }; f $x; done; case $1 in a*) ;; esac")
	f.Add("x=${a:-b}${c##*/}$(echo d); [[ $x == y* ]] && [ -e /x -o ! -f y ]; shift 3; while :; do break; done")
	f.Fuzz(func(t *testing.T, s string) {
		calls, err := Calls("fuzz", []byte("#!/bin/sh\n"+s), fresh())
		if err == nil {
			for _, c := range calls {
				if len(c.Args) == 0 {
					t.Errorf("Calls(%q) has a call without words", s)
				}
			}
		}
	})
}
