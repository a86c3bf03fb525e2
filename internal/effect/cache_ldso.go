package effect

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"reprise/internal/config"
	"reprise/internal/layer"
)

// LoaderCache writes /etc/ld.so.cache, in Go: ldconfig needs every library of
// the machine in one root, and overlayfs takes 500 layers. The result is what
// ldconfig 2.41 writes, as far as the loader looks, but for
//
//   - the note of which ldconfig made it;
//   - libraries below glibc-hwcaps/, made for newer processors: the plain ones
//     are found instead;
//   - links by soname that a package forgot: ldconfig would make them.
//
// Links that the alternatives system makes are not in it. The loader looks in
// its own directories for what the cache lacks, and they are there.
func LoaderCache() Effect {
	return Effect{
		Name:   "ld-so-cache",
		Needed: func(_ *config.Config, c *Contents) bool { return c.Owner("usr/sbin/ldconfig") != nil },
		Reads: func(_ *config.Config, c *Contents) []string {
			return c.names(func(p *Content) bool {
				return slices.ContainsFunc(p.Manifest, func(e layer.Entry) bool {
					return e.Kind != layer.Dir && (loaderSetting(e.Path) || libraryName(path.Base(e.Path)) && inLibraryTree(e.Path))
				})
			})
		},
		Spec: func(cfg *config.Config, _ *Contents) (any, error) {
			settings := map[string]string{}
			for name, file := range cfg.Environment.Etc {
				if loaderSetting("etc/" + name) {
					settings["etc/"+name] = file.Text
				}
			}
			return loaderSpec{settings}, nil
		},
		Build: func(_ context.Context, e *Env) error {
			var spec loaderSpec
			if err := e.Decode(&spec); err != nil {
				return err
			}
			dirs, err := libraryDirs(e, spec.Settings)
			if err != nil {
				return err
			}
			all := map[string]found{}
			for _, f := range e.files("usr", "opt", "lib") {
				all[realLibraryDir("/"+f.Path)] = f
			}
			var libraries []library
			for _, dir := range dirs {
				in, err := librariesIn(e, all, dir)
				if err != nil {
					return err
				}
				libraries = append(libraries, in...)
			}
			out := e.Output()
			out.File("etc/ld.so.cache", 0o644, 0, 0, loaderCache(libraries))
			return out.Close()
		},
	}
}

type loaderSpec struct {
	Settings map[string]string `json:"settings,omitempty"` // files of the configuration by path
}

func loaderSetting(name string) bool {
	return name == "etc/ld.so.conf" || strings.HasPrefix(name, "etc/ld.so.conf.d/") && strings.HasSuffix(name, ".conf")
}

// libraryName tells which names ldconfig looks at.
// Source: search_dir in elf/ldconfig.c, glibc 2.41.
func libraryName(name string) bool {
	return (strings.HasPrefix(name, "lib") || strings.HasPrefix(name, "ld-")) && strings.Contains(name, ".so")
}

func inLibraryTree(name string) bool {
	for _, tree := range []string{"usr/lib", "usr/local/lib", "opt", "lib"} {
		if strings.HasPrefix(name, tree) {
			return true
		}
	}
	return false
}

// systemDirs are searched after those of ld.so.conf.
var systemDirs = []string{"/lib", "/usr/lib"}

// libraryDirs lists the directories that /etc/ld.so.conf and the files that it
// includes name, then the system's, each once: /lib is /usr/lib, and the first
// spelling counts.
func libraryDirs(e *Env, settings map[string]string) ([]string, error) {
	files := map[string]string{}
	for _, f := range e.files("etc") {
		if !loaderSetting(f.Path) || f.Kind == layer.Symlink {
			continue
		}
		data, err := os.ReadFile(e.File(f.Package, f.Path))
		if err != nil {
			return nil, err
		}
		files[f.Path] = string(data)
	}
	for name, text := range settings {
		files[name] = text
	}
	if _, ok := files["etc/ld.so.conf"]; !ok {
		files["etc/ld.so.conf"] = "include /etc/ld.so.conf.d/*.conf\n" // as libc-bin has it
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var dirs []string
	seen := map[string]bool{}
	add := func(dir string) {
		dir = path.Clean(dir)
		if real := realLibraryDir(dir); !seen[real] {
			seen[real] = true
			dirs = append(dirs, dir)
		}
	}
	read := map[string]bool{}
	var parse func(name string)
	parse = func(name string) {
		if read[name] {
			return
		}
		read[name] = true
		for line := range strings.Lines(files[name]) {
			line, _, _ = strings.Cut(line, "#")
			line = strings.TrimSpace(line)
			if patterns, ok := strings.CutPrefix(line, "include"); ok && strings.TrimLeft(patterns, " \t") != patterns {
				for _, pattern := range strings.Fields(patterns) {
					if !path.IsAbs(pattern) {
						pattern = path.Join("/", path.Dir(name), pattern)
					}
					for _, other := range names {
						if ok, err := path.Match(pattern, "/"+other); err == nil && ok {
							parse(other)
						}
					}
				}
				continue
			}
			for _, dir := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(": \t,", r) }) {
				if path.IsAbs(dir) {
					add(dir)
				}
			}
		}
	}
	parse("etc/ld.so.conf")
	for _, dir := range systemDirs {
		add(dir)
	}
	return dirs, nil
}

// realLibraryDir is where dir is in packages: the top-level links into /usr
// followed.
func realLibraryDir(dir string) string {
	if rest, ok := strings.CutPrefix(dir, "/lib"); ok {
		return "usr/lib" + rest
	}
	return strings.TrimPrefix(dir, "/")
}

// A library is one entry of the cache: a soname and where it is.
type library struct {
	soname, path string
	flags        uint32
}

// librariesIn reads the libraries that are in dir itself, each soname once. A
// link counts by what it leads to; where that has no soname, the link's own
// name is one.
func librariesIn(e *Env, all map[string]found, dir string) ([]library, error) {
	real := realLibraryDir(dir)
	var libraries []library
	seen := map[library]bool{}
	for _, f := range e.files(real) {
		name := strings.TrimPrefix(f.Path, real+"/")
		if strings.Contains(name, "/") || !libraryName(name) {
			continue
		}
		target, ok := follow(all, f)
		if !ok {
			continue
		}
		soname, flags, err := readLibrary(e.File(target.Package, target.Path))
		if err != nil {
			return nil, fmt.Errorf("library %q: %w", "/"+f.Path, err)
		}
		if flags == 0 {
			continue
		}
		if soname == "" {
			soname = name
		}
		l := library{soname, dir + "/" + soname, flags}
		if !seen[l] {
			seen[l] = true
			libraries = append(libraries, l)
		}
	}
	return libraries, nil
}

// follow finds the file that f is or leads to.
func follow(all map[string]found, f found) (found, bool) {
	for range 40 {
		if f.Kind != layer.Symlink {
			return f, true
		}
		target := f.Target
		if !path.IsAbs(target) {
			target = path.Join("/", path.Dir(f.Path), target)
		}
		var ok bool
		if f, ok = all[realLibraryDir(path.Clean(target))]; !ok {
			return f, false
		}
	}
	return f, false
}

// Flags of a cache entry. Source: sysdeps/generic/ldconfig.h, glibc 2.41.
const (
	flagELFLibc6     = 0x0003
	flagX8664Lib64   = 0x0300
	flagAArch64Lib64 = 0x0a00
	flagX8664LibX32  = 0x0800
)

// readLibrary returns the soname of a shared object and its flags; flags are 0
// for what is none, such as the text files that stand in for libraries when
// programs are linked.
func readLibrary(name string) (soname string, flags uint32, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	var magic [4]byte
	if _, err := io.ReadFull(file, magic[:]); err != nil || string(magic[:]) != elf.ELFMAG {
		return "", 0, nil
	}
	f, err := elf.NewFile(file)
	if err != nil {
		return "", 0, nil // ldconfig warns and goes on
	}
	if f.Type != elf.ET_DYN {
		return "", 0, nil
	}
	switch {
	case f.Machine == elf.EM_X86_64 && f.Class == elf.ELFCLASS64:
		flags = flagELFLibc6 | flagX8664Lib64
	case f.Machine == elf.EM_X86_64:
		flags = flagELFLibc6 | flagX8664LibX32
	case f.Machine == elf.EM_AARCH64:
		flags = flagELFLibc6 | flagAArch64Lib64
	case f.Machine == elf.EM_386:
		flags = flagELFLibc6
	default:
		return "", 0, nil
	}
	sonames, err := f.DynString(elf.DT_SONAME)
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return "", 0, nil
	}
	if len(sonames) > 0 {
		soname = sonames[0]
	}
	return soname, flags, nil
}

// The cache file, little endian. Source: sysdeps/generic/dl-cache.h, glibc 2.41.
//
//	 0  "glibc-ld.so.cache" "1.1"
//	20  number of entries, bytes of strings, flags (2: little endian), 3 zeros
//	32  offset of extensions (0: none), 12 zeros
//	48  entries: flags, offset of soname, offset of path, 0, hwcap (8 bytes, 0)
//	    strings, each ended by a zero; offsets count from the start of the file
//
// Entries are sorted so that the loader can search by halves.
func loaderCache(libraries []library) []byte {
	const (
		headerSize, entrySize = 48, 24
		littleEndian          = 2
	)
	slices.SortStableFunc(libraries, func(a, b library) int {
		if c := compareLibraries(b.soname, a.soname); c != 0 {
			return c
		}
		return int(b.flags) - int(a.flags)
	})
	var stringTable bytes.Buffer
	le := binary.LittleEndian
	entries := make([]byte, 0, entrySize*len(libraries))
	first := uint32(headerSize + entrySize*len(libraries))
	for _, l := range libraries {
		at := first + uint32(stringTable.Len())
		stringTable.WriteString(l.path)
		stringTable.WriteByte(0)
		entries = le.AppendUint32(entries, l.flags)
		entries = le.AppendUint32(entries, at+uint32(len(l.path)-len(l.soname))) // the path ends in the soname
		entries = le.AppendUint32(entries, at)
		entries = le.AppendUint32(entries, 0)
		entries = le.AppendUint64(entries, 0)
	}
	file := []byte("glibc-ld.so.cache1.1")
	file = le.AppendUint32(file, uint32(len(libraries)))
	file = le.AppendUint32(file, uint32(stringTable.Len()))
	file = append(file, littleEndian, 0, 0, 0)
	file = append(file, make([]byte, headerSize-len(file))...)
	return slices.Concat(file, entries, stringTable.Bytes())
}

// compareLibraries is the loader's order of names: runs of digits count as
// numbers, digits come after everything else.
// Source: _dl_cache_libcmp in elf/dl-cache.c, glibc 2.41.
func compareLibraries(a, b string) int {
	digit := func(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }
	number := func(s string, i int) (n uint64, end int) {
		for ; digit(s, i); i++ {
			n = n*10 + uint64(s[i]-'0')
		}
		return n, i
	}
	i, j := 0, 0
	for i < len(a) {
		switch {
		case digit(a, i) && digit(b, j):
			var m, n uint64
			m, i = number(a, i)
			n, j = number(b, j)
			if m != n {
				if m < n {
					return -1
				}
				return 1
			}
		case digit(a, i):
			return 1
		case digit(b, j):
			return -1
		case j >= len(b):
			return 1
		case a[i] != b[j]:
			return int(a[i]) - int(b[j])
		default:
			i++
			j++
		}
	}
	if j < len(b) {
		return -1
	}
	return 0
}
