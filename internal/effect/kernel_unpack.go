package effect

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// depmod reads modules one after the other, and nine tenths of its time go into
// decompressing them. unpackModules does that part beforehand, on every core,
// and keeps only what depmod looks at: 500 MB of modules become 60. kmod tells
// a compressed file by its first bytes and not by its name, so the files keep
// their names and the index is the same, byte for byte.
//
// files maps the name below dir to the module's real place. Names that are not
// .ko.xz become links.
func unpackModules(ctx context.Context, xz []string, cores int, files map[string]string, dir string) error {
	type module struct {
		name, place string
		size        int64 // unpacked
	}
	var modules []module
	dirs := map[string]bool{}
	for name, place := range files {
		if parent := filepath.Join(dir, filepath.Dir(name)); !dirs[parent] {
			dirs[parent] = true
			if err := os.MkdirAll(parent, 0o755); err != nil {
				return err
			}
		}
		if strings.HasSuffix(name, ".ko.xz") {
			size, err := unpackedSize(place)
			if err != nil {
				return fmt.Errorf("module %q: %w", name, err)
			}
			modules = append(modules, module{name, place, size})
			continue
		}
		if err := os.Symlink(place, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.name, b.name) })
	// Batches small enough to level the load, large enough to make starting a
	// program cheap.
	const batch = 64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cores)
	buffers := sync.Pool{New: func() any { return new([]byte) }}
	for part := range slices.Chunk(modules, batch) {
		group.Go(func() error {
			argv := slices.Clone(xz)
			for _, m := range part {
				argv = append(argv, m.place)
			}
			cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
			cmd.Env = []string{}
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				return err
			}
			// Where the kernel refuses the size, the pipe keeps its own.
			if pipe, ok := out.(*os.File); ok {
				unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, 1<<20)
			}
			if err := cmd.Start(); err != nil {
				return err
			}
			buffer := buffers.Get().(*[]byte)
			defer buffers.Put(buffer)
			err = func() error {
				for _, m := range part {
					*buffer = slices.Grow((*buffer)[:0], int(m.size))[:m.size]
					if _, err := io.ReadFull(out, *buffer); err != nil {
						return fmt.Errorf("module %q: %w", m.name, err)
					}
					if err := writeIndexed(filepath.Join(dir, m.name), *buffer); err != nil {
						return fmt.Errorf("module %q: %w", m.name, err)
					}
				}
				if n, _ := io.Copy(io.Discard, out); n > 0 {
					return fmt.Errorf("xz wrote %d bytes more than its files say", n)
				}
				return nil
			}()
			if err != nil {
				cmd.Process.Kill()
			}
			if waitErr := cmd.Wait(); err == nil && waitErr != nil {
				err = fmt.Errorf("xz: %w", waitErr)
			}
			return err
		})
	}
	return group.Wait()
}

// mostModule bounds an unpacked module, bytes. The largest of trixie, nouveau
// and amdgpu, have 5 to 30 MB.
const mostModule = 256 << 20

// unpackedSize reads from an .xz file's index how large its content is. Only
// files of one stream without padding are taken, which is what xz makes.
// Source: The .xz File Format 1.2.1, sections 2.1.2 and 4.
func unpackedSize(name string) (int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	const footer, header = 12, 12
	var foot [footer]byte
	if info.Size() < header+footer {
		return 0, errNoXZ
	}
	if _, err := f.ReadAt(foot[:], info.Size()-footer); err != nil {
		return 0, err
	}
	if string(foot[10:]) != "YZ" {
		return 0, errNoXZ
	}
	indexSize := (int64(binary.LittleEndian.Uint32(foot[4:])) + 1) * 4
	if indexSize > info.Size()-header-footer || indexSize > 1<<20 {
		return 0, errNoXZ
	}
	index := make([]byte, indexSize)
	if _, err := f.ReadAt(index, info.Size()-footer-indexSize); err != nil {
		return 0, err
	}
	return indexedSize(index)
}

var errNoXZ = errors.New("no .xz file of one stream")

// indexedSize adds up the unpacked sizes in the index of an .xz stream.
func indexedSize(index []byte) (int64, error) {
	if len(index) == 0 || index[0] != 0 {
		return 0, errNoXZ
	}
	rest := index[1:]
	number := func() uint64 {
		n, used := binary.Uvarint(rest)
		if used <= 0 {
			rest = nil
			return 0
		}
		rest = rest[used:]
		return n
	}
	var total uint64
	for range number() {
		number() // size in the file
		total += number()
		if rest == nil || total > mostModule {
			return 0, errNoXZ
		}
	}
	return int64(total), nil
}

// indexedSections are those that depmod reads: names, symbols, exports,
// versions and what modinfo shows.
// Source: libkmod/libkmod-elf.c, kmod 34.
func indexedSection(name string) bool {
	switch name {
	case ".modinfo", ".strtab", ".symtab", ".shstrtab", "__versions", "__version_ext_crcs", "__version_ext_names":
		return true
	}
	return strings.HasPrefix(name, "__ksymtab") || strings.HasPrefix(name, "__kcrctab") || strings.HasPrefix(name, ".gnu.linkonce.this_module")
}

// writeIndexed writes a module without the sections that depmod does not read:
// their headers stay and say that they are empty.
func writeIndexed(name string, module []byte) error {
	const headerSize, sectionSize = 64, 64
	le := binary.LittleEndian
	if len(module) < headerSize || string(module[:4]) != elf.ELFMAG ||
		module[elf.EI_CLASS] != byte(elf.ELFCLASS64) || module[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return os.WriteFile(name, module, 0o644)
	}
	start, size, count, names := le.Uint64(module[40:]), le.Uint16(module[58:]), int(le.Uint16(module[60:])), int(le.Uint16(module[62:]))
	length := uint64(len(module))
	if size != sectionSize || names >= count || start > length || uint64(count)*sectionSize > length-start {
		return fmt.Errorf("its section headers are outside of it")
	}
	headers := slices.Clone(module[start : start+uint64(count)*sectionSize])
	section := func(i int) []byte { return headers[i*sectionSize : (i+1)*sectionSize] }
	content := func(i int) ([]byte, error) {
		h := section(i)
		offset, size := le.Uint64(h[24:]), le.Uint64(h[32:])
		if elf.SectionType(le.Uint32(h[4:])) == elf.SHT_NOBITS {
			return nil, nil
		}
		if offset > length || size > length-offset {
			return nil, fmt.Errorf("section %d is outside of it", i)
		}
		return module[offset : offset+size], nil
	}
	table, err := content(names)
	if err != nil {
		return err
	}
	kept := slices.Clone(module[:headerSize])
	for i := range count {
		h := section(i)
		label := le.Uint32(h)
		if uint64(label) > uint64(len(table)) {
			return fmt.Errorf("the name of section %d is outside of it", i)
		}
		title, _, _ := strings.Cut(string(table[label:min(len(table), int(label)+64)]), "\x00")
		var data []byte
		if indexedSection(title) {
			if data, err = content(i); err != nil {
				return err
			}
		}
		for len(kept)%16 != 0 {
			kept = append(kept, 0)
		}
		le.PutUint64(h[24:], uint64(len(kept)))
		le.PutUint64(h[32:], uint64(len(data)))
		kept = append(kept, data...)
	}
	for len(kept)%16 != 0 {
		kept = append(kept, 0)
	}
	le.PutUint64(kept[40:], uint64(len(kept)))
	return os.WriteFile(name, append(kept, headers...), 0o644)
}
