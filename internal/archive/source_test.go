package archive

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// where lists suite=base of sources.
func where(sources []Source) string {
	var all []string
	for _, s := range sources {
		all = append(all, s.Suite+"="+s.URL)
	}
	return strings.Join(all, " ")
}

func three(main, updates, security string) string {
	return "trixie=" + main + " trixie-updates=" + updates + " trixie-security=" + security
}

func TestMirrorSources(t *testing.T) {
	for _, test := range []struct{ items, want string }{
		{"http://m.invalid/debian", three("http://m.invalid/debian", "http://m.invalid/debian", "http://m.invalid/debian-security")},
		{"https://m.invalid/debian/ https://s.invalid/debian-security/", three("https://m.invalid/debian", "https://m.invalid/debian", "https://s.invalid/debian-security")},
		{"file:///srv/debian", three("file:///srv/debian", "file:///srv/debian", "file:///srv/debian-security")},
		{"http://m.invalid/d trixie-security=http://s.invalid/x", three("http://m.invalid/d", "http://m.invalid/d", "http://s.invalid/x")},
		{"http://m.invalid/d trixie-security=none trixie-updates=none", "trixie=http://m.invalid/d"},
		{"http://m.invalid/d?x", ""},
		{"http://m.invalid/d http://n.invalid/d", ""},
		{"http://s.invalid/debian-security", ""},
		{"trixie=http://m.invalid/d", ""},
		{"sid=http://m.invalid/d", ""},
		{"m.invalid/debian", ""},
		{"ftp://m.invalid/debian", ""},
		{"http:///debian", ""},
		{"file://host/debian", ""},
		{"trixie=http://a.invalid/ trixie=http://b.invalid/ http://m.invalid/", ""},
		{"http://m.invalid/%zz", ""},
	} {
		got, err := MirrorSources(strings.Fields(test.items)...)
		if where(got) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("MirrorSources(%q) = %q, %v, want %q", test.items, where(got), err, test.want)
		}
	}
	if _, err := MirrorSources(); err == nil {
		t.Error("no mirror is taken")
	}
	got, _ := MirrorSources("http://m.invalid/debian")
	if diff := cmp.Diff([]string{"main", "contrib", "non-free-firmware"}, got[0].Components); diff != "" {
		t.Error(diff)
	}
}

func TestHostSources(t *testing.T) {
	const d, s = "http://m.invalid/debian", "http://m.invalid/debian-security"
	both := three(d, d, s)
	for name, test := range map[string]struct {
		files map[string]string
		want  string
		words string
	}{
		"one line, bookworm": {map[string]string{"sources.list": `
# deb http://commented.invalid/debian bookworm main
deb [ arch=amd64 signed-by=/x.gpg ] http://m.invalid/debian/ bookworm main contrib # remark
deb-src http://source.invalid/debian bookworm main
deb	http://m.invalid/debian bookworm-updates main
deb http://m.invalid/debian-security/ bookworm-security main
`}, both, ""},
		"stanzas, trixie": {map[string]string{"sources.list.d/debian.sources": `Types: deb
# http://commented.invalid/
URIs: http://m.invalid/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://m.invalid/debian-security
Suites: trixie-security
Components: main
`}, both, ""},
		"security by convention": {map[string]string{"sources.list": "deb http://m.invalid/debian sid main\n"}, both, ""},
		"buster's security":      {map[string]string{"sources.list": "deb http://m.invalid/debian buster main\ndeb http://s.invalid/debian-security buster/updates main\n"}, three(d, d, "http://s.invalid/debian-security"), ""},
		"security alone":         {map[string]string{"sources.list": "deb http://m.invalid/debian-security bookworm-security main\n"}, both, ""},
		"vendors first": {map[string]string{
			"sources.list.d/a.list":    "deb https://vendor.invalid/linux/debian bookworm stable\ndeb https://other.invalid/stable/debian bookworm main\n",
			"sources.list.d/b.sources": "Types: deb\nURIs: https://third.invalid/node\nSuites: nodistro\nComponents: main\n",
			"sources.list.d/z.list":    "deb http://m.invalid/debian bookworm main\ndeb http://m.invalid/debian bookworm-updates main\n",
		}, both, ""},
		"an archive of another name": {map[string]string{"sources.list": "deb http://m.invalid/pub/mirror bookworm main\ndeb http://m.invalid/pub/mirror bookworm-updates main\n"},
			three("http://m.invalid/pub/mirror", "http://m.invalid/pub/mirror", "http://m.invalid/pub/mirror-security"), ""},
		"mirror list": {map[string]string{
			"sources.list.d/debian.sources": "Types: deb deb-src\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: bookworm bookworm-updates\nComponents: main\n",
			"mirrors/debian.list":           "# comment\nhttp://m.invalid/debian\thigh\n",
		}, both, ""},
		"cdrom":            {map[string]string{"sources.list": "deb cdrom:[Debian GNU/Linux 13 _Trixie_]/ trixie main\ndeb http://m.invalid/debian trixie main\n"}, both, ""},
		"disabled":         {map[string]string{"sources.list.d/a.sources": "Enabled: no\nTypes: deb\nURIs: " + d + "\nSuites: trixie\nComponents: main\n"}, "", "there are none"},
		"ubuntu":           {map[string]string{"sources.list.d/ubuntu.sources": "Types: deb\nURIs: http://u.invalid/ubuntu\nSuites: noble noble-updates noble-security\nComponents: main\n"}, "", "noble, noble-security, noble-updates"},
		"no apt":           {nil, "", "--mirror URL"},
		"only a vendor":    {map[string]string{"sources.list": "deb https://vendor.invalid/php bookworm main\n"}, "", "bookworm"},
		"broken stanza":    {map[string]string{"sources.list.d/a.sources": "nonsense\n"}, "", `"/etc/apt/sources.list.d/a.sources"`},
		"ignored names":    {map[string]string{"sources.list.d/a.sources.bak": "nonsense\n", "sources.list": "deb http://m.invalid/debian sid main\n"}, both, ""},
		"unclosed options": {map[string]string{"sources.list": "deb [ arch=amd64 http://x.invalid/debian sid main\n"}, "", "there are none"},
		"too short":        {map[string]string{"sources.list": "deb\ndeb x\ndebris http://x.invalid/debian sid main\n"}, "", "there are none"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for name, text := range test.files {
				fsys["etc/apt/"+name] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := HostSources(fsys)
			if where(got) != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q, %v, want %q", where(got), err, test.want)
			}
			if test.words != "" && !strings.Contains(fmt.Sprint(err), test.words) {
				t.Errorf("error %v does not say %q", err, test.words)
			}
		})
	}
}

func TestRedacted(t *testing.T) {
	m := newMirror(t)
	c := m.client(t)
	c.Sources[0].URL = strings.Replace(c.Sources[0].URL, "http://", "http://user:secret@", 1)
	if _, err := c.Index(t.Context(), nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

// The embedded keys are the ones that keys/README.md names.
func TestDebianKeys(t *testing.T) {
	keys, err := debianKeys()
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("keys/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range keys.entities {
		if print := fmt.Sprintf("%X", e.PrimaryKey.Fingerprint); !strings.Contains(string(readme), print) {
			t.Errorf("key %s is not in keys/README.md", print)
		}
	}
	if len(keys.entities) != 3 {
		t.Errorf("%d keys, want 3", len(keys.entities))
	}
}

func FuzzAptSources(f *testing.F) {
	f.Add("deb [ signed-by=/x ] http://m.invalid/debian bookworm main\n", "Types: deb\nURIs: http://m.invalid/debian\nSuites: sid\nComponents: main\n")
	f.Add("deb mirror+file:/etc/apt/sources.list sid main", "Types:deb\nURIs: file:/x\nSuites: a/updates\n")
	f.Fuzz(func(t *testing.T, lines, stanzas string) {
		sources, err := HostSources(fstest.MapFS{
			"etc/apt/sources.list":             {Data: []byte(lines)},
			"etc/apt/sources.list.d/x.sources": {Data: []byte(stanzas)},
		})
		if err != nil {
			return
		}
		if len(sources) != len(suites) {
			t.Errorf("%v", sources)
		}
		for _, s := range sources {
			if _, err := checkBase(s.URL); err != nil {
				t.Error(err)
			}
		}
	})
}
