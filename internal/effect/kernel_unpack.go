package effect

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"reprise/internal/deb"
)

// depmod reads modules one after the other, and nine tenths of its time go into
// decompressing them. unpackModules does that part beforehand, on every core,
// and keeps only what depmod looks at: 500 MB of modules become 60. kmod tells
// a compressed file by its first bytes and not by its name, so the files keep
// their names and the index is the same, byte for byte.
//
// files maps the name below dir to the module's real place. Names that are not
// .ko.xz become links.
func unpackModules(ctx context.Context, cores int, files map[string]string, dir string) error {
	dirs := map[string]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cores)
	memory := make(chan *moduleMemory, cores) // not a sync.Pool: that forgets
	for range cores {
		memory <- &moduleMemory{}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		place := files[name]
		if parent := filepath.Join(dir, filepath.Dir(name)); !dirs[parent] {
			dirs[parent] = true
			if err := os.MkdirAll(parent, 0o755); err != nil {
				return err
			}
		}
		if !strings.HasSuffix(name, ".ko.xz") {
			if err := os.Symlink(place, filepath.Join(dir, name)); err != nil {
				return err
			}
			continue
		}
		group.Go(func() error {
			m := <-memory
			defer func() { memory <- m }()
			m.plain.Reset()
			err := readModule(ctx, place, &m.plain)
			if err == nil {
				m.kept, err = indexed(m.kept[:0], m.plain.Bytes())
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), m.kept, 0o644)
			}
			if err != nil {
				return fmt.Errorf("module %q: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// moduleMemory is what unpacking one module after the other takes.
type moduleMemory struct {
	plain bytes.Buffer
	kept  []byte
}

// mostModule bounds an unpacked module, bytes. The largest of trixie, nouveau
// and amdgpu, have 5 to 30 MB.
const mostModule = 256 << 20

// readModule appends the decompressed module at place to b.
func readModule(ctx context.Context, place string, b *bytes.Buffer) error {
	f, err := os.Open(place)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := deb.NewXZ(ctx, f, info.Size())
	if err != nil {
		return err
	}
	defer z.Close()
	n, err := b.ReadFrom(io.LimitReader(z, mostModule+1))
	if err == nil && n > mostModule {
		err = fmt.Errorf("it unpacks to more than %d bytes", int64(mostModule))
	}
	return err
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

// indexed appends a module without the sections that depmod does not read to
// kept, which is empty: their headers stay and say that they are empty.
func indexed(kept, module []byte) ([]byte, error) {
	const headerSize, sectionSize = 64, 64
	le := binary.LittleEndian
	if len(module) < headerSize || string(module[:4]) != elf.ELFMAG ||
		module[elf.EI_CLASS] != byte(elf.ELFCLASS64) || module[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return append(kept, module...), nil
	}
	start, size, count, names := le.Uint64(module[40:]), le.Uint16(module[58:]), int(le.Uint16(module[60:])), int(le.Uint16(module[62:]))
	length := uint64(len(module))
	if size != sectionSize || names >= count || start > length || uint64(count)*sectionSize > length-start {
		return nil, fmt.Errorf("its section headers are outside of it")
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
		return nil, err
	}
	kept = append(kept, module[:headerSize]...)
	for i := range count {
		h := section(i)
		label := le.Uint32(h)
		if uint64(label) > uint64(len(table)) {
			return nil, fmt.Errorf("the name of section %d is outside of it", i)
		}
		title, _, _ := strings.Cut(string(table[label:min(len(table), int(label)+64)]), "\x00")
		var data []byte
		if indexedSection(title) {
			if data, err = content(i); err != nil {
				return nil, err
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
	return append(kept, headers...), nil
}
