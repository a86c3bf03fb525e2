package kmod

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// index is a small modules directory in depmod's words.
func index(files ...string) fstest.MapFS {
	m := fstest.MapFS{
		"modules.dep": {Data: []byte(`kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz kernel/fs/mbcache.ko.xz kernel/fs/jbd2/jbd2.ko.xz
kernel/lib/crc16.ko.xz:
kernel/fs/mbcache.ko.xz:
kernel/fs/jbd2/jbd2.ko.xz:
kernel/crypto/crc32c_generic.ko.xz:
kernel/arch/x86/crypto/crc32c-intel.ko.xz:
kernel/drivers/nvme/host/nvme.ko.xz: kernel/drivers/nvme/host/nvme-core.ko.xz kernel/drivers/nvme/common/nvme-auth.ko.xz
kernel/drivers/nvme/host/nvme-core.ko.xz: kernel/drivers/nvme/common/nvme-auth.ko.xz
kernel/drivers/nvme/common/nvme-auth.ko.xz:
kernel/a.ko.xz:
kernel/b.ko.xz: kernel/a.ko.xz
`)},
		"modules.alias": {Data: []byte(`# Aliases extracted from modules themselves.
alias fs-ext4 ext4
alias crypto-crc32c crc32c_intel
alias crypto-crc32c crc32c_generic
alias cpu:type:x86,ven*fam*mod*:feature:*0094* crc32c_intel
alias pci:v*d*sv*sd*bc01sc08i02* nvme
alias usb:v0421p00[0-4]?d* a
`)},
		"modules.softdep": {Data: []byte(`softdep ext4 pre: crypto-crc32c
softdep jbd2 pre: crypto-crc32c
softdep a pre: b post: b nothing
softdep cifs gcm
`)},
		"modules.builtin":         {Data: []byte("kernel/drivers/virtio/virtio_pci.ko\n")},
		"modules.builtin.modinfo": {Data: []byte("fuse.alias=fs-fuse\x00fuse.license=GPL\x00")},
	}
	for i := 0; i+1 < len(files); i += 2 {
		m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return m
}

func read(t *testing.T, fsys fs.FS) *Index {
	t.Helper()
	x, err := Read(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func names(modules []Module) []string {
	var list []string
	for _, m := range modules {
		list = append(list, m.Name)
	}
	return list
}

func TestClosure(t *testing.T) {
	x := read(t, index())
	for _, test := range []struct {
		wanted, want, unknown []string
	}{
		{[]string{"ext4"}, []string{"crc32c_intel", "crc32c_generic", "jbd2", "mbcache", "crc16", "ext4"}, nil},
		{[]string{"fs-ext4", "ext4"}, []string{"crc32c_intel", "crc32c_generic", "jbd2", "mbcache", "crc16", "ext4"}, nil},
		{[]string{"nvme"}, []string{"nvme_auth", "nvme_core", "nvme"}, nil},
		{[]string{"nvme-core"}, []string{"nvme_auth", "nvme_core"}, nil},
		{[]string{"pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02"}, []string{"nvme_auth", "nvme_core", "nvme"}, nil},
		{[]string{"virtio-pci", "fs-fuse", "fuse"}, nil, nil},
		{[]string{"ext5", "crc16"}, []string{"crc16"}, []string{"ext5"}},
		{[]string{"usb:v0421p0037d0001"}, []string{"b", "a"}, nil}, // a circle of soft dependencies ends
		{[]string{"usb:v0421p0057d0001"}, nil, []string{"usb:v0421p0057d0001"}},
	} {
		order, unknown := x.Closure(test.wanted...)
		if d := cmp.Diff(test.want, names(order)); d != "" {
			t.Errorf("%q: %s", test.wanted, d)
		}
		if d := cmp.Diff(test.unknown, unknown); d != "" {
			t.Errorf("%q unknown: %s", test.wanted, d)
		}
	}
}

// Every module comes after what it depends on.
func TestClosureOrder(t *testing.T) {
	x := read(t, index())
	order, _ := x.Closure(x.Names()...)
	seen := map[string]bool{}
	for _, m := range order {
		for _, d := range m.Deps {
			if !seen[d] && m.Name != "b" { // b is in a circle with a
				t.Errorf("%s comes before %s", m.Name, d)
			}
		}
		if seen[m.Name] {
			t.Errorf("%s comes twice", m.Name)
		}
		seen[m.Name] = true
	}
	if len(order) != len(x.Names()) {
		t.Errorf("closure of all has %d of %d modules", len(order), len(x.Names()))
	}
}

// What Files writes reads back as the same closure, alias for alias.
func TestFiles(t *testing.T) {
	x := read(t, index())
	chosen, _ := x.Closure("ext4", "nvme", "a")
	rename := func(f string) string { return strings.TrimSuffix(f, ".xz") }
	small := fstest.MapFS{}
	for name, data := range x.Files(chosen, rename) {
		small[name] = &fstest.MapFile{Data: data}
	}
	y := read(t, small)
	for _, wanted := range []string{"ext4", "crypto-crc32c", "usb:v0421p0037d0001", "pci:v1d2sv3sd4bc01sc08i02"} {
		a, _ := x.Closure(wanted)
		b, _ := y.Closure(wanted)
		if d := cmp.Diff(names(a), names(b)); d != "" {
			t.Errorf("%s: %s", wanted, d)
		}
		for _, m := range b {
			if filepath.Ext(m.File) != ".ko" {
				t.Errorf("%s is not renamed", m.File)
			}
		}
	}
	if y.Builtin("virtio_pci") {
		t.Error("built-in modules are in the small index")
	}
	if d := cmp.Diff(x.Files(chosen, nil), x.Files(chosen, nil)); d != "" {
		t.Error(d)
	}
}

func TestReadErrors(t *testing.T) {
	for name, test := range map[string]struct {
		fsys fs.FS
		want string
	}{
		"no index":  {fstest.MapFS{}, "modules.dep"},
		"no colon":  {index("modules.dep", "kernel/a.ko.xz\n"), "modules.dep:1"},
		"outside":   {index("modules.dep", "../../a.ko.xz:\n"), "is not a module's path"},
		"absolute":  {index("modules.dep", "# comment\n/a.ko:\n"), "modules.dep:2"},
		"no module": {index("modules.dep", "etc/shadow:\n"), "is not a module's path"},
	} {
		_, err := Read(test.fsys)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q in it", name, err, test.want)
		}
	}
	if _, err := Read(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no index: %v", err)
	}
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"*", "", true}, {"**", "x", true}, {"a", "", false}, {"", "a", false},
		{"pci:v*d*bc01sc06i01*", "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", true},
		{"pci:v*d*bc01sc06i01*", "pci:v00008086d00002922sv00001AF4sd00001100bc01sc08i01", false},
		{"usb:v0421p00[0-4]?d*", "usb:v0421p0049d0100", true},
		{"usb:v0421p00[0-4]?d*", "usb:v0421p0059d0100", false},
		{"a[!b-d]e", "aee", true}, {"a[!b-d]e", "ace", false}, {"a[^b]e", "abe", false},
		{"a[]]b", "a]b", true}, {"a[b-]c", "a-c", true}, {"a[b", "a[b", true}, {"a[b", "ab", false},
		{`a\*b`, "a*b", true}, {`a\*b`, "axb", false}, {"a/*", "a/b/c", true},
		{"*a*a*a*a*a*a*a*b", strings.Repeat("a", 4000), false},
	} {
		if got := match(test.pattern, test.s); got != test.want {
			t.Errorf("match(%.40q, %.40q) = %v", test.pattern, test.s, got)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("pci:v*d[0-9]?*", "pci:v1d23")
	f.Add("[", "[")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if match(pattern, s) && !match(pattern+"*", s) {
			t.Errorf("%q matches %q, and not with a star behind", pattern, s)
		}
		if !match("*", s) {
			t.Errorf("* does not match %q", s)
		}
	})
}

func FuzzRead(f *testing.F) {
	for name, file := range index() {
		f.Add(name, string(file.Data))
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		switch name {
		case "modules.dep", "modules.alias", "modules.softdep", "modules.builtin", "modules.builtin.modinfo":
		default:
			return
		}
		x, err := Read(index(name, text))
		if err != nil {
			return
		}
		order, _ := x.Closure(append(x.Names(), "crypto-crc32c")...)
		for _, m := range order {
			if !fs.ValidPath(m.File) {
				t.Errorf("file %q", m.File)
			}
		}
		x.Files(order, nil)
	})
}

func TestModaliases(t *testing.T) {
	sys := fstest.MapFS{
		"bus/pci/devices/0000:00:01.0/modalias": {Data: []byte("pci:one\n")},
		"bus/pci/devices/0000:00:02.0/modalias": {Data: []byte("pci:two\n")},
		"bus/pci/devices/0000:00:03.0/class":    {Data: []byte("0x010601\n")},
		"bus/usb/devices/1-1:1.0/modalias":      {Data: []byte("usb:three\n")},
	}
	got := Modaliases(sys, []string{"usb", "none", "pci"})
	if d := cmp.Diff([]string{"usb:three", "pci:one", "pci:two"}, got); d != "" {
		t.Error(d)
	}
}

func TestParseModprobe(t *testing.T) {
	for _, test := range []struct {
		args string
		want modprobeCall
		bad  bool
	}{
		{"-q -- crypto-crc32c", modprobeCall{quiet: true, names: []string{"crypto-crc32c"}}, false},
		{"loop max_loop=4 max_part=1", modprobeCall{names: []string{"loop"}, parameters: "max_loop=4 max_part=1"}, false},
		{"-a loop ext4", modprobeCall{names: []string{"loop", "ext4"}}, false},
		{"-r loop", modprobeCall{remove: true, names: []string{"loop"}}, false},
		{"-q -- -x", modprobeCall{quiet: true, names: []string{"-x"}}, false},
		{"--force loop", modprobeCall{force: true, names: []string{"loop"}}, false},
		{"--first-time loop", modprobeCall{}, true},
		{"-q", modprobeCall{}, true},
	} {
		got, err := parseModprobe(strings.Fields(test.args))
		if (err != nil) != test.bad {
			t.Errorf("%q: %v", test.args, err)
		}
		if d := cmp.Diff(test.want, got, cmp.AllowUnexported(modprobeCall{})); err == nil && d != "" {
			t.Errorf("%q: %s", test.args, d)
		}
	}
}
