package unitdiff

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// shared makes an ELF file that has nothing but the names of what it loads.
func shared(t testing.TB, runpath string, needed ...string) string {
	t.Helper()
	names := []byte{0}
	var dynamic []elf.Dyn64
	add := func(tag elf.DynTag, name string) {
		dynamic = append(dynamic, elf.Dyn64{Tag: int64(tag), Val: uint64(len(names))})
		names = append(append(names, name...), 0)
	}
	for _, n := range needed {
		add(elf.DT_NEEDED, n)
	}
	if runpath != "" {
		add(elf.DT_RUNPATH, runpath)
	}
	dynamic = append(dynamic, elf.Dyn64{})
	const head, section = 64, 64
	namesAt := uint64(head + 3*section)
	dynamicAt := namesAt + uint64(len(names))
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1, Shoff: head, Ehsize: head, Shentsize: section, Shnum: 3, Shstrndx: 1}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	var b bytes.Buffer
	for _, part := range []any{h, elf.Section64{},
		elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(names))},
		elf.Section64{Type: uint32(elf.SHT_DYNAMIC), Off: dynamicAt, Size: uint64(16 * len(dynamic)), Link: 1},
		names, dynamic} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func libraries(t *testing.T) view {
	v := view{fstest.MapFS{}}
	v.put("usr/sbin/sshd", shared(t, "", "libcrypto.so.3", "libc.so.6"))
	v.put("usr/lib/x86_64-linux-gnu/libcrypto.so.3", shared(t, "", "libz.so.1", "libc.so.6"))
	v.put("usr/lib/x86_64-linux-gnu/libz.so.1", "-> libz.so.1.3")
	v.put("usr/lib/x86_64-linux-gnu/libz.so.1.3", shared(t, "", "libc.so.6"))
	v.put("usr/lib/x86_64-linux-gnu/libc.so.6", shared(t, "", "libc.so.6"))
	v.put("usr/bin/jack_lsp", shared(t, "", "libjack.so.0"))
	v.put("etc/ld.so.conf.d/pipewire-jack.conf", "# before the others\n/usr/lib/x86_64-linux-gnu/pipewire-0.3/jack/\n")
	v.put("usr/lib/x86_64-linux-gnu/pipewire-0.3/jack/libjack.so.0", shared(t, ""))
	v.put("usr/lib/x86_64-linux-gnu/libjack.so.0", shared(t, ""))
	v.put("usr/lib/app/bin/app", shared(t, "$ORIGIN/../lib:/nowhere", "libown.so", "/usr/lib/app/lib/libfull.so", "libgone.so"))
	v.put("usr/lib/app/lib/libown.so", shared(t, ""))
	v.put("usr/lib/app/lib/libfull.so", shared(t, ""))
	v.put("usr/bin/script", "#! /bin/dash -e\n")
	v.put("usr/bin/dash", shared(t, "", "libc.so.6"))
	v.put("usr/bin/env", "x")
	v.put("usr/bin/envscript", "#!/usr/bin/env dash\n")
	v.put("usr/bin/text", "no program")
	v.put("usr/bin/nothing", "empty\n")
	v.put("usr/bin/cut", shared(t, "", "libc.so.6")[:100])
	return v
}

func TestLoads(t *testing.T) {
	const lib = "usr/lib/x86_64-linux-gnu/"
	f := newFiles(libraries(t))
	for program, want := range map[string][]string{
		"usr/sbin/sshd":       {lib + "libc.so.6", lib + "libcrypto.so.3", lib + "libz.so.1.3"},
		"usr/bin/jack_lsp":    {lib + "pipewire-0.3/jack/libjack.so.0"},
		"usr/lib/app/bin/app": {"usr/lib/app/lib/libfull.so", "usr/lib/app/lib/libown.so"},
		"usr/bin/script":      {"usr/bin/dash", lib + "libc.so.6"},
		"usr/bin/envscript":   {"usr/bin/dash", "usr/bin/env", lib + "libc.so.6"},
		"usr/bin/text":        {},
		"usr/bin/nothing":     {},
		"usr/bin/cut":         {},
		"usr/bin/gone":        {},
	} {
		if diff := cmp.Diff(want, f.loads(program)); diff != "" {
			t.Errorf("loads(%q) (-want +got):\n%s", program, diff)
		}
	}
}

func TestLibraryChange(t *testing.T) {
	d := &definition{name: "ssh.service", settings: settings{"Service.ExecStart": {"/usr/sbin/sshd -D"}}}
	old := libraries(t)
	for _, test := range []struct {
		change func(view)
		want   string
	}{
		{func(view) {}, ""},
		{func(v view) { v.put("usr/bin/text", "other") }, ""},
		{func(v view) { v.put("usr/lib/x86_64-linux-gnu/libz.so.1.3", shared(t, "/x", "libc.so.6")) }, `it uses "libz.so.1.3", which has changed`},
		{func(v view) {
			v.put("usr/lib/x86_64-linux-gnu/libz.so.1", "-> libz.so.1.4")
			v.put("usr/lib/x86_64-linux-gnu/libz.so.1.4", shared(t, "", "libc.so.6"))
		}, `it uses "libz.so.1.4", which it did not before`},
		{func(v view) { delete(v.MapFS, "usr/lib/x86_64-linux-gnu/libz.so.1") }, `it no longer uses "libz.so.1.3"`},
		{func(v view) { v.put("usr/sbin/sshd", shared(t, "", "libc.so.6")) }, `its program "/usr/sbin/sshd" has changed`},
	} {
		new := libraries(t)
		test.change(new)
		if got := programChange(newFiles(old), newFiles(new), d, d); got != test.want {
			t.Errorf("programChange = %q, want %q", got, test.want)
		}
	}
}

func FuzzLoads(f *testing.F) {
	f.Add([]byte(shared(f, "$ORIGIN:/lib", "libc.so.6", "/bin/x")))
	f.Add([]byte("#!/usr/bin/env x y\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := view{fstest.MapFS{"usr/bin/x": {Data: data}, "usr/lib/libc.so.6": {Data: data}}}
		for _, l := range newFiles(v).loads("usr/bin/x") {
			if !slices.Contains([]string{"usr/bin/x", "usr/lib/libc.so.6"}, l) {
				t.Errorf("a program loads %q", l)
			}
		}
	})
}
