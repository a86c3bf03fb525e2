package unitdiff

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	for _, test := range []struct {
		text string
		want settings
	}{
		{"", settings{}},
		{"Key=before any section\n", settings{}},
		{"[A]\nk=v\nk = w \n[B]\nk=x\n[A]\nk=y", settings{"A.k": {"v", "w", "y"}, "B.k": {"x"}}},
		{"[A]\nk=a\nk=\nk=b\n", settings{"A.k": {"b"}}},
		{"[A]\nk=a\nk=\n", settings{"A.k": nil}},
		{"[A]\nk=a \\\n  b\\\nc\nl=d\n", settings{"A.k": {"a    b c"}, "A.l": {"d"}}},
		{"[A]\nk=a\\\n# said between\n; and so is this\n\\\nb\n", settings{"A.k": {"a  b"}}},
		{"[A]\nk=a\\\n\nl=d\n", settings{"A.k": {"a"}, "A.l": {"d"}}},
		{"[A]\nk=a\\\n[B]\nl=d\n", settings{"A.k": {"a [B]"}, "A.l": {"d"}}},
		{"# c\n ; c\n[A]\r\nk=v # no comment\r\n", settings{"A.k": {"v # no comment"}}},
		{"[A]\nno equals sign\n=no key\nk=a=b\n", settings{"A.k": {"a=b"}}},
		{"[A\nk=v\n", settings{"A.k": {"v"}}},
		{"[A]\nk=at the end\\", settings{"A.k": {"at the end"}}},
	} {
		got := settings{}
		got.read(test.text)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("read(%q) (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestCommand(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{"/bin/a b  c", []string{"/bin/a", "b", "c"}},
		{"-@!!+:/bin/a -b", []string{"/bin/a", "-b"}},
		{`/bin/sh -c 'a b' "c \" d" e\ f ''`, []string{"/bin/sh", "-c", "a b", `c " d`, "e f", ""}},
		{`"/opt/my program" x`, []string{"/opt/my program", "x"}},
		{`/bin/a "never closed`, []string{"/bin/a", "never closed"}},
		{`/bin/a '\n'`, []string{"/bin/a", `\n`}},
	} {
		if diff := cmp.Diff(test.want, command(test.line)); diff != "" {
			t.Errorf("command(%q) (-want +got):\n%s", test.line, diff)
		}
	}
}

func TestNames(t *testing.T) {
	for path, want := range map[string]string{
		"/": "-", "": "-", "/mnt/a": "mnt-a", "/mnt//a/": "mnt-a", "/mnt/my songs": `mnt-my\x20songs`, "/.reprise/disk": `\x2ereprise-disk`,
		"/a-b": `a\x2db`, "/a/.b": "a-.b", "/ä": `\xc3\xa4`,
	} {
		if got := escape(path); got != want {
			t.Errorf("escape(%q) = %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"/", "/mnt/a", "/mnt/my songs", "/.reprise/disk", "/a-b", "/ä"} {
		if got := mountPoint(escape(path) + ".mount"); got != path {
			t.Errorf("mountPoint(escape(%q)) = %q", path, got)
		}
	}
	fill := specifiers(`foo-bar@my\x2dsongs-a.service`)
	for text, want := range map[string]string{"%i": `my\x2dsongs-a`, "%I": "my-songs/a", "%p": "foo-bar", "%j": "bar",
		"%n": `foo-bar@my\x2dsongs-a.service`, "%N": `foo-bar@my\x2dsongs-a`, "100%%": "100%", "%t": "%t"} {
		if got := fill(text); got != want {
			t.Errorf("specifiers: %q = %q, want %q", text, got, want)
		}
	}
	for _, test := range []struct{ what, want string }{
		{"/dev/sda1", "/dev/sda1"}, {"UUID=1-2", "/dev/disk/by-uuid/1-2"}, {`LABEL="my songs"`, `/dev/disk/by-label/my\x20songs`},
		{"PARTLABEL=ESP", "/dev/disk/by-partlabel/ESP"}, {"tmpfs", "tmpfs"}, {"nas:/a=b", "nas:/a=b"},
	} {
		if got := device(test.what); got != test.want {
			t.Errorf("device(%q) = %q, want %q", test.what, got, test.want)
		}
	}
}

func TestResolve(t *testing.T) {
	v := view{fstest.MapFS{}}
	v.put("usr/bin/dash", "x")
	v.put("usr/bin/sh", "-> dash")
	v.put("etc/a", "-> b")
	v.put("etc/b", "-> /bin/sh")
	v.put("etc/dir", "-> ../usr/bin")
	v.put("etc/loop", "-> loop")
	v.put("etc/round", "-> round/x")
	v.put("etc/state", "-> /var/lib/state")
	v.put("etc/above", "-> ../../../usr/bin/dash")
	f := newFiles(v)
	for name, want := range map[string]string{
		"usr/bin/sh": "usr/bin/dash", "/bin/sh": "usr/bin/dash", "etc/a": "usr/bin/dash", "etc/dir/sh": "usr/bin/dash", "etc/dir/../b": "usr/bin/dash",
		"etc/loop": "", "etc/round": "", "etc/state": "", "etc/gone": "", "etc/above": "usr/bin/dash", "usr/bin/dash/x": "", "/": ".", "etc": "etc",
	} {
		if got := f.resolve(name); got != want {
			t.Errorf("resolve(%q) = %q, want %q", name, got, want)
		}
	}
}

// print writes settings as a unit file.
func (s settings) print() string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(s)) {
		section, name, _ := strings.Cut(key, ".")
		b.WriteString("[" + section + "]\n")
		if len(s[key]) == 0 {
			b.WriteString(name + "=\n")
		}
		for _, v := range s[key] {
			b.WriteString(name + "=" + v + "\n")
		}
	}
	return b.String()
}

func FuzzUnit(f *testing.F) {
	f.Add("[Unit]\nRequires=b.service\n[Service]\nExecStart=-/bin/sh -c 'a \\\n# x\n b'\nExecStart=\nExecReload=kill $MAINPID\n[Install]\nWantedBy=a.target\n", "a@b.service")
	f.Add("[Mount]\nOptions=a\n[Socket]\nService=%i.service\nAccept=maybe\n", "x.socket")
	f.Add("[Timer]\nUnit=%p@%i.service\n", `a\x2db@.timer`)
	f.Fuzz(func(t *testing.T, text, name string) {
		if len(text) > 1<<16 {
			return
		}
		s := settings{}
		s.read(text)
		for key := range s {
			// What is printed has one line for a value and no dot in a section.
			if section, _, _ := strings.Cut(key, "."); strings.ContainsAny(section, "[]\n\r") || strings.TrimSpace(section) != section {
				return
			}
		}
		again := settings{}
		again.read(s.print())
		if diff := cmp.Diff(s, again); plain(s) && diff != "" {
			t.Fatalf("printed and read again (-want +got):\n%s", diff)
		}
		old, new := view{fstest.MapFS{}}, view{fstest.MapFS{}}
		for _, v := range []view{old, new} {
			v.put("usr/lib/systemd/system/all.target", "[Unit]\nWants="+strings.ToValidUTF8(strings.ReplaceAll(name, "\n", ""), "")+"\n")
		}
		old.put("usr/lib/systemd/system/one.service", text)
		new.put("usr/lib/systemd/system/one.service", text+"\n[Service]\nNice=1\n")
		new.put("usr/lib/systemd/system/two.socket", text)
		new.put("etc/fstab", text)
		units := []Unit{{Name: "all.target", Active: "active", Fragment: "/usr/lib/systemd/system/all.target"},
			{Name: "one.service", Active: "active", Fragment: "/usr/lib/systemd/system/one.service"}}
		if _, err := Make(old, new, units, Options{}); err != nil {
			t.Fatal(err)
		}
		if same, err := Make(new, new, units, Options{}); err != nil || !same.Empty() {
			t.Fatalf("a view and itself: %v, %+v", err, same)
		}
	})
}

// plain reports whether print can say all of the settings: a value that begins
// a line anew or ends with a backslash cannot be written in one line.
func plain(s settings) bool {
	for key, values := range s {
		_, name, _ := strings.Cut(key, ".")
		if name == "" || strings.ContainsAny(name[:1], "#;[") || strings.ContainsAny(name, "\r") {
			return false
		}
		for _, v := range values {
			if strings.HasSuffix(v, `\`) || strings.ContainsAny(v, "\r") {
				return false
			}
		}
	}
	return true
}

func FuzzFstab(f *testing.F) {
	f.Add("LABEL=a\\040b /mnt/x ext4 nofail 0 0\nUUID=1 none swap sw\n# c\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, line := range parseFstab(text) {
			switch kind(name) {
			case ".swap":
			case ".mount":
				if got := mountPoint(name); got != line.where {
					t.Errorf("%q is mounted at %q, its unit %q at %q", text, line.where, name, got)
				}
			default:
				t.Errorf("%q makes the unit %q", text, name)
			}
		}
	})
}
