package flash

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	diskgpt "github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"reprise/internal/progress"
)

const mib = 1 << 20

// An operation is what was done to a fake.
type operation struct {
	off  int64
	data []byte // nil: a sync
}

// A fake is a device in memory, whose faults are set.
type fake struct {
	data  []byte
	block int64
	real  int64 // bytes there are, when they are fewer than it says
	log   []operation

	fail     func(n int) error       // of the n-th write, zero or sync, from 0
	read     func(p []byte, o int64) // changes what is read
	failRead func(o, n int64) error
	noZero   bool
	gone     bool
	zeroed   int64 // bytes
	drops    int
}

func newFake(size int64) *fake {
	return &fake{data: bytes.Repeat([]byte{0xe5}, int(size)), block: 512}
}

func (d *fake) Name() string  { return "/dev/fake" }
func (d *fake) Size() int64   { return int64(len(d.data)) }
func (d *fake) Block() int64  { return d.block }
func (d *fake) Gone() bool    { return d.gone }
func (d *fake) Drop() error   { d.drops++; return nil }
func (d *fake) Reread() error { return nil }
func (d *fake) Close() error  { return nil }
func (d *fake) Sync() error   { return d.do(operation{}) }

func (d *fake) do(op operation) error {
	if d.fail != nil {
		if err := d.fail(len(d.log)); err != nil {
			return err
		}
	}
	op.data = slices.Clone(op.data)
	d.log = append(d.log, op)
	d.each(op.off, int64(len(op.data)), func(at, from, to int64) { copy(d.data[at:], op.data[from:to]) })
	return nil
}

// each finds the places of n bytes at off, which begin anew after d.real bytes.
func (d *fake) each(off, n int64, use func(at, from, to int64)) {
	for from := int64(0); from < n; {
		at, to := off+from, n
		if d.real > 0 {
			at %= d.real
			to = min(n, from+d.real-at)
		}
		use(at, from, to)
		from = to
	}
}

func (d *fake) whole(off, n int64) error {
	if off%d.block != 0 || n%d.block != 0 || n == 0 || off < 0 || off+n > d.Size() {
		return fmt.Errorf("%d bytes at %d are no whole blocks of the device", n, off)
	}
	return nil
}

func (d *fake) WriteAt(p []byte, off int64) (int, error) {
	if err := d.whole(off, int64(len(p))); err != nil {
		return 0, err
	}
	if err := d.do(operation{off, p}); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (d *fake) Zero(off, n int64) error {
	if err := d.whole(off, n); err != nil {
		return err
	}
	if d.noZero {
		return ErrNoZero
	}
	d.zeroed += n
	return d.do(operation{off, make([]byte, n)})
}

func (d *fake) ReadAt(p []byte, off int64) (int, error) {
	if err := d.whole(off, int64(len(p))); err != nil {
		return 0, err
	}
	if d.failRead != nil {
		if err := d.failRead(off, int64(len(p))); err != nil {
			return 0, err
		}
	}
	d.each(off, int64(len(p)), func(at, from, to int64) { copy(p[from:to], d.data[at:]) })
	if d.read != nil {
		d.read(p, off)
	}
	return len(p), nil
}

// content is n bytes of noise that can be compressed and differs in every 4 KiB, with zeros from 5 to 9 MiB, boot code, and the
// table of a disk.
func content(t testing.TB, n int64) []byte {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 4096)
	random.Read(noise)
	b := bytes.Repeat(noise, int(n/4096+1))[:n]
	for at := 0; at+8 <= len(b); at += 4096 {
		binary.LittleEndian.PutUint64(b[at:], uint64(at)+1)
	}
	if n >= 10*mib {
		clear(b[5*mib : 9*mib])
	}
	if n < 4*mib {
		return b
	}
	name := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sectors := uint64(n / 512)
	table := &diskgpt.Table{
		LogicalSectorSize: 512, PhysicalSectorSize: 512, ProtectiveMBR: true, GUID: "00112233-4455-8677-8899-AABBCCDDEEFF",
		Partitions: []*diskgpt.Partition{
			{Index: 1, Start: 2048, End: 4095, Size: mib, Type: diskgpt.BIOSBoot, Name: "boot", GUID: "00112233-4455-8677-8899-000000000001"},
			{Index: 2, Start: 4096, End: sectors - 34, Size: (sectors - 33 - 4096) * 512, Type: diskgpt.LinuxFilesystem, Name: "root", GUID: "00112233-4455-8677-8899-000000000002"},
		},
	}
	if err := table.Write(f, n/512*512); err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	return b
}

// packed compresses b, or not.
func packed(t testing.TB, b []byte, how string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch how {
	case "":
		return b
	case "gz":
		w = gzip.NewWriter(&out)
	case "zst":
		w, err = zstd.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// imageOf is an opened and measured image with that content.
func imageOf(t testing.TB, b []byte) *Image {
	t.Helper()
	im := unmeasured(t, b)
	if err := im.Measure(t.Context(), progress.Discard); err != nil {
		t.Fatal(err)
	}
	return im
}

func unmeasured(t testing.TB, b []byte) *Image {
	t.Helper()
	name := filepath.Join(t.TempDir(), "rig.img")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	im, err := OpenImage(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { im.Close() })
	return im
}
