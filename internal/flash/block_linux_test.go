package flash

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"reprise/initrd/loopdev"
	"reprise/internal/progress"
)

// loop makes a loop device of size bytes, or the file that would lie behind it
// where none can be made: a container, an ordinary user.
func loop(t *testing.T, size int64, sector uint32) (path, backing string, isLoop bool) {
	t.Helper()
	backing = filepath.Join(t.TempDir(), "backing")
	if err := os.WriteFile(backing, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(backing, size); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(backing, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := loopdev.Attach(f, loopdev.Options{Block: sector})
	if err != nil {
		t.Logf("no loop device can be made here, so a file takes its place: %v", err)
		return backing, backing, false
	}
	t.Logf("on %s", d.Name())
	t.Cleanup(func() { d.Close() })
	return d.Name(), backing, true
}

func TestLoopDevice(t *testing.T) {
	b := content(t, 11*mib)
	for _, sector := range []uint32{512, 4096} {
		path, backing, isLoop := loop(t, 24*mib, sector)
		im := imageOf(t, packed(t, b, "zst"))
		target, err := Find(nil, path)
		if err != nil || target.SizeBytes != 24*mib || len(target.Refusals("", im.Size)) > 0 {
			t.Fatalf("%+v, %v", target, err)
		}
		d, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrBusy) {
			t.Errorf("opened twice: %v", err)
		}
		if d.Size() != 24*mib || isLoop && d.Block() != int64(sector) || d.Gone() || d.Name() != path {
			t.Errorf("%d bytes, blocks of %d, gone: %v", d.Size(), d.Block(), d.Gone())
		}
		result, err := Write(t.Context(), im, d, progress.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if want := sector == 512 || !isLoop; result.Backup.Moved != want {
			t.Errorf("sectors of %d: moved %v, %q", sector, result.Backup.Moved, result.Backup.Why)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(backing)
		if err != nil {
			t.Fatal(err)
		}
		sameImage(t, got, b, result.Backup)
	}
}

// TestLoopDeviceShrinks lets the medium end before the device says so.
func TestLoopDeviceShrinks(t *testing.T) {
	path, backing, isLoop := loop(t, 24*mib, 512)
	im := imageOf(t, content(t, 11*mib))
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := Write(t.Context(), im, d, progress.Discard); err != nil {
		t.Fatal(err)
	}
	if !isLoop {
		return // a file that shrank grows again when it is written
	}
	// The loop device fails beyond the new end of its file, as a worn-out stick.
	b := d.(*block)
	if err := os.Truncate(backing, 0); err != nil {
		t.Fatal(err)
	}
	buf := aligned(chunkBytes)
	if _, err := b.ReadAt(buf, mib); err == nil && !zeros(buf) {
		t.Error("what was cut away is still read: from a cache, not from the medium")
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, path := range []string{"/dev/null", "/nosuch", t.TempDir()} {
		if d, err := Open(path); err == nil {
			d.Close()
			t.Errorf("%q was opened", path)
		}
	}
}

func TestFileDevice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stick")
	if err := os.WriteFile(path, make([]byte, 6*mib+100), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Size() != 6*mib || d.Gone() || d.Reread() != nil {
		t.Errorf("%d bytes", d.Size())
	}
	b := content(t, 5*mib)
	result, err := Write(t.Context(), imageOf(t, b), d, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sameImage(t, got[:6*mib], b, result.Backup)
}
