// Package kmod finds and loads kernel modules: the part of kmod's modprobe
// that a boot needs, and the choice of modules that go into an initramfs.
//
// Words: a module's name has '_' for '-' and no suffix ("usb_storage"); its
// file is the path below the modules directory ("kernel/…/usb-storage.ko.xz");
// an alias is what the kernel asks for on behalf of a device, a file system or
// an algorithm ("pci:v00008086d…", "fs-ext4", "crypto-crc32c"), and patterns
// of such aliases are listed in modules.alias with shell wildcards.
//
// An Index is read from the text files that depmod writes beside the modules
// (modules.dep, modules.alias, modules.softdep) and the kernel's own build
// (modules.builtin, modules.builtin.modinfo). The binary *.bin twins are not
// needed. Write makes the same text files for a choice of modules, so that
// stage 1 reads a few kilobytes where the whole index has two megabytes.
//
// Left out, because an initramfs of ours has no use for it: modprobe.d, install
// and remove commands, weak updates, unloading of dependencies.
package kmod

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// maxIndexFile bounds each index file, bytes. Debian's largest has 1.4 MB.
const maxIndexFile = 64 << 20

// A Module is one loadable module.
type Module struct {
	Name string   // with '_' for '-'
	File string   // below the modules directory, with suffix .ko or .ko.xz …
	Deps []string // names of the modules it needs, all of them, in modules.dep's order: load the last first
	Pre  []string // names or aliases to load before it when they are there (softdep pre)
	Post []string // names or aliases to load after it when they are there (softdep post)
}

type alias struct{ pattern, module string }

// An Index knows the modules of one kernel. It is not changed after Read.
type Index struct {
	modules  map[string]*Module
	exact    map[string][]string // alias without wildcards → module names
	patterns []alias
	builtin  map[string]bool
}

// Name returns the canonical name of a module: "usb_storage" for
// "kernel/drivers/usb/storage/usb-storage.ko.xz" or "usb-storage".
func Name(s string) string {
	s = path.Base(s)
	if i := strings.Index(s, ".ko"); i > 0 {
		s = s[:i]
	}
	return strings.ReplaceAll(s, "-", "_")
}

// Read reads the index of the modules directory at the root of fsys (that is
// usr/lib/modules/<version>). modules.dep must be there; the other files may
// be missing.
func Read(fsys fs.FS) (*Index, error) {
	x := &Index{modules: map[string]*Module{}, exact: map[string][]string{}, builtin: map[string]bool{}}
	readers := []struct {
		file string
		line func(string) error
	}{
		{"modules.dep", x.addDep},
		{"modules.softdep", x.addSoftdep},
		{"modules.builtin", x.addBuiltin},
		{"modules.alias", x.addAlias},
	}
	for i, r := range readers {
		err := eachLine(fsys, r.file, r.line)
		if errors.Is(err, fs.ErrNotExist) && i > 0 {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read module index: %w", err)
		}
	}
	if err := x.addBuiltinAliases(fsys); err != nil {
		return nil, fmt.Errorf("read module index: %w", err)
	}
	return x, nil
}

func eachLine(fsys fs.FS, file string, use func(string) error) error {
	data, err := readBounded(fsys, file)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := use(line); err != nil {
			return fmt.Errorf("%s:%d: %w", file, number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

func readBounded(fsys fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(fsys, file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxIndexFile {
		return nil, fmt.Errorf("%s has %d bytes, the most is %d", file, info.Size(), maxIndexFile)
	}
	return fs.ReadFile(fsys, file)
}

// addDep takes "kernel/fs/ext4/ext4.ko.xz: kernel/lib/crc16.ko.xz …".
func (x *Index) addDep(line string) error {
	file, rest, ok := strings.Cut(line, ":")
	if !ok {
		return fmt.Errorf("%.80q has no colon", line)
	}
	if !fs.ValidPath(file) || !strings.Contains(path.Base(file), ".ko") {
		return fmt.Errorf("%.80q is not a module's path", file)
	}
	m := &Module{Name: Name(file), File: file}
	for _, dep := range strings.Fields(rest) {
		m.Deps = append(m.Deps, Name(dep))
	}
	x.modules[m.Name] = m
	return nil
}

// addSoftdep takes "softdep ext4 pre: crypto-crc32c post: x". Names before
// the first "pre:" or "post:" mean nothing, as in kmod.
func (x *Index) addSoftdep(line string) error {
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "softdep" {
		return nil
	}
	m := x.modules[Name(words[1])]
	if m == nil {
		return nil
	}
	var list *[]string
	for _, word := range words[2:] {
		switch {
		case word == "pre:":
			list = &m.Pre
		case word == "post:":
			list = &m.Post
		case list != nil && !slices.Contains(*list, word):
			*list = append(*list, word)
		}
	}
	return nil
}

// addAlias takes "alias PATTERN MODULE". Patterns may not hold white space.
func (x *Index) addAlias(line string) error {
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != "alias" {
		return nil
	}
	pattern, module := words[1], Name(words[2])
	if strings.ContainsAny(pattern, "*?[") {
		x.patterns = append(x.patterns, alias{pattern, module})
		return nil
	}
	key := exactKey(pattern)
	if !slices.Contains(x.exact[key], module) {
		x.exact[key] = append(x.exact[key], module)
	}
	return nil
}

func (x *Index) addBuiltin(line string) error {
	x.builtin[Name(line)] = true
	return nil
}

// addBuiltinAliases reads NUL-separated "module.alias=NAME" records.
func (x *Index) addBuiltinAliases(fsys fs.FS) error {
	data, err := readBounded(fsys, "modules.builtin.modinfo")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, record := range strings.Split(string(data), "\x00") {
		key, value, _ := strings.Cut(record, "=")
		module, field, _ := strings.Cut(key, ".")
		if field == "alias" && value != "" {
			x.builtin[Name(module)] = true
			_ = x.addAlias("alias " + value + " " + module)
		}
	}
	return nil
}

// exactKey folds '-' and '_', which modprobe takes as the same in names.
func exactKey(s string) string { return strings.ReplaceAll(s, "-", "_") }

// Module returns the loadable module of that name.
func (x *Index) Module(name string) (Module, bool) {
	m, ok := x.modules[Name(name)]
	if !ok {
		return Module{}, false
	}
	return *m, true
}

// Builtin says whether the kernel itself has the module.
func (x *Index) Builtin(name string) bool { return x.builtin[Name(name)] }

// Names lists all loadable modules, sorted.
func (x *Index) Names() []string { return slices.Sorted(maps.Keys(x.modules)) }

// Resolve returns the names of the modules that answer to a module's name or
// to an alias such as a device's modalias, in the order of the index. known is
// true as well when only the kernel itself answers, which leaves nothing to
// load.
func (x *Index) Resolve(wanted string) (names []string, known bool) {
	if !strings.ContainsAny(wanted, "/") {
		name := Name(wanted)
		if _, ok := x.modules[name]; ok {
			return []string{name}, true
		}
		if x.builtin[name] {
			return nil, true
		}
	}
	add := func(module string) {
		if x.builtin[module] {
			known = true
		} else if _, ok := x.modules[module]; ok && !slices.Contains(names, module) {
			names, known = append(names, module), true
		}
	}
	for _, module := range x.exact[exactKey(wanted)] {
		add(module)
	}
	for _, a := range x.patterns {
		if match(a.pattern, wanted) {
			add(a.module)
		}
	}
	return names, known
}

// Closure returns the modules that the wanted names and aliases need, soft
// dependencies included, in an order in which each may be loaded after all
// before it. Wanted names that neither a module nor the kernel answers to come
// back in unknown.
func (x *Index) Closure(wanted ...string) (order []Module, unknown []string) {
	done := map[string]bool{}
	var visit func(name string)
	soft := func(list []string) {
		for _, s := range list {
			names, _ := x.Resolve(s)
			for _, n := range names {
				visit(n)
			}
		}
	}
	visit = func(name string) {
		m := x.modules[name]
		if m == nil || done[name] {
			return
		}
		done[name] = true
		soft(m.Pre)
		for _, dep := range slices.Backward(m.Deps) {
			visit(dep)
		}
		order = append(order, *m)
		soft(m.Post)
	}
	for _, w := range wanted {
		names, known := x.Resolve(w)
		if !known {
			unknown = append(unknown, w)
		}
		for _, n := range names {
			visit(n)
		}
	}
	return order, unknown
}
