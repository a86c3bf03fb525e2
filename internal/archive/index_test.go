package archive

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/google/go-cmp/cmp"

	"reprise/internal/progress"
)

func names(x *Index) []string {
	var all []string
	for _, p := range x.Packages {
		all = append(all, p.Suite+":"+p.Name)
	}
	return all
}

var allNames = []string{
	"trixie:trixie-one", "trixie:trixie-firmware", "trixie-updates:trixie-updates-one", "trixie-updates:trixie-updates-firmware",
	"trixie-security:trixie-security-one", "trixie-security:trixie-security-firmware",
}

func TestIndex(t *testing.T) {
	for _, forms := range [][]string{{"xz"}, {"gz"}, {"gz", "xz"}, {""}} {
		m := newMirror(t)
		m.tags = true
		for _, suite := range suites {
			m.add(t, suiteSpec{name: suite, until: noon.Add(time.Hour), forms: forms})
		}
		c := m.client(t)
		x, err := c.Index(t.Context(), map[string]time.Time{"trixie": noon.Add(-2 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(allNames, names(x)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", forms, diff)
		}
		want := SuiteState{"trixie", noon.Add(-2 * time.Hour), noon.Add(time.Hour), hexSum(m.files["/debian/dists/trixie/InRelease"])}
		if diff := cmp.Diff(want, x.Suites[0]); diff != "" || len(x.Suites) != 3 {
			t.Errorf("suites %v (-want +got):\n%s", x.Suites, diff)
		}
		for _, r := range m.asked() {
			if strings.Contains(r, "Packages") {
				t.Errorf("not asked by hash: %s", r)
			}
		}

		// The second run costs one round trip for each suite, offline none.
		m.answerWith(func(w http.ResponseWriter, r *http.Request, content string, ok bool) bool {
			if r.Header.Get("If-None-Match") == "" {
				t.Errorf("%s without a condition", r.URL)
			}
			return false
		})
		if x, err = c.Index(t.Context(), nil); err != nil || !slices.Equal(names(x), allNames) {
			t.Errorf("again: %v, %v", x, err)
		}
		if asked := m.asked(); len(asked) != 3 {
			t.Errorf("the second run asks %q", asked)
		}
		c.Offline = true
		if x, err = c.Index(t.Context(), nil); err != nil || !slices.Equal(names(x), allNames) {
			t.Errorf("offline: %v, %v", x, err)
		}
		if asked := m.asked(); len(asked) != 0 {
			t.Errorf("offline asks %q", asked)
		}
		if left, _ := filepath.Glob(c.Dir + "/partial/*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestIndexOfflineWithoutCache(t *testing.T) {
	m := newMirror(t)
	m.addAll(t)
	c := m.client(t)
	c.Offline = true
	if _, err := c.Index(t.Context(), nil); !errors.Is(err, errOffline) {
		t.Errorf("error %v", err)
	}
}

// What is wrong with one suite must be told, and nothing of it may be used.
func TestIndexRefuses(t *testing.T) {
	stranger := testKey(t)
	replace := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("no %q in %q", old, s)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	text := packagesText("trixie-one")
	for name, test := range map[string]struct {
		suite suiteSpec
		words []string
	}{
		"tampered":           {suiteSpec{after: replace("Origin: Test", "Origin: Evil")}, []string{"signature by key", "not good"}},
		"tampered hash":      {suiteSpec{after: replace(hexSum(text), hexSum("x"))}, []string{"not good"}},
		"expired":            {suiteSpec{until: noon.Add(-time.Hour)}, []string{"expired", "2026-11-22 11:00:00 UTC", "2026-11-22 12:00:00 UTC", "clock", "do:"}},
		"from the future":    {suiteSpec{date: noon.Add(49 * time.Hour)}, []string{"2026-11-24 13:00:00 UTC", "clock"}},
		"unknown key":        {suiteSpec{keys: []*openpgp.Entity{stranger}}, []string{"unknown key", fmt.Sprintf("%016X", stranger.PrimaryKey.KeyId)}},
		"older than lock":    {suiteSpec{date: noon.Add(-25 * time.Hour)}, []string{"older", "2026-11-21 11:00:00 UTC", "2026-11-21 12:00:00 UTC", "lock"}},
		"another suite":      {suiteSpec{codename: "bookworm"}, []string{`"bookworm"`, `"trixie"`}},
		"text before":        {suiteSpec{after: func(s string) string { return "Codename: trixie\n" + s }}, []string{"not a signed"}},
		"text after":         {suiteSpec{after: func(s string) string { return s + "Codename: trixie\n" }}, []string{"after the signature"}},
		"second message":     {suiteSpec{after: func(s string) string { return s + s }}, []string{"after the signature"}},
		"not signed":         {suiteSpec{after: func(string) string { return "Codename: trixie\n" }}, []string{"not a signed"}},
		"cut":                {suiteSpec{after: func(s string) string { return s[:len(s)/2] }}, []string{"cut short"}},
		"empty":              {suiteSpec{after: func(string) string { return "" }}, []string{"not a signed"}},
		"a web page":         {suiteSpec{after: func(string) string { return "<html>" }}, []string{"<html>"}},
		"no date":            {suiteSpec{edit: replace("Date: ", "Day: ")}, []string{`"Date"`}},
		"odd expiry":         {suiteSpec{until: noon.Add(time.Hour), edit: replace("Valid-Until: ", "Valid-Until: or so ")}, []string{`"Valid-Until"`}},
		"odd hash":           {suiteSpec{edit: replace(hexSum(text), "xyz")}, []string{`"SHA256"`}},
		"odd size":           {suiteSpec{edit: replace(fmt.Sprintf("%s %d ", hexSum(text), len(text)), hexSum(text)+" -1 ")}, []string{`"-1"`}},
		"no such component":  {suiteSpec{packages: map[string]string{"main": text}}, []string{`"contrib/binary-amd64/Packages"`}},
		"wrong plain hash":   {suiteSpec{edit: replace(hexSum(text), hexSum("x"))}, []string{"main/binary-amd64/Packages.xz", hexSum("x")}},
		"longer than it is":  {suiteSpec{edit: replace(fmt.Sprintf(" %d ", len(text)), fmt.Sprintf(" %d ", len(text)+1))}, []string{"wrong content"}},
		"shorter than it is": {suiteSpec{edit: replace(fmt.Sprintf(" %d ", len(text)), fmt.Sprintf(" %d ", len(text)-1))}, []string{"longer than InRelease says"}},
		"endless":            {suiteSpec{edit: replace(fmt.Sprintf(" %d ", len(text)), " 9000000000 ")}, []string{"more than"}},
		"no packages in it":  {suiteSpec{packages: map[string]string{"main": "nonsense", "contrib": "", "non-free-firmware": ""}}, []string{"nonsense"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			m.addAll(t)
			test.suite.name = "trixie"
			m.add(t, test.suite)
			c := m.client(t)
			x, err := c.Index(t.Context(), map[string]time.Time{"trixie": noon.Add(-24 * time.Hour)})
			if err == nil {
				t.Fatalf("taken: %v", names(x))
			}
			for _, word := range append(test.words, `"trixie"`) {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error %q does not say %q", err, word)
				}
			}
			for _, dir := range []string{"release/trixie-????????????????", "partial/*"} {
				if left, _ := filepath.Glob(filepath.Join(c.Dir, dir)); len(left) > 0 && (dir[0] == 'p' || len(test.words) > 0 && test.suite.edit == nil && test.suite.packages == nil) {
					t.Errorf("left behind: %v", left)
				}
			}
		})
	}
}

func TestIndexTwoSignatures(t *testing.T) {
	m := newMirror(t)
	m.addAll(t)
	stranger := testKey(t)
	for _, keys := range [][]*openpgp.Entity{{stranger, m.key}, {m.key, stranger}} {
		m.add(t, suiteSpec{name: "trixie", keys: keys})
		if _, err := m.client(t).Index(t.Context(), nil); err != nil {
			t.Errorf("one of two keys is known: %v", err)
		}
	}
}

// The hash of an index is checked before it is decompressed, and what is in
// the cache is checked again.
func TestIndexWrongContent(t *testing.T) {
	m := newMirror(t)
	m.addAll(t)
	const dir = "/debian/dists/trixie/main/binary-amd64/"
	good := m.files[dir+"Packages.xz"]
	evil := packed(t, "xz", packagesText("evil-one"))
	m.set(dir+"by-hash/SHA256/"+hexSum(good), evil)
	c := m.client(t)
	_, err := c.Index(t.Context(), nil)
	if !errors.Is(err, errWrong) || !strings.Contains(err.Error(), "main/binary-amd64/Packages.xz") {
		t.Errorf("error %v, want one of wrong content", err)
	}

	// Without by-hash the plain name is asked, and has to be right as well.
	m.drop(dir + "by-hash/SHA256/" + hexSum(good))
	m.set(dir+"Packages.xz", strings.ToUpper(good))
	if _, err := c.Index(t.Context(), nil); !errors.Is(err, errWrong) {
		t.Errorf("error %v, want one of wrong content", err)
	}
	m.set(dir+"Packages.xz", good)
	if x, err := c.Index(t.Context(), nil); err != nil || !slices.Equal(names(x), allNames) {
		t.Fatalf("%v, %v", x, err)
	}

	kept := filepath.Join(c.Dir, "index", hexSum(packagesText("trixie-one")))
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, bytes.ReplaceAll(text, []byte("trixie-one"), []byte("trixie-two")), 0o644); err != nil {
		t.Fatal(err)
	}
	if x, err := c.Index(t.Context(), nil); err != nil || !slices.Equal(names(x), allNames) {
		t.Errorf("with a damaged cache: %v, %v", x, err)
	}

	m.drop(dir + "Packages.xz")
	os.Remove(kept)
	if _, err := c.Index(t.Context(), nil); !isGone(err) || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v, want one of a missing file", err)
	}
}

type notes struct {
	progress.Sink
	text []string
}

func (n *notes) Note(format string, args ...any) {
	n.text = append(n.text, fmt.Sprintf(format, args...))
}

// A mirror that is behind, or made to look so, does not take us back.
func TestIndexGoesNotBack(t *testing.T) {
	m := newMirror(t)
	m.addAll(t)
	c := m.client(t)
	sink := &notes{Sink: progress.Discard}
	c.Sink = sink
	if _, err := c.Index(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	m.add(t, suiteSpec{name: "trixie", date: noon.Add(-48 * time.Hour), packages: map[string]string{
		"main": packagesText("old"), "contrib": "", "non-free-firmware": ""}})
	x, err := c.Index(t.Context(), nil)
	if err != nil || !slices.Equal(names(x), allNames) {
		t.Errorf("%v, %v", x, err)
	}
	if len(sink.text) != 1 || !strings.Contains(sink.text[0], "2026-11-20") {
		t.Errorf("told: %q", sink.text)
	}

	// A newer one is taken, of course.
	m.add(t, suiteSpec{name: "trixie", date: noon.Add(-time.Hour), packages: map[string]string{
		"main": packagesText("new"), "contrib": "", "non-free-firmware": ""}})
	if x, err := c.Index(t.Context(), nil); err != nil || x.Packages[0].Name != "new" {
		t.Errorf("%v, %v", x, err)
	}

	// What is kept expires too.
	c.Offline = true
	c.Now = func() time.Time { return noon.Add(30 * 24 * time.Hour) }
	if _, err := c.Index(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("error %v, want one of an expired list", err)
	}
}

func TestIndexMissingSuite(t *testing.T) {
	m := newMirror(t)
	m.add(t, suiteSpec{name: "trixie"})
	m.add(t, suiteSpec{name: "trixie-updates"})
	c := m.client(t)
	_, err := c.Index(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "--mirror trixie-security=URL") || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v, want one that says how to name the suite's base", err)
	}
	if c.Sources, err = MirrorSources(m.URL+"/debian", "trixie-security=none"); err != nil {
		t.Fatal(err)
	}
	if x, err := c.Index(t.Context(), nil); err != nil || len(x.Suites) != 2 {
		t.Errorf("without the suite: %v, %v", x, err)
	}
	c.Arch = "arm64"
	if _, err := c.Index(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "binary-arm64") {
		t.Errorf("error %v, want one that names the architecture", err)
	}
}

func TestIndexFromDirectory(t *testing.T) {
	m := newMirror(t)
	m.addAll(t)
	root := t.TempDir()
	for name, content := range m.files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := m.client(t)
	var err error
	if c.Sources, err = MirrorSources("file://" + root + "/debian"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if x, err := c.Index(t.Context(), nil); err != nil || !slices.Equal(names(x), allNames) {
			t.Errorf("%v, %v", x, err)
		}
	}
	if asked := m.asked(); len(asked) > 0 {
		t.Errorf("asked the network: %q", asked)
	}
}

func FuzzInRelease(f *testing.F) {
	key := testKey(f)
	keys, err := readKeys(armoured(f, key))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sign(f, "Codename: trixie\nDate: Sun, 22 Nov 2026 10:00:00 UTC\nSHA256:\n "+hexSum("")+" 0 main/binary-amd64/Packages\n", key))
	f.Add("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nx\n-----BEGIN PGP SIGNATURE-----\n\nwsBz\n-----END PGP SIGNATURE-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := openRelease([]byte(text), keys, noon); err == nil && r.codename != "trixie" {
			t.Errorf("verified another text: %q", text)
		}
		parseRelease([]byte(text))
	})
}
