package build

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"reprise/internal/diag"
)

const kernel = "6.12.0-test"

// trees are a kernel package and the layer with its index.
func trees() []fs.FS {
	dir := "usr/lib/modules/" + kernel + "/"
	modules := fstest.MapFS{dir + "modules.builtin": {Data: []byte("kernel/fs/overlayfs/overlay.ko\n")}}
	for _, file := range []string{"fs/ext4/ext4", "lib/crc16", "fs/erofs/erofs", "drivers/ata/ahci", "drivers/watchdog/i6300esb", "drivers/net/e1000"} {
		modules[dir+"kernel/"+file+".ko.xz"] = &fstest.MapFile{Data: []byte("module " + file)}
	}
	index := fstest.MapFS{
		dir + "modules.dep": {Data: []byte(`kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz
kernel/lib/crc16.ko.xz:
kernel/fs/erofs/erofs.ko.xz:
kernel/drivers/ata/ahci.ko.xz:
kernel/drivers/watchdog/i6300esb.ko.xz:
kernel/drivers/net/e1000.ko.xz:
`)},
		dir + "modules.alias":   {Data: []byte("alias pci:v00008086d000025AB* i6300esb\nalias pci:v00008086d0000100E* e1000\n")},
		dir + "modules.softdep": {Data: []byte("")},
	}
	return []fs.FS{modules, index}
}

// spec is a small initramfs; its program is the test's own, which is an ELF
// file, cut down to what makes it one.
func spec(t *testing.T) Spec {
	t.Helper()
	return Spec{Binary: program(t, false), Trees: trees(), Kernel: kernel}
}

// program writes the smallest ELF file, with an interpreter or without.
func program(t *testing.T, dynamic bool) string {
	t.Helper()
	head := make([]byte, 64+56)
	copy(head, "\x7fELF\x02\x01\x01")
	head[16], head[18], head[20] = 2, 62, 1 // executable, x86-64, version
	head[32], head[52], head[54] = 64, 64, 56
	head[56] = 1 // one program header
	head[64] = 1 // PT_LOAD
	if dynamic {
		head[64] = 3 // PT_INTERP
	}
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, head, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func write(t *testing.T, s Spec) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type member struct {
	mode, data string
}

// list reads an archive with another library than the one that wrote it.
func list(t *testing.T, archive []byte) (names []string, members map[string]member) {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	members = map[string]member{}
	for r := cpio.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, members
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Uid != 0 || h.Guid != 0 {
			t.Errorf("%s: time %v, owner %d:%d", h.Name, h.ModTime, h.Uid, h.Guid)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Linkname != "" {
			data = []byte(h.Linkname)
		}
		names = append(names, h.Name)
		members[h.Name] = member{h.Mode.String(), string(data)}
	}
}

func TestWrite(t *testing.T) {
	s := spec(t)
	s.Load = []string{"i6300esb", "overlay"}
	s.Extra = []File{{Name: "etc/more/note", Mode: 0o600, Data: []byte("hello")}, {Name: "etc/link", Mode: fs.ModeSymlink, Data: []byte("more/note")}}
	names, members := list(t, write(t, s))
	dir := "usr/lib/modules/" + kernel
	want := []string{
		"dev", "dev/console", "dev/kmsg", "dev/null",
		"etc", "etc/initrd-release", "etc/link", "etc/more", "etc/more/note", "etc/reprise", "etc/reprise/load",
		"init",
		"usr", "usr/lib", "usr/lib/modules", dir, dir + "/kernel", dir + "/kernel/drivers",
		dir + "/kernel/drivers/ata", dir + "/kernel/drivers/ata/ahci.ko.xz",
		dir + "/kernel/drivers/watchdog", dir + "/kernel/drivers/watchdog/i6300esb.ko.xz",
		dir + "/kernel/fs", dir + "/kernel/fs/erofs", dir + "/kernel/fs/erofs/erofs.ko.xz",
		dir + "/kernel/fs/ext4", dir + "/kernel/fs/ext4/ext4.ko.xz",
		dir + "/kernel/lib", dir + "/kernel/lib/crc16.ko.xz",
		dir + "/modules.alias", dir + "/modules.dep", dir + "/modules.softdep",
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	for name, want := range map[string]member{
		"etc/reprise/load":              {"0100644", "i6300esb\n"}, // overlay is built in
		"etc/more/note":                 {"0100600", "hello"},
		"etc/link":                      {"0120777", "more/note"},
		dir + "/kernel/lib/crc16.ko.xz": {"0100644", "module lib/crc16"},
		dir + "/modules.alias":          {"0100644", "alias pci:v00008086d000025AB* i6300esb\n"},
	} {
		if d := cmp.Diff(want, members[name], cmp.AllowUnexported(member{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if m := members["init"]; m.mode != "0100755" || !strings.HasPrefix(m.data, "\x7fELF") {
		t.Errorf("init is %s, %.4q", m.mode, m.data)
	}
}

// The kernel reads device numbers from fields that cavaliergopher/cpio skips.
func TestDevices(t *testing.T) {
	z, err := zstd.NewReader(bytes.NewReader(write(t, spec(t))))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"dev/console": "0000000500000001", "dev/null": "0000000100000003", "dev/kmsg": "000000010000000B"} {
		at := bytes.Index(data, []byte(name+"\x00"))
		if got := string(data[at-32 : at-16]); got != want {
			t.Errorf("%s has number %s, want %s", name, got, want)
		}
	}
}

func TestWriteTwice(t *testing.T) {
	s := spec(t)
	first := write(t, s)
	s.Extra = []File{}
	if !bytes.Equal(first, write(t, s)) {
		t.Error("two archives of one spec differ")
	}
}

func TestBadSpec(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Spec)
		want   []string
	}{
		"unknown modules":   {func(s *Spec) { s.Want, s.Load = []string{"e1000e"}, []string{"i6300"} }, []string{`"e1000e" is not known`, "write e1000", `"i6300" is not known`}},
		"no kernel":         {func(s *Spec) { s.Kernel = "" }, []string{`kernel version is ""`}},
		"kernel elsewhere":  {func(s *Spec) { s.Kernel = "../6.12" }, []string{"kernel version"}},
		"no such kernel":    {func(s *Spec) { s.Kernel = "7.0" }, []string{"7.0", "modules.dep"}},
		"no index":          {func(s *Spec) { s.Trees = s.Trees[:1] }, []string{"modules.dep"}},
		"module file gone":  {func(s *Spec) { s.Trees = s.Trees[1:] }, []string{"overlay"}},
		"no program":        {func(s *Spec) { s.Binary += "x" }, []string{"no such file"}},
		"dynamic program":   {func(s *Spec) { s.Binary = program(t, true) }, []string{"needs a dynamic linker", "CGO_ENABLED=0"}},
		"extra takes init":  {func(s *Spec) { s.Extra = []File{{Name: "init"}} }, []string{`"init"`}},
		"extra climbs":      {func(s *Spec) { s.Extra = []File{{Name: "../x"}} }, []string{`"../x"`}},
		"extra is a device": {func(s *Spec) { s.Extra = []File{{Name: "x", Mode: fs.ModeDevice}} }, []string{`"x"`}},
	} {
		s := spec(t)
		test.change(&s)
		err := Write(t.Context(), io.Discard, s)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, w := range test.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in the error\n%v", name, w, err)
			}
		}
	}
	s := spec(t)
	s.Want = []string{"x1", "x2"}
	var problems diag.Problems
	if err := Write(t.Context(), io.Discard, s); !errors.As(err, &problems) || len(problems) != 2 {
		t.Errorf("both unknown modules must be told: %v", err)
	}
}

type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func TestWriteFails(t *testing.T) {
	s := spec(t)
	for _, room := range []int{0, 100, 300} {
		if err := Write(t.Context(), &failing{room}, s); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}
