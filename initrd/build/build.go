// Package build writes the initramfs: a newc cpio archive, compressed with
// zstd, that holds our own program as /init, the kernel modules that may be
// needed to reach the root file system, and an index of just these modules.
//
//	kernel/x86/microcode/…                 in front and not compressed: corrections of processors
//	init                                   the program (mode 0755)
//	dev/console, dev/null, dev/kmsg        for the moment before devtmpfs
//	etc/initrd-release                     says that this is an initramfs
//	etc/reprise/load                       modules to load in any case, one a line
//	etc/reprise/keymap                     of the console, as loadkeys --bkeymap writes it; may be missing
//	usr/lib/modules/<version>/…            modules and modules.{dep,alias,softdep}
//
// There is no sbin/modprobe: stage 1 makes it. Were it there from the start,
// the kernel would run it some two dozen times before /init, for ciphers that
// it looks up while it tests itself (1.2 s of a 3.3 s boot under QEMU's TCG).
//
// The same Spec gives the same bytes: entries are sorted, times and inode
// numbers are fixed, and the compressor's version is pinned by go.mod.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"reprise/initrd/kmod"
	"reprise/internal/diag"
)

// A Spec says what goes into an initramfs.
type Spec struct {
	Binary string // path of a static program that becomes /init
	// Trees hold usr/lib/modules/<Kernel>: the kernel's package first, then
	// the layer with depmod's index. A file is taken from the first that has it.
	Trees  []fs.FS
	Kernel string // version, such as "6.12.107+deb13-rt-amd64"
	// Want names modules or aliases to have at hand, on top of Defaults. They
	// are loaded for devices that ask for them. One that the kernel does not
	// know is an error.
	Want []string
	// Load names modules to load in every boot, such as a watchdog's driver.
	Load []string
	// Medium says that it starts from an installation medium: it can read one,
	// and reaches every disk that somebody may want to install on.
	Medium bool
	Extra  []File // further files; they may not replace those listed above
	// Microcode holds usr/lib/firmware with corrections of processors: they go
	// into an archive of their own in front, as they are.
	Microcode []fs.FS
}

// A File is an additional entry of the archive.
type File struct {
	Name string      // relative and clean: "etc/reprise/keymap"
	Mode fs.FileMode // permission bits; with fs.ModeSymlink Data is the target
	Data []byte
}

// A Plan is the content of an initramfs before anything is written: the
// modules in an order in which they could be loaded, and the index of them.
type Plan struct {
	Modules []kmod.Module
	Index   map[string][]byte // modules.dep and so on
	Load    []string          // as in Spec, without what the kernel has built in
}

// Choose decides which modules an initramfs holds. All names of spec that the
// kernel does not know come back at once, as diag.Problems.
func Choose(spec Spec) (*Plan, error) {
	if spec.Kernel == "" || !fs.ValidPath(spec.Kernel) || strings.Contains(spec.Kernel, "/") {
		return nil, fmt.Errorf("choose modules: kernel version is %q", spec.Kernel)
	}
	x, err := kmod.Read(layered{spec.Trees, modulesDir(spec.Kernel)})
	if err != nil {
		return nil, fmt.Errorf("choose modules for kernel %s: %w", spec.Kernel, err)
	}
	needed, ready := required, Defaults()
	if spec.Medium {
		needed, ready = slices.Concat(needed, mediumRequired), slices.Concat(ready, medium)
	}
	wanted := slices.Concat(needed, ready, spec.Want, spec.Load)
	modules, unknown := x.Closure(wanted...)
	var problems diag.Problems
	for _, name := range unknown {
		asked := slices.Contains(spec.Want, name) || slices.Contains(spec.Load, name)
		if !asked && !slices.Contains(needed, name) {
			continue // a default driver that this kernel is built without
		}
		p := diag.Problem{
			Field: "kernel module",
			Got:   fmt.Sprintf("%q is not known to kernel %s", name, spec.Kernel),
			Want:  "a module or an alias of that kernel",
			Do:    "take another kernel: this one cannot mount the root file system",
		}
		if asked {
			p.Do = "remove it from the list"
			if near := diag.Nearest(kmod.Name(name), x.Names()); len(near) > 0 {
				p.Do = "write " + strings.Join(near, " or ")
			}
		}
		problems = append(problems, p)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	plan := &Plan{Modules: modules, Index: x.Files(modules, nil)}
	for _, name := range spec.Load {
		if names, _ := x.Resolve(name); len(names) > 0 {
			plan.Load = append(plan.Load, name)
		}
	}
	return plan, nil
}

// Write writes the initramfs that spec describes to w. Nothing of spec is
// interpreted beyond the module index; the program is taken as it is, after a
// look that it is an ELF file and needs no interpreter.
func Write(ctx context.Context, w io.Writer, spec Spec) error {
	plan, err := Choose(spec)
	if err != nil {
		return err
	}
	entries, err := plan.entries(spec)
	if err != nil {
		return fmt.Errorf("write initramfs: %w", err)
	}
	if err := writeMicrocode(w, spec.Microcode); err != nil {
		return fmt.Errorf("write microcode: %w", err)
	}
	z, err := zstd.NewWriter(w,
		zstd.WithEncoderLevel(zstd.SpeedDefault), // the next is slower by 0.3 s for 2 % (most is xz inside)
		zstd.WithEncoderConcurrency(1),
		// The kernel unpacks it in one piece and allocates the window anew:
		// 8 MiB is what zstd's own levels up to 19 use.
		zstd.WithWindowSize(8<<20))
	if err != nil {
		return fmt.Errorf("write initramfs: %w", err)
	}
	if err := writeArchive(ctx, z, entries); err != nil {
		return errors.Join(fmt.Errorf("write initramfs: %w", err), z.Close())
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("write initramfs: %w", err)
	}
	return nil
}

func modulesDir(kernel string) string { return "usr/lib/modules/" + kernel }

// entries lists everything of the archive but the directories.
func (p *Plan) entries(spec Spec) ([]entry, error) {
	if err := checkStatic(spec.Binary); err != nil {
		return nil, err
	}
	dir := modulesDir(spec.Kernel)
	tree := layered{spec.Trees, dir}
	list := []entry{
		{name: "init", mode: 0o100755, open: func() (fs.File, error) { return os.Open(spec.Binary) }},
		device("dev/console", 0o600, 5, 1),
		device("dev/null", 0o666, 1, 3),
		device("dev/kmsg", 0o644, 1, 11),
		static("etc/initrd-release", []byte("ID=reprise\nNAME=\"reprise initramfs\"\n")),
		static("etc/reprise/load", []byte(strings.Join(append(slices.Clone(p.Load), ""), "\n"))),
	}
	for name, data := range p.Index {
		list = append(list, static(path.Join(dir, name), data))
	}
	for _, m := range p.Modules {
		list = append(list, entry{
			name: path.Join(dir, m.File), mode: 0o100644,
			open: func() (fs.File, error) { return tree.Open(m.File) },
		})
	}
	taken := map[string]bool{}
	for _, e := range list {
		taken[e.name] = true
	}
	for _, f := range spec.Extra {
		if !fs.ValidPath(f.Name) || f.Name == "." || taken[f.Name] {
			return nil, fmt.Errorf("extra file %q: the name is not clean, or is taken", f.Name)
		}
		taken[f.Name] = true
		e := static(f.Name, f.Data)
		switch f.Mode.Type() {
		case 0:
			e.mode = 0o100000 | uint32(f.Mode.Perm())
		case fs.ModeSymlink:
			e = link(f.Name, string(f.Data))
		default:
			return nil, fmt.Errorf("extra file %q: mode %v is neither a file nor a symlink", f.Name, f.Mode)
		}
		list = append(list, e)
	}
	return list, nil
}

// layered finds a file in the first of several trees that has it, below dir.
type layered struct {
	trees []fs.FS
	dir   string
}

func (l layered) Open(name string) (fs.File, error) {
	for _, tree := range l.trees {
		f, err := tree.Open(path.Join(l.dir, name))
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: path.Join(l.dir, name), Err: fs.ErrNotExist}
}
