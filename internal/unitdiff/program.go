package unitdiff

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// maxProgram bounds a program that is read whole, because its view cannot read
// at an offset.
const maxProgram = 256 << 20 // bytes

// searchPath is where systemd looks for a program without a slash:
// systemd.exec(5), "ExecSearchPath=".
var searchPath = []string{"usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin"}

// programs lists what a service runs from its view: the programs of ExecStart,
// and files of /usr among their words, such as a script for an interpreter.
func (f *files) programs(d *definition) []string {
	fill := specifiers(d.name)
	var all []string
	for _, line := range d.settings["Service.ExecStart"] {
		for i, word := range command(line) {
			word = fill(word)
			switch {
			case strings.HasPrefix(word, "/"):
				at, ok := f.regular(word)
				if ok && strings.HasPrefix(at, "usr/") {
					all = append(all, at)
				}
			case i == 0 && !strings.Contains(word, "/"):
				for _, dir := range searchPath {
					if at, ok := f.regular(dir + "/" + word); ok {
						all = append(all, at)
						break
					}
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// loads lists what a program brings into memory when it starts: its
// interpreter and its shared libraries with theirs, sorted. What is no program
// or cannot be read brings nothing.
func (f *files) loads(program string) []string {
	if known, ok := f.libraries[program]; ok {
		return known
	}
	found := map[string]bool{}
	todo := []string{program}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		direct, err := f.direct(p)
		if err != nil {
			continue
		}
		for _, l := range direct {
			if !found[l] && l != program {
				found[l] = true
				todo = append(todo, l)
			}
		}
	}
	all := make([]string, 0, len(found))
	for l := range found {
		all = append(all, l)
	}
	slices.Sort(all)
	f.libraries[program] = all
	return all
}

// direct lists the interpreter and the libraries that a file itself names.
func (f *files) direct(program string) ([]string, error) {
	file, err := f.fsys.Open(program)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	at, ok := file.(io.ReaderAt)
	if !ok {
		data, err := io.ReadAll(io.LimitReader(file, maxProgram+1))
		if err != nil {
			return nil, err
		}
		if len(data) > maxProgram {
			return nil, errTooLarge
		}
		at = bytes.NewReader(data)
	}
	var head [256]byte
	n, err := at.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if line, ok := strings.CutPrefix(string(head[:n]), "#!"); ok {
		line, _, _ = strings.Cut(line, "\n")
		return f.interpreter(strings.Fields(line)), nil
	}
	e, err := elf.NewFile(at)
	if err != nil {
		return nil, err
	}
	return f.linked(e, path.Dir(program))
}

func (f *files) interpreter(words []string) []string {
	var all []string
	for i, w := range words {
		if i == 0 || i == 1 && path.Base(words[0]) == "env" {
			if !strings.Contains(w, "/") {
				w = "usr/bin/" + w
			}
			if at, ok := f.regular(w); ok {
				all = append(all, at)
			}
		}
	}
	return all
}

// linked finds an ELF file's libraries as ld.so(8) does, but for LD_LIBRARY_PATH
// and what is loaded by name while the program runs.
func (f *files) linked(e *elf.File, origin string) ([]string, error) {
	needed, err := e.DynString(elf.DT_NEEDED)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		paths, err := e.DynString(tag)
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			for dir := range strings.SplitSeq(p, ":") {
				dir = strings.NewReplacer("$ORIGIN", "/"+origin, "${ORIGIN}", "/"+origin).Replace(dir)
				dirs = append(dirs, dir)
			}
		}
	}
	for _, p := range e.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		text, err := io.ReadAll(p.Open())
		if err != nil {
			return nil, err
		}
		needed = append(needed, strings.TrimRight(string(text), "\x00"))
	}
	dirs = append(dirs, f.libraryPath()...)
	var all []string
	for _, name := range needed {
		if strings.Contains(name, "/") {
			if at, ok := f.regular(name); ok {
				all = append(all, at)
			}
			continue
		}
		for _, dir := range dirs {
			if at, ok := f.regular(dir + "/" + name); ok {
				all = append(all, at)
				break
			}
		}
	}
	return all, nil
}

// triplets are the directories of shared libraries of the machines that have a
// Debian of ours.
var triplets = []string{"x86_64-linux-gnu", "aarch64-linux-gnu"}

// libraryPath is what /etc/ld.so.conf.d says, then the directories that ld.so
// knows by itself.
func (f *files) libraryPath() []string {
	if f.search != nil {
		return f.search
	}
	dirs := []string{}
	entries, _ := f.readDir("etc/ld.so.conf.d")
	for _, e := range entries {
		text, err := f.text("etc/ld.so.conf.d/" + e.Name())
		if err != nil || !strings.HasSuffix(e.Name(), ".conf") {
			continue
		}
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
				dirs = append(dirs, line)
			}
		}
	}
	for _, t := range triplets {
		dirs = append(dirs, "usr/lib/"+t)
	}
	f.search = append(dirs, "usr/lib64", "usr/lib")
	return f.search
}

// owner is the name of the store path that a file comes from, which for a
// package is its name and version: "openssh-server-1:10.0p1-7".
func (f *files) owner(name string) string {
	source := strings.TrimPrefix(f.source(name), "/")
	base, _, _ := strings.Cut(source, "/")
	_, owner, ok := strings.Cut(base, "-")
	if !ok {
		return ""
	}
	return strings.ReplaceAll(strings.ReplaceAll(owner, "__", "~"), "_", ":")
}

// sameProgram compares a file of two views. One that comes from another version
// of its package is another program: what it reads beside itself is, too.
func sameProgram(a, b *files, name string) bool {
	if s := a.source(name); s != "" && s == b.source(name) {
		return true
	}
	if a.owner(name) != b.owner(name) {
		return false
	}
	return sameBytes(a, name, b, name)
}

// A run is what a service has in memory once it is started.
type run struct {
	programs []string
	loads    []string // without programs
}

func (f *files) run(d *definition) run {
	r := run{programs: f.programs(d)}
	for _, p := range r.programs {
		r.loads = append(r.loads, f.loads(p)...)
	}
	slices.Sort(r.loads)
	r.loads = slices.DeleteFunc(slices.Compact(r.loads), func(l string) bool { return slices.Contains(r.programs, l) })
	return r
}

// other says that the same words lead to other programs, as they do when
// /etc/alternatives has another. Programs of other words are a change of a
// unit's text, not of a program.
func other(old, new *definition, before, after []string) string {
	if !slices.Equal(old.settings["Service.ExecStart"], new.settings["Service.ExecStart"]) {
		return ""
	}
	for _, p := range after {
		if !slices.Contains(before, p) {
			return fmt.Sprintf("it now starts %q", "/"+p)
		}
	}
	return "one of its programs is gone"
}

// programChange says in a clause what differs in what a service has in memory,
// or "".
func programChange(a, b *files, old, new *definition) string {
	before, after := a.run(old), b.run(new)
	for _, p := range after.programs {
		if slices.Contains(before.programs, p) && !sameProgram(a, b, p) {
			return fmt.Sprintf("its program %q %s", "/"+p, from(a, b, p))
		}
	}
	if !slices.Equal(before.programs, after.programs) {
		return other(old, new, before.programs, after.programs)
	}
	for _, l := range after.loads {
		if slices.Contains(before.loads, l) && !sameProgram(a, b, l) {
			return fmt.Sprintf("it uses %q, which %s", path.Base(l), from(a, b, l))
		}
	}
	for _, l := range after.loads {
		if !slices.Contains(before.loads, l) {
			return fmt.Sprintf("it uses %q, which it did not before", path.Base(l))
		}
	}
	for _, l := range before.loads {
		if !slices.Contains(after.loads, l) {
			return fmt.Sprintf("it no longer uses %q", path.Base(l))
		}
	}
	return ""
}

// from says where a file comes from now and came from before.
func from(a, b *files, name string) string {
	before, after := a.owner(name), b.owner(name)
	if before == after {
		return "has changed"
	}
	return fmt.Sprintf("comes from %s (was %s)", after, before)
}
