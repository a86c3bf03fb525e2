package effect

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/compose"
	"reprise/internal/config"
	"reprise/internal/layer"
	"reprise/store/storepath"
)

func TestOutput(t *testing.T) {
	e := &Env{Out: filepath.Join(t.TempDir(), "out")}
	o := e.Output()
	o.File("usr/bin/x", 0o4755, 0, 42, []byte("x"))
	o.Dir("etc/secret", 0o700, 0, 0)
	o.Text("etc/secret/y", "text\n")
	o.Symlink("etc/z", "secret/y")
	o.Attributes(layer.Entry{Path: "usr/bin/other", Kind: layer.Hard, Mode: 0o2755, GID: 7, Size: 9, Target: "usr/bin/x"})
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	want := layer.Manifest{
		{Path: "etc/secret", Kind: layer.Dir, Mode: 0o700},
		{Path: "etc/secret/y", Kind: layer.File, Mode: 0o644, Size: 5},
		{Path: "etc/z", Kind: layer.Symlink, Mode: 0o777, Target: "secret/y"},
		{Path: "usr/bin/x", Kind: layer.File, Mode: 0o4755, GID: 42, Size: 1},
	}
	read := func(name string) layer.Manifest {
		data, err := os.ReadFile(filepath.Join(e.Out, name))
		if err != nil {
			t.Fatal(err)
		}
		m, err := layer.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if diff := cmp.Diff(want, read(layer.ManifestPath)); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(layer.Manifest{{Path: "usr/bin/other", Kind: layer.File, Mode: 0o2755, GID: 7}}, read(compose.AttributesPath)); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(filepath.Join(e.Out, "usr/bin/x")); err != nil || info.Mode() != 0o555 {
		t.Errorf("usr/bin/x in the store is %v, %v, want 0555", info, err)
	}
}

func TestOutputRefuses(t *testing.T) {
	for _, name := range []string{"", "/etc/x", "../x", "a//b", "DEBIAN/manifest"} {
		e := &Env{Out: filepath.Join(t.TempDir(), "out")}
		o := e.Output()
		o.Text(name, "x")
		o.Text("etc/fine", "x")
		if err := o.Close(); err == nil {
			t.Errorf("a layer took the path %q", name)
		}
	}
	e := &Env{Out: filepath.Join(t.TempDir(), "out")}
	o := e.Output()
	o.Text("etc/x", "1")
	o.Symlink("etc/x", "2")
	if err := o.Close(); err == nil {
		t.Error("a layer took one path twice")
	}
}

// installed puts packages with contents on disk and returns an Env for them.
func installed(t *testing.T, contents map[string]string, packages ...Content) *Env {
	t.Helper()
	dir := t.TempDir()
	real := func(p storepath.Path) string { return filepath.Join(dir, "store", string(p)) }
	e := &Env{Job: &Job{Effect: "test"}, Out: filepath.Join(dir, "out"), Work: filepath.Join(dir, "work"), Cores: 1, Real: real,
		Packages: NewContents(packages), Tools: NewContents(nil)}
	if err := os.Mkdir(e.Work, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range e.Packages.Packages {
		p := &e.Packages.Packages[i]
		for j := range p.Manifest {
			entry := &p.Manifest[j]
			name := e.File(p, entry.Path)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			var err error
			switch entry.Kind {
			case layer.Dir:
				err = os.MkdirAll(name, 0o755)
			case layer.Symlink:
				err = os.Symlink(entry.Target, name)
			default:
				text := contents[entry.Path]
				entry.Size = int64(len(text))
				err = os.WriteFile(name, []byte(text), 0o444)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return e
}

func TestLibraryDirs(t *testing.T) {
	e := installed(t, map[string]string{
		"etc/ld.so.conf":               "include /etc/ld.so.conf.d/*.conf\n",
		"etc/ld.so.conf.d/libc.conf":   "# comment\n/usr/local/lib\n",
		"etc/ld.so.conf.d/x86_64.conf": "/usr/local/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu # trailing\n/usr/lib/x86_64-linux-gnu\n",
		"etc/ld.so.conf.d/skip.txt":    "/skipped\n",
	}, pkg(t, "libc-bin", "", "etc/ld.so.conf", "etc/ld.so.conf.d/libc.conf", "etc/ld.so.conf.d/skip.txt"), pkg(t, "libc6", "", "etc/ld.so.conf.d/x86_64.conf"))
	got, err := libraryDirs(e, map[string]string{"etc/ld.so.conf.d/a.conf": "/opt/a/lib:/opt/b/lib\nrelative\n"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/opt/a/lib", "/opt/b/lib", "/usr/local/lib", "/usr/local/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/lib"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("libraryDirs (-want +got):\n%s", diff)
	}
}

func TestCompareLibraries(t *testing.T) {
	sorted := []string{"ld-linux.so.2", "liba.so", "liba.so.2", "liba.so.10", "libaa.so", "libab.so", "lib2.so"}
	for i := range sorted {
		for j := range sorted {
			got := compareLibraries(sorted[i], sorted[j])
			if (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("compareLibraries(%q, %q) = %d", sorted[i], sorted[j], got)
			}
		}
	}
}

func TestLoaderCache(t *testing.T) {
	got := loaderCache([]library{{"b.so.9", "/lib/b.so.9", 0x303}, {"b.so.10", "/lib/b.so.10", 0x303}})
	if string(got[:20]) != "glibc-ld.so.cache1.1" || len(got) != 48+2*24+13+12 {
		t.Fatalf("%d bytes, %q", len(got), got[:20])
	}
	if diff := cmp.Diff("/lib/b.so.10\x00/lib/b.so.9\x00", string(got[96:])); diff != "" {
		t.Errorf("strings (-want +got):\n%s", diff)
	}
}

func TestFollow(t *testing.T) {
	e := installed(t, nil, pkg(t, "a", "", "usr/lib/x/liba.so.1", "usr/lib/x/liba.so -> liba.so.1", "usr/lib/libb.so -> /lib/x/liba.so",
		"usr/lib/loop.so -> loop.so", "usr/lib/gone.so -> nothing"))
	all := map[string]found{}
	for _, f := range e.files("usr/lib") {
		all[f.Path] = f
	}
	for name, want := range map[string]string{"usr/lib/libb.so": "usr/lib/x/liba.so.1", "usr/lib/loop.so": "", "usr/lib/gone.so": ""} {
		got, ok := follow(all, all[name])
		if ok != (want != "") || ok && got.Path != want {
			t.Errorf("follow(%q) = %q, %v, want %q", name, got.Path, ok, want)
		}
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{"de_DE.UTF-8": "de_DE", "ca_ES.UTF-8@valencia": "ca_ES@valencia", "de_DE@euro": "de_DE@euro", "eo": "eo"} {
		if got := localeSource(in); got != want {
			t.Errorf("localeSource(%q) = %q, want %q", in, got, want)
		}
	}
	if got := certificateName("usr/share/ca-certificates/x/A (B), C.crt"); got != "A_=B=__C.pem" {
		t.Errorf("certificateName = %q", got)
	}
	got := string(sortLines([]byte("# head\nlibz.so: a\nliba.so: b\n")))
	if want := "# head\nliba.so: b\nlibz.so: a\n"; got != want {
		t.Errorf("sortLines = %q, want %q", got, want)
	}
}

func TestPythonSources(t *testing.T) {
	p := pkg(t, "app", "", "usr/lib/python3/dist-packages/a.py", "usr/share/app/b.py", "usr/share/other/c.py", "usr/lib/python3.12/d.py", "usr/lib/python3.13/e.py")
	p.Control["postinst"] = []byte("if true; then\n\tpy3compile -p app /usr/share/app -V 3.13-\nfi\n")
	dirs := pythonDirs(&p, []string{"3.13"})
	var got []string
	for i := range p.Manifest {
		if pythonSource(&p.Manifest[i], dirs) {
			got = append(got, p.Manifest[i].Path)
		}
	}
	want := []string{"usr/lib/python3.13/e.py", "usr/lib/python3/dist-packages/a.py", "usr/share/app/b.py"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestXFontSettings(t *testing.T) {
	e := installed(t, map[string]string{
		"etc/X11/fonts/Type1/b.alias": "x y\n", "etc/X11/fonts/Type1/a.alias": "v w\n",
		"etc/X11/fonts/Type1/f.scale": "2\nhave.pfb -adobe-x\nlack.pfb -adobe-y\n",
	}, pkg(t, "fonts", "", "etc/X11/fonts/Type1/a.alias", "etc/X11/fonts/Type1/b.alias", "etc/X11/fonts/Type1/f.scale", "usr/share/fonts/X11/Type1/have.pfb"))
	work, err := e.gather("usr/share/fonts/X11/Type1", func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	alias, scale, err := xFontSettings(e, "etc/X11/fonts/Type1", work)
	if err != nil {
		t.Fatal(err)
	}
	wantAlias := "!! fonts.alias -- automatically generated file.  DO NOT EDIT.\n!! To modify, see update-fonts-alias(8).\n" +
		"!! /etc/X11/fonts/Type1/a.alias\nv w\n!! /etc/X11/fonts/Type1/b.alias\nx y\n"
	if diff := cmp.Diff([]string{wantAlias, "1\nhave.pfb -adobe-x\n"}, []string{alias, scale}); diff != "" {
		t.Errorf("xFontSettings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Type1"}, xFontDirs(e.Packages, "usr/share/fonts/X11")); diff != "" {
		t.Errorf("xFontDirs (-want +got):\n%s", diff)
	}
}

func TestIconThemes(t *testing.T) {
	c := NewContents([]Content{
		pkg(t, "hicolor", "", "usr/share/icons/hicolor/index.theme"),
		pkg(t, "app", "", "usr/share/icons/hicolor/48x48/apps/app.png", "usr/share/icons/stray/app.png"),
		pkg(t, "cursors", "", "usr/share/icons/cur/index.theme", "usr/share/icons/cur/cursors/left.png"),
		pkg(t, "linked", "", "usr/share/icons/linked/index.theme -> x", "usr/share/icons/linked/a.png"),
	})
	if diff := cmp.Diff([]string{"hicolor"}, iconThemes(c)); diff != "" {
		t.Errorf("iconThemes (-want +got):\n%s", diff)
	}
	e := KernelModulesIndex()
	if job, err := e.Plan(&config.Config{}, c); job != nil || err != nil {
		t.Errorf("a machine without a kernel wants a module index: %v, %v", job, err)
	}
}

// fakeRunner stands in for a root: it writes what the program would.
type fakeRunner struct {
	files map[string]string // below Root.Changes
	seen  []Command
}

func (r *fakeRunner) Run(_ context.Context, root *Root, commands ...Command) error {
	r.seen = append(r.seen, commands...)
	for name, text := range r.files {
		name = filepath.Join(root.Changes, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func TestJournalCatalog(t *testing.T) {
	e := installed(t, nil, pkg(t, "systemd", "", "usr/bin/journalctl", "usr/lib/systemd/catalog/x.catalog"))
	run := &fakeRunner{files: map[string]string{"var/lib/systemd/catalog/database": "db"}}
	e.Run = run
	if err := JournalCatalog().Build(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(e.Out, "usr/lib/reprise/journal-catalog")); err != nil || string(data) != "db" {
		t.Errorf("the catalog is %q, %v", data, err)
	}
	if _, err := os.Lstat(filepath.Join(e.Out, "var")); !os.IsNotExist(err) {
		t.Errorf("an effect wrote below var/: %v", err)
	}
	if diff := cmp.Diff([]string{"/usr/bin/journalctl", "--update-catalog"}, run.seen[0].Argv); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
}
