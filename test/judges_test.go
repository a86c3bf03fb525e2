package test

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	diskfs "github.com/diskfs/go-diskfs"
)

// TestDiskImage lets the field's own checkers read the image.
func TestDiskImage(t *testing.T) {
	r := liveRig(t)
	bind := []string{r.image + ":/img"}

	table := judge(t, "gdisk", bind, "sgdisk", "-v", "/img")
	if table.code != 0 || !strings.Contains(table.stdout, "No problems found") {
		t.Errorf("sgdisk -v: %+v", table)
	}

	esp, rootOffset := partitions(t, r.image)
	fat := judge(t, "dosfstools", []string{esp + ":/esp"}, "fsck.fat", "-nv", "/esp")
	if fat.code != 0 {
		t.Errorf("fsck.fat: %+v", fat)
	}
	ext := judge(t, "e2fsprogs", bind, "e2fsck", "-fn", "/img?offset="+rootOffset)
	if ext.code != 0 {
		t.Errorf("e2fsck: %+v", ext)
	}

	// The image takes what it holds and a margin: tables, journal, and blocks
	// that files do not fill.
	var holds int64
	closure, err := os.ReadFile(filepath.Join(strings.TrimSpace(must(t, toolLimit, "store", "path", r.system)), "closure"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(strings.Fields(string(closure)), r.system) {
		err := filepath.WalkDir(strings.TrimSpace(must(t, toolLimit, "store", "path", path)), func(_ string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err == nil && info.Mode().IsRegular() {
				holds += info.Size()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	const margin = 96 << 20
	length, allocated := sizes(t, r.image)
	t.Logf("the image holds %d bytes, takes %d, and is a disk of %d", holds, allocated, length)
	if allocated > holds+holds/10+margin {
		t.Errorf("the image takes %d bytes for %d, want a tenth and %d more at most", allocated, holds, margin)
	}
}

// partitions copies the ESP of an image to a file of its own and returns the
// offset of the root partition in bytes.
func partitions(t *testing.T, image string) (esp, rootOffset string) {
	t.Helper()
	disk, err := diskfs.Open(image, diskfs.WithOpenMode(diskfs.ReadOnly))
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	table, err := disk.GetPartitionTable()
	if err != nil {
		t.Fatal(err)
	}
	parts := table.GetPartitions()
	if len(parts) < 3 {
		t.Fatalf("%d partitions, want 3", len(parts))
	}
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	esp = filepath.Join(t.TempDir(), "esp.fat")
	out, err := os.Create(esp)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, io.NewSectionReader(f, parts[1].GetStart(), parts[1].GetSize())); err != nil {
		t.Fatal(err)
	}
	return esp, decimal(parts[2].GetStart())
}

// TestView lets erofs-utils read the root image of the system.
func TestView(t *testing.T) {
	r := liveRig(t)
	system := strings.TrimSpace(must(t, toolLimit, "store", "path", r.system))
	view := judge(t, "erofs-utils", []string{system + "/root.erofs:/root.erofs"}, "fsck.erofs", "/root.erofs")
	if view.code != 0 {
		t.Errorf("fsck.erofs: %+v", view)
	}
}

// TestRealNix gives the store to real Nix: verify, query, rebuild, collect.
func TestRealNix(t *testing.T) {
	r := liveRig(t)
	// Nix makes sandboxes of its own for what it builds. It sees the store at
	// the same place as we do.
	nix := func(args ...string) result {
		t.Helper()
		tool := []string{"tool", "-q", "-p", "nix-bin", "--nests", "--bind", store + ":" + store + ":rw", "--env", "HOME=/tmp",
			"--env", "NIX_CONFIG=sandbox = true\nrequire-drop-supplementary-groups = false\nbuild-users-group =\nsandbox-paths =", "--", "nix-store", "--store", "local?root=" + store}
		return reprise(t, buildLimit, append(tool, args...)...)
	}
	if v := nix("--verify", "--check-contents"); v.code != 0 || strings.Contains(v.stderr, "error") || strings.Contains(v.stderr, "modified") {
		t.Errorf("nix-store --verify --check-contents: %+v", v)
	}
	q := nix("-q", "--requisites", r.system)
	if q.code != 0 {
		t.Fatalf("nix-store -q --requisites: %+v", q)
	}
	ours, err := os.ReadFile(filepath.Join(strings.TrimSpace(must(t, toolLimit, "store", "path", r.system)), "closure"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(ours)) {
		if !strings.Contains(q.stdout, line) {
			t.Errorf("real Nix does not see %s among the requisites of the system", strings.TrimSpace(line))
		}
	}
	deriver := strings.TrimSpace(nix("-q", "--deriver", r.system).stdout)
	drvs := nix("-q", "--requisites", deriver)
	checked := map[string]bool{}
	kinds := []string{"-bash-", "-ld-so-cache.drv", "-accounts.drv", "-root.drv", "-system-"}
	for line := range strings.Lines(drvs.stdout) {
		path := strings.TrimSpace(line)
		// One of each kind of builder; the rest run the same code.
		for _, kind := range kinds {
			if strings.HasSuffix(path, ".drv") && strings.Contains(path, kind) {
				if c := nix("--realise", "--check", path); c.code != 0 {
					t.Errorf("nix-store --realise --check %s: %+v", path, c)
				}
				checked[kind] = true
			}
		}
	}
	// Packages are sources of the system's derivations; their own are found
	// through the deriver of the output.
	for _, path := range strings.Fields(string(ours)) {
		if strings.Contains(path, "-bash-") {
			bash := strings.TrimSpace(nix("-q", "--deriver", path).stdout)
			if c := nix("--realise", "--check", bash); c.code != 0 {
				t.Errorf("nix-store --realise --check %s: %+v", bash, c)
			}
			checked["-bash-"] = true
		}
	}
	for _, kind := range kinds {
		if !checked[kind] {
			t.Errorf("real Nix rebuilt no derivation of kind %q; requisites of %q:\n%s", kind, deriver, drvs.stdout)
		}
	}
	if dead := nix("--gc", "--print-dead"); dead.code != 0 || strings.Contains(dead.stdout, r.system+"\n") {
		t.Errorf("nix-store --gc --print-dead lists the system of an image: %+v", dead)
	}
}
