package hwdetect_test

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jaypipes/ghw/pkg/chassis"
	"github.com/jaypipes/ghw/pkg/memory"
	"github.com/jaypipes/ghw/pkg/option"
	"github.com/jaypipes/ghw/pkg/pci"

	"reprise/hwdetect"
)

// TestAgainstGHW reads the machines that ghw's own tests come with, trees of
// real ones, and holds our facts against what ghw makes of them.
func TestAgainstGHW(t *testing.T) {
	const pciIDs = "testdata/pci.ids"
	absolute, err := filepath.Abs(pciIDs)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PCIDB_PATH", absolute) // ghw takes it from nowhere else
	t.Setenv("GHW_DISABLE_WARNINGS", "1")
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/jaypipes/ghw").Output()
	if err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "testdata/snapshots/*.tar.gz"))
	if err != nil || len(archives) < 5 {
		t.Fatalf("%d snapshots of ghw, %v", len(archives), err)
	}
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".tar.gz"), func(t *testing.T) {
			root := t.TempDir()
			unpack(t, archive, root)
			f, err := hwdetect.Read(os.DirFS(root), hwdetect.Options{PCIIDs: pciIDs})
			if err != nil {
				t.Fatal(err)
			}
			comparePCI(t, root, f)
			if c, err := chassis.New(option.WithChroot(root)); err == nil && c.Type != "unknown" && c.Type != "" {
				if got := f.Chassis.Type.String(); got != c.Type {
					t.Errorf("chassis type %s, ghw says %s", got, c.Type)
				}
			}
			if m, err := memory.New(option.WithChroot(root)); err == nil {
				if m.TotalUsableBytes > 0 && f.Memory.UsableBytes.Or(0) != m.TotalUsableBytes {
					t.Errorf("usable memory %v, ghw says %d", f.Memory.UsableBytes, m.TotalUsableBytes)
				}
				if n, ok := f.Memory.PhysicalBytes.Get(); ok && m.TotalPhysicalBytes > 0 && n != m.TotalPhysicalBytes {
					t.Errorf("physical memory %d, ghw says %d", n, m.TotalPhysicalBytes)
				}
			}
			if err := f.WritePage(io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
}

func comparePCI(t *testing.T, root string, f *hwdetect.Facts) {
	t.Helper()
	info, err := pci.New(option.WithChroot(root))
	if err != nil || len(info.Devices) == 0 {
		t.Logf("ghw reads no PCI devices of it: %v", err)
		return
	}
	want, got := map[string]string{}, map[string]string{}
	for _, d := range info.Devices {
		want[d.Address] = fmt.Sprintf("%s:%s class %s%s%s driver %s", d.Vendor.ID, d.Product.ID, d.Class.ID, d.Subclass.ID, d.ProgrammingInterface.ID, d.Driver)
		if own, ok := f.PCIAt(d.Address); ok && d.Vendor.Name != "unknown" && own.VendorName.Or("") != d.Vendor.Name {
			t.Errorf("%s: vendor %v, ghw says %q", d.Address, own.VendorName, d.Vendor.Name)
		}
	}
	for _, d := range f.PCI {
		got[d.Address] = fmt.Sprintf("%s class %06x driver %s", d.ID, uint32(d.Class), d.Driver.Or(""))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("PCI devices (-ghw +ours):\n%s", d)
	}
}

// unpack writes a snapshot of ghw's below root.
func unpack(t *testing.T, archive, root string) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	below, err := os.OpenRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer below.Close()
	for a := tar.NewReader(z); ; {
		h, err := a.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Clean(strings.TrimPrefix(h.Name, "/"))
		if err := below.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = below.MkdirAll(name, 0o755)
		case tar.TypeSymlink:
			err = below.Symlink(h.Linkname, name)
		case tar.TypeReg:
			data, readErr := io.ReadAll(io.LimitReader(a, 1<<20))
			if readErr != nil {
				t.Fatal(readErr)
			}
			err = below.WriteFile(name, data, 0o644)
		}
		if err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
}
