package build

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/u-root/u-root/pkg/cpio"
)

// microcodeTree has files as Debian's two packages have them.
func microcodeTree() fs.FS {
	return fstest.MapFS{
		"usr/lib/firmware/intel-ucode/06-9e-0a.initramfs":     {Data: bytes.Repeat([]byte("b"), 2048)},
		"usr/lib/firmware/intel-ucode/06-3a-09":               {Data: bytes.Repeat([]byte("a"), 1024)},
		"usr/lib/firmware/intel-ucode/README":                 {Data: []byte("no microcode")},
		"usr/lib/firmware/amd-ucode/microcode_amd_fam17h.bin": {Data: []byte("amd")},
		"usr/lib/firmware/amd-ucode/LICENSE":                  {Data: []byte("no microcode")},
	}
}

func TestMicrocode(t *testing.T) {
	var b bytes.Buffer
	if err := writeMicrocode(&b, []fs.FS{fstest.MapFS{}, microcodeTree()}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	records := cpio.Newc.Reader(bytes.NewReader(b.Bytes()))
	for {
		r, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, r.FileSize)
		if _, err := r.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		got[strings.TrimRight(r.Name, "\x00")] = string(data)
		if at := bytes.Index(b.Bytes(), data); at%microcodeAlign != 0 {
			t.Errorf("%q lies at %d, want a multiple of %d", r.Name, at, microcodeAlign)
		}
	}
	want := map[string]string{
		"kernel/x86/microcode/AuthenticAMD.bin": "amd",
		"kernel/x86/microcode/GenuineIntel.bin": strings.Repeat("a", 1024) + strings.Repeat("b", 2048),
	}
	if len(got) != len(want) {
		t.Errorf("the archive has %d files, want %d", len(got), len(want))
	}
	for name, data := range want {
		if got[name] != data {
			t.Errorf("%s has %d bytes, want %d", name, len(got[name]), len(data))
		}
	}
	if b.Len()%4 != 0 {
		t.Errorf("the archive has %d bytes: what follows has to begin at a multiple of 4", b.Len())
	}
}

func TestNoMicrocode(t *testing.T) {
	var b bytes.Buffer
	if err := writeMicrocode(&b, []fs.FS{fstest.MapFS{}}); err != nil || b.Len() != 0 {
		t.Errorf("without microcode %d bytes are written, error %v", b.Len(), err)
	}
}
