package flash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	diskgpt "github.com/diskfs/go-diskfs/partition/gpt"
	"golang.org/x/sys/unix"

	"reprise/internal/progress"
)

// sameImage fails unless the device holds the image, but for what its GPT's
// move changed, and that is a valid table.
func sameImage(t *testing.T, got, image []byte, m Move) {
	t.Helper()
	want := slices.Clone(image)
	apply(m.patches, want, 0)
	if i := differs(got, want); i >= 0 {
		t.Fatalf("the device differs from the image at byte %d", i)
	}
	if !m.Moved {
		return
	}
	changed := 0
	for i := range want {
		if want[i] != image[i] {
			changed++
		}
	}
	if behind := int64(len(got)) - int64(len(image)); changed > 24 && behind >= 33*512 {
		t.Errorf("the move changed %d bytes of the image: MBR size, last usable LBA, backup LBA and checksum have 24", changed)
	}
	name := filepath.Join(t.TempDir(), "moved")
	if err := os.WriteFile(name, got, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := diskgpt.Read(f, 512, 512)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Verify(f, uint64(len(got))); err != nil || table.RecoveredFromBackup {
		t.Errorf("the moved table: %v, from backup: %v", err, table.RecoveredFromBackup)
	}
}

func differs(got, want []byte) int {
	if bytes.Equal(got[:len(want)], want) {
		return -1
	}
	for i := range want {
		if got[i] != want[i] {
			return i
		}
	}
	return -1
}

func TestWrite(t *testing.T) {
	for _, c := range []struct {
		name          string
		image, device int64
		block         int64
		moved         bool
		noZero        bool
	}{
		{"larger device", 10 * mib, 20 * mib, 512, true, false},
		{"device as large", 10 * mib, 10 * mib, 512, false, false},
		{"device larger by a sector", 10 * mib, 10*mib + 512, 512, true, false},
		{"device larger by 20 sectors", 10 * mib, 10*mib + 20*512, 512, true, false},
		{"device larger by 33 sectors", 10 * mib, 10*mib + 33*512, 512, true, false},
		{"no zeroing", 10 * mib, 20 * mib, 512, true, true},
		{"sectors of 4096 bytes", 10 * mib, 20 * mib, 4096, false, false},
		{"odd image", 10*mib + 1000, 20 * mib, 512, true, false},
		{"odd image, sectors of 4096 bytes", 10*mib + 1000, 20 * mib, 4096, false, false},
		{"odd image fills the device", 10*mib + 1000, 10*mib + 1024, 512, true, false},
		{"head only", mib, 3 * mib, 512, false, false},
		{"a byte more than the head", mib + 1, 3 * mib, 512, false, false},
		{"small", 5000, 3 * mib, 512, false, false},
		{"smaller than the first write", 100, 4096, 512, false, false},
		{"one chunk", 5 * mib, 9 * mib, 512, true, false},
		{"one byte beyond a chunk", 5*mib + 1, 9 * mib, 512, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := content(t, c.image)
			im := imageOf(t, b)
			d := newFake(c.device)
			d.block, d.noZero = c.block, c.noZero
			result, err := Write(t.Context(), im, d, progress.Discard)
			if err != nil {
				t.Fatal(err)
			}
			sameImage(t, d.data, b, result.Backup)
			if result.Backup.Moved != c.moved {
				t.Errorf("moved: %v, %q", result.Backup.Moved, result.Backup.Why)
			}
			sum := sha256.Sum256(b)
			if result.SHA256 != hex.EncodeToString(sum[:]) || result.Bytes != c.image || result.Before != nil {
				t.Errorf("result %+v", result)
			}
			if want := int64(0); !c.noZero && c.image >= 10*mib {
				if want = 4 * mib; d.zeroed != want {
					t.Errorf("%d bytes were left to the device to zero, want %d", d.zeroed, want)
				}
			}
			if d.drops != 2 {
				t.Errorf("the caches were dropped %d times", d.drops)
			}
			if _, ok := Interrupted(d); ok {
				t.Error("the device says that it is unfinished")
			}
		})
	}
}

func TestCompressed(t *testing.T) {
	b := content(t, 7*mib+300)
	for _, how := range []string{"", "gz", "zst", "xz"} {
		t.Run("."+how, func(t *testing.T) {
			im := imageOf(t, packed(t, b, how))
			if im.Compression != how || im.Size != int64(len(b)) {
				t.Fatalf("%q of %d bytes", im.Compression, im.Size)
			}
			d := newFake(9 * mib)
			result, err := Write(t.Context(), im, d, progress.Discard)
			if err != nil {
				t.Fatal(err)
			}
			sameImage(t, d.data, b, result.Backup)
			// A byte that differs is found in the compressed image as well.
			d = newFake(9 * mib)
			d.read = flip(6*mib + 77)
			wantMismatch(t, im, d, 6*mib+77, Unfinished)
		})
	}
}

// flip changes one byte of what is read.
func flip(at int64) func([]byte, int64) {
	return func(p []byte, off int64) {
		if at >= off && at < off+int64(len(p)) {
			p[at-off] ^= 0x40
		}
	}
}

func wantMismatch(t *testing.T, im *Image, d *fake, at int64, state State) {
	t.Helper()
	_, err := Write(t.Context(), im, d, progress.Discard)
	m, e := new(Mismatch), new(Error)
	if !errors.As(err, &m) || !errors.As(err, &e) {
		t.Fatalf("error %v, want a mismatch at %d", err, at)
	}
	if m.Offset != at || m.Differ != 1 || m.Got != m.Want^0x40 || e.State != state {
		t.Errorf("%+v, state %s; want one byte at %d, state %s", m, e.State, at, state)
	}
	if bootable(d.data) {
		t.Error("the device starts all the same")
	}
	if !strings.Contains(err.Error(), fmt.Sprint("at byte ", at)) {
		t.Errorf("the message does not say where: %v", err)
	}
}

// TestOneByte holds that one byte that reads back wrong is found, wherever it
// lies, and that the device starts nothing then.
func TestOneByte(t *testing.T) {
	b := content(t, 10*mib)
	im := imageOf(t, b)
	const device = 20 * mib
	for _, at := range []int64{0, 511, 512, 4095, 4096, 64 << 10, mib - 1, mib, 5*mib - 1, 5 * mib, 7 * mib, 10*mib - 1, device - 33*512, device - 1} {
		d := newFake(device)
		d.read = flip(at)
		wantMismatch(t, im, d, at, Unfinished)
	}
	// What belongs to nobody is not looked at.
	d := newFake(device)
	d.read = flip(15 * mib)
	if _, err := Write(t.Context(), im, d, progress.Discard); err != nil {
		t.Error(err)
	}
}

// bootable says whether firmware or a kernel would find anything in the first
// MiB.
func bootable(b []byte) bool {
	return b[510] == 0x55 && b[511] == 0xaa || string(b[512:520]) == "EFI PART" || string(b[4096:4104]) == "EFI PART" || string(b[32769:32774]) == "CD001"
}

// isoHead puts a volume descriptor into b.
func isoHead(b []byte) []byte {
	copy(b[32<<10:], "\x01CD001\x01")
	clear(b[32<<10+80 : 32<<10+88])
	return b
}

// TestFailingWrites lets each operation fail, and holds what is left: nothing
// that starts, a state that is true, and a next run that succeeds and says so.
func TestFailingWrites(t *testing.T) {
	b := isoHead(content(t, 10*mib))
	im := imageOf(t, b)
	good := newFake(20 * mib)
	if _, err := Write(t.Context(), im, good, progress.Discard); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		d := newFake(20 * mib)
		d.fail = func(i int) error {
			if i == n {
				return unix.EIO
			}
			return nil
		}
		before := slices.Clone(d.data)
		_, err := Write(t.Context(), im, d, progress.Discard)
		if err == nil {
			if n < 13 {
				t.Errorf("only %d operations", n)
			}
			return
		}
		e := new(Error)
		if !errors.As(err, &e) || !errors.Is(err, unix.EIO) {
			t.Fatalf("operation %d: %v", n, err)
		}
		if e.State != Unfinished {
			t.Errorf("operation %d: state %s", n, e.State)
		}
		if d.data[510] == 0x55 && differs(d.data, good.data[:10*mib]) >= 0 {
			t.Errorf("operation %d: half an image starts", n)
		}
		_, marked := Interrupted(d)
		if untouched := bytes.Equal(before, d.data); !untouched && !marked && d.data[510] != 0x55 {
			t.Errorf("operation %d: the device does not say that it is unfinished", n)
		}
		d.fail = nil
		result, err := Write(t.Context(), im, d, progress.Discard)
		if err != nil {
			t.Fatalf("run after operation %d: %v", n, err)
		}
		if marked != (result.Before != nil) || marked && (result.Before.Image != "rig.img" || result.Before.SizeBytes != 10*mib) {
			t.Errorf("run after operation %d: before it %+v", n, result.Before)
		}
		sameImage(t, d.data, b, result.Backup)
	}
}

// TestPowerCuts cuts after each operation, with what was written since the
// last sync whole, lost, or in part there.
func TestPowerCuts(t *testing.T) {
	b := isoHead(content(t, 10*mib))
	im := imageOf(t, b)
	d := newFake(20 * mib)
	result, err := Write(t.Context(), im, d, progress.Discard)
	if err != nil {
		t.Fatal(err)
	}
	done := d.data
	kept := map[string]func(i, n int) bool{
		"all": func(int, int) bool { return true }, "none": func(int, int) bool { return false },
		"odd": func(i, _ int) bool { return i%2 == 1 }, "even": func(i, _ int) bool { return i%2 == 0 },
		"last": func(i, n int) bool { return i == n-1 },
	}
	for cut := range len(d.log) + 1 {
		synced := 0
		for i, op := range d.log[:cut] {
			if op.data == nil {
				synced = i + 1
			}
		}
		for name, keep := range kept {
			after := newFake(20 * mib).data
			for i, op := range d.log[:cut] {
				if i < synced || keep(i, cut) {
					copy(after[op.off:], op.data)
				}
			}
			// Descriptors first: by then all behind them was compared.
			if string(after[32769:32774]) == "CD001" && differs(after[descriptors:], done[descriptors:10*mib]) >= 0 {
				t.Fatalf("cut after %d operations, %s kept: volume descriptors before what they lead to", cut, name)
			}
			if (after[510] == 0x55 || string(after[512:520]) == "EFI PART") && differs(after, done[:10*mib]) >= 0 {
				t.Fatalf("cut after %d operations, %s kept: half an image starts", cut, name)
			}
			if _, marked := parseMarker(after); cut > 2 && !marked && differs(after, done[:10*mib]) >= 0 {
				t.Fatalf("cut after %d operations, %s kept: nothing says that it is unfinished", cut, name)
			}
		}
	}
	sameImage(t, done, b, result.Backup)
}

// TestInterrupted cancels before each operation.
func TestInterrupted(t *testing.T) {
	b := content(t, 14*mib)
	im := imageOf(t, b)
	stop, stopped := false, 0
	for n := 0; !stop; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		d := newFake(31 * mib)
		d.fail = func(i int) error {
			if i == n {
				cancel()
			}
			return nil
		}
		_, err := Write(ctx, im, d, progress.Discard)
		cancel()
		e := new(Error)
		switch {
		case err == nil: // too late to stop: the head was being written
			stop = n > stopped
		case !errors.As(err, &e) || !errors.Is(err, context.Canceled):
			t.Fatalf("operation %d: %v", n, err)
		case e.State == Unfinished && bootable(d.data), e.State == Unchecked && !bootable(d.data), e.State == Untouched:
			t.Errorf("operation %d: state %s is not true", n, e.State)
		default:
			stopped = n + 1
		}
		if n > 100 {
			t.Fatal("it never ends")
		}
	}
	if stopped < 8 {
		t.Errorf("stopped at %d operations", stopped)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := newFake(31 * mib)
	_, err := Write(ctx, im, d, progress.Discard)
	if e := new(Error); !errors.As(err, &e) || e.State != Untouched || len(d.log) > 0 {
		t.Errorf("cancelled before: %v, %d operations", err, len(d.log))
	}
}

func TestDeviceFaults(t *testing.T) {
	im := imageOf(t, content(t, 10*mib))
	for name, c := range map[string]struct {
		set   func(*fake)
		state State
		want  string
	}{
		"too small":          {func(d *fake) { d.data = d.data[:10*mib-512] }, Untouched, "too small by 512 bytes"},
		"too small for much": {func(d *fake) { d.data = d.data[:3*mib] }, Untouched, "too small by 7.0 MiB, 7,340,032 bytes"},
		"ends early":         {func(d *fake) { d.fail = after(6, unix.ENOSPC) }, Unfinished, "ends before its size says it does"},
		"fails":              {func(d *fake) { d.fail = after(6, unix.EIO) }, Unfinished, "fails: zero"},
		"write-protected":    {func(d *fake) { d.fail = after(0, unix.EPERM) }, Unfinished, "lets nobody write to it"},
		"unplugged": {func(d *fake) {
			d.fail = func(n int) error {
				if n == 6 {
					d.gone = true
				}
				if d.gone {
					return unix.ENODEV
				}
				return nil
			}
		}, Unfinished, "is gone: it was unplugged"},
		"cannot be read back": {func(d *fake) {
			d.failRead = func(off, n int64) error {
				if off > 0 {
					return unix.EIO
				}
				return nil
			}
		}, Unfinished, "back at 1048576"},
		"head cannot be read back": {func(d *fake) {
			d.failRead = func(off, n int64) error {
				if off == 0 && n > bootBytes {
					return unix.EIO
				}
				return nil
			}
		}, Unchecked, "the whole image is on it"},
		// A stick of 8 MiB that says 20: what is written beyond lands below.
		"counterfeit": {func(d *fake) { d.real = 8 * mib }, Unfinished, "smaller than it says"},
		// Only the backup GPT at its end lands on the image.
		"counterfeit behind the image": {func(d *fake) { d.real = 12 * mib }, Unfinished, "smaller than it says"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newFake(20 * mib)
			c.set(d)
			_, err := Write(t.Context(), im, d, progress.Discard)
			e := new(Error)
			if !errors.As(err, &e) || e.State != c.state || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q and state %s", err, c.want, c.state)
			}
			for _, part := range []string{"/dev/fake", "\n  state: ", "\n  do:    "} {
				if err != nil && !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in %v", part, err)
				}
			}
		})
	}
}

func after(n int, err error) func(int) error {
	return func(i int) error {
		if i >= n {
			return err
		}
		return nil
	}
}

// TestImageChanges lets the file change while it is written.
func TestImageChanges(t *testing.T) {
	for name, n := range map[string]int64{"grows": 11 * mib, "shrinks": 7 * mib, "shrinks to nothing": 0} {
		im := imageOf(t, content(t, 10*mib))
		if name == "grows" {
			im.Size, im.FileBytes = 9*mib, 10*mib
		} else if err := os.Truncate(im.Path, n); err != nil {
			t.Fatal(err)
		}
		d := newFake(20 * mib)
		_, err := Write(t.Context(), im, d, progress.Discard)
		if e := new(Error); !errors.As(err, &e) || !strings.Contains(err.Error(), im.Path) {
			t.Errorf("%s: %v", name, err)
		}
		if bootable(d.data) {
			t.Errorf("%s: the device starts", name)
		}
	}
}
