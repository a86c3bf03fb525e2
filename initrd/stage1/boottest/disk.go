package boottest

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"

	"reprise/internal/compose"
	"reprise/internal/layer"
	"reprise/internal/rootmount"
	"reprise/store/storepath"
)

const (
	rootMiB  = 64
	startMiB = 1
)

// makeDisk makes a disk image with one partition that holds the systems of
// the cases, and returns its name and the directory of what is on it.
func makeDisk(t testing.TB, tools Tools, sysinit, dir string) (disk, tree string) {
	t.Helper()
	tree = filepath.Join(dir, "tree")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string, data []byte) {
		t.Helper()
		check(os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755))
		check(os.WriteFile(filepath.Join(tree, name), data, 0o555))
	}
	program, err := os.ReadFile(sysinit)
	check(err)
	write(somePackage+"/usr/lib/systemd/systemd", program)
	write(somePackage+"/etc/hello", []byte(hello))
	good := view(t, somePackage, len(program))
	for _, s := range []struct {
		system     string
		image      []byte
		activation []byte
	}{
		{goodSystem, good, tools.Activation},
		{brokenSystem, make([]byte, 8192), tools.Activation},
		{hollowSystem, view(t, "/nix/store/0000000000000000000000000000000a-gone-1", len(program)), tools.Activation},
		{strangeSystem, good, tools.BadActivation},
	} {
		write(s.system+"/"+rootmount.RootImage, s.image)
		write(s.system+"/activation.json", s.activation)
	}
	// var, home, root and srv are left to stage 1.
	profiles := filepath.Join(tree, "nix/var/nix/profiles")
	check(os.MkdirAll(profiles, 0o755))
	check(os.Symlink(goodSystem, filepath.Join(profiles, "system-1-link")))
	check(os.Symlink("system-1-link", filepath.Join(profiles, "system")))

	part := filepath.Join(dir, "root.ext4")
	check(tools.Ext4(t.Context(), tree, part, rootMiB))
	disk = filepath.Join(dir, "disk.img")
	check(assemble(part, disk))
	return disk, tree
}

// assemble puts a file system into a disk with a GPT.
func assemble(part, disk string) error {
	from, err := os.Open(part)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(disk)
	if err != nil {
		return err
	}
	defer to.Close()
	const size = (startMiB + rootMiB + 1) << 20
	if err := to.Truncate(size); err != nil {
		return err
	}
	if _, err := io.Copy(io.NewOffsetWriter(to, startMiB<<20), from); err != nil {
		return err
	}
	table := &gpt.Table{
		LogicalSectorSize: 512, PhysicalSectorSize: 512, ProtectiveMBR: true,
		GUID: "11111111-2222-3333-4444-555555555555",
		Partitions: []*gpt.Partition{{
			Index: 1, Start: startMiB << 11, End: (startMiB+rootMiB)<<11 - 1, Type: gpt.LinuxFilesystem, Name: "root", GUID: partUUID,
		}},
	}
	return table.Write(to, size)
}

// view makes the root image of a system whose files are all of one package.
func view(t testing.TB, from storepath.Path, size int) []byte {
	t.Helper()
	dir := func(p string) layer.Entry { return layer.Entry{Path: p, Kind: layer.Dir, Mode: 0o755} }
	plan, err := compose.Merge([]compose.Layer{{Path: from, Manifest: layer.Manifest{
		dir("etc"),
		{Path: "etc/hello", Kind: layer.File, Mode: 0o644, Size: int64(len(hello))},
		dir("usr"), dir("usr/lib"), dir("usr/lib/systemd"),
		{Path: "usr/lib/systemd/systemd", Kind: layer.File, Mode: 0o755, Size: int64(size)},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	image, err := plan.EROFS()
	if err != nil {
		t.Fatal(err)
	}
	return image
}
