package archive

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/internal/deb"
	"reprise/internal/layer"
)

// TestRealArchive reads Debian's archive at the mirror of this machine, and
// unpacks some of its packages. It wants the network, and says so when that is
// what is missing.
func TestRealArchive(t *testing.T) {
	const need = "this test reads Debian's archive from the mirror in this machine's apt sources, and needs the network for it: %v"
	sources, err := MachineSources(os.DirFS("/"), os.Getenv("REPRISE_MIRROR"))
	if err != nil {
		t.Fatalf(need, err)
	}
	c := &Client{Sources: sources, Arch: "amd64", Dir: t.TempDir()}
	x, err := c.Index(t.Context(), nil)
	if err != nil {
		t.Fatalf(need, err)
	}
	if len(x.Packages) < 60_000 || len(x.Suites) != 3 {
		t.Errorf("%d packages in %v", len(x.Packages), x.Suites)
	}
	for _, s := range x.Suites {
		if s.Date.IsZero() || time.Since(s.Date) > 400*24*time.Hour || !isSHA256(s.InReleaseSHA256) {
			t.Errorf("%+v", s)
		}
		if s.ValidUntil.IsZero() != (s.Suite == "trixie") {
			t.Errorf("%+v: updates and security expire, a release does not", s)
		}
	}

	// Small packages with something special: setuid and setgid files, hard
	// links, symlinks, many control files, other owners.
	wanted := []string{"base-files", "base-passwd", "passwd", "mount", "perl-base", "debconf", "tzdata", "netbase", "cron-daemon-common"}
	byHash := map[string]deb.Package{}
	var files []File
	for _, p := range x.Packages {
		if p.Suite == "trixie" && slices.Contains(wanted, p.Name) {
			files = append(files, File{p.Filename, p.Suite, p.Size, p.SHA256})
			byHash[p.SHA256] = p
		}
	}
	if len(files) != len(wanted) {
		t.Errorf("%d of %q are there", len(files), wanted)
	}
	dir := t.TempDir()
	t.Cleanup(func() { makeWritable(dir) })
	modes := map[uint32]int{}
	links := 0
	err = c.Fetch(t.Context(), files, func(f File, tmp string) error {
		want := byHash[f.SHA256]
		file, err := os.Open(tmp)
		if err != nil {
			return err
		}
		defer file.Close()
		d, err := deb.OpenDeb(file, f.Size)
		if err != nil {
			return err
		}
		if d.Package.Name != want.Name || d.Package.Version != want.Version || d.Package.InstalledSize != want.InstalledSize {
			t.Errorf("control file of %s says %+v, the index %+v", f.PoolPath, d.Package, want)
		}
		dst := filepath.Join(dir, want.Name)
		m, err := deb.Unpack(t.Context(), file, f.Size, dst, deb.UnpackOptions{})
		if err != nil {
			return err
		}
		for _, e := range m {
			modes[e.Mode&0o7000]++
			if e.Kind == layer.Hard {
				links++
			}
		}
		if _, err := os.Stat(filepath.Join(dst, "usr/share/doc", want.Name, "copyright")); err != nil && !strings.Contains(want.Name, "perl") {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if modes[0o4000] < 5 || modes[0o2000] < 2 || modes[0o1000] < 1 || links < 1 {
		t.Errorf("special modes %v, %d hard links: too few", modes, links)
	}
}

func makeWritable(dir string) {
	filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
}
