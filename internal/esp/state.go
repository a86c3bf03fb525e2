package esp

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"reprise/internal/bootentry"
)

// A State is what lies on an ESP.
type State struct {
	Entries []Entry // by number, then by name
	// Env is what GRUB decides by. EnvProblem says why GRUB cannot read it.
	Env        bootentry.Env
	EnvProblem string
	Menus      map[string]bootentry.Menu // those that are whole, by their letter
	Images     []Image                   // kernels and initrds, by path
	Foreign    []string                  // files in our directories that are not ours; nothing is done to them
	Unfinished []string                  // files of ours that a power cut left half written, by path
	Space      Space

	dirs  map[string]bool
	texts map[string][]byte // loader.conf, grub.cfg, grubenv and the menus, as far as they are there
}

// An Entry is an entry file of systemd-boot.
type Entry struct {
	Name string
	bootentry.Entry
	Text bootentry.Text
	// Problem says why it cannot be booted: it is torn, or names a kernel that
	// is not there.
	Problem string

	content []byte
}

// An Image is a kernel or an initrd.
type Image struct {
	Path  string
	Bytes int64
}

// tempName is the file that an older text is replaced by, in its directory.
const tempName = "reprise.new"

const (
	textMax  = 64 << 10
	menusMax = 4 << 20
)

var isImage = regexp.MustCompile(`^(kernel|initrd)-[0-9a-f]{32}$`)

// ourDirs are the directories that entries, images and menus need, parents
// first.
var ourDirs = []string{path.Dir(bootentry.LoaderConf), bootentry.EntryDir, bootentry.KernelDir, bootentry.GRUBDir}

// ourTexts are the files of which there is one.
var ourTexts = []string{
	bootentry.LoaderConf, bootentry.GRUBConfig, bootentry.GRUBEnv,
	bootentry.MenuPath(bootentry.MenuA), bootentry.MenuPath(bootentry.MenuB),
}

// Read tells what is on an ESP. What is damaged there is a part of the answer
// and no error.
func Read(f FS) (State, error) {
	s := State{Menus: map[string]bootentry.Menu{}, dirs: map[string]bool{}, texts: map[string][]byte{}}
	err := s.read(f)
	if err != nil {
		return State{}, fmt.Errorf("read the EFI system partition: %w", err)
	}
	return s, nil
}

func (s *State) read(f FS) error {
	var err error
	if s.Space, err = f.Space(); err != nil {
		return err
	}
	for _, dir := range ourDirs {
		if err := s.readDir(f, dir); err != nil {
			return err
		}
	}
	for i := range s.Entries {
		e := &s.Entries[i]
		var err error
		if e.Text, err = bootentry.ParseText(e.content); err != nil {
			e.Problem = err.Error()
			continue
		}
		for _, image := range []string{e.Text.Kernel, e.Text.Initrd} {
			if !s.has(image) {
				e.Problem = fmt.Sprintf("%q is not there", image)
			}
		}
	}
	slices.SortFunc(s.Entries, func(a, b Entry) int {
		if a.Number != b.Number {
			return a.Number - b.Number
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, menu := range []string{bootentry.MenuA, bootentry.MenuB} {
		if m, err := bootentry.ParseMenu(s.texts[bootentry.MenuPath(menu)]); err == nil {
			s.Menus[menu] = m
		}
	}
	if s.Env, err = bootentry.ParseEnv(s.texts[bootentry.GRUBEnv]); err != nil {
		s.EnvProblem = err.Error()
	}
	return nil
}

func (s *State) readDir(f FS, dir string) error {
	names, err := f.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.dirs[dir] = true
	for _, d := range names {
		name := path.Join(dir, d.Name())
		if d.IsDir() {
			if !slices.Contains(ourDirs, name) {
				s.Foreign = append(s.Foreign, name)
			}
			continue
		}
		switch entry, ok := bootentry.ParseEntryName(d.Name()); {
		case ok && dir == bootentry.EntryDir:
			content, err := f.ReadFile(name, textMax)
			if err != nil {
				s.Entries = append(s.Entries, Entry{Name: d.Name(), Entry: entry})
				continue // ParseText says the rest
			}
			s.Entries = append(s.Entries, Entry{Name: d.Name(), Entry: entry, content: content})
		case slices.Contains(ourTexts, name):
			content, err := f.ReadFile(name, menusMax)
			if err != nil {
				content = []byte{} // it is there
			}
			s.texts[name] = content
		case dir == bootentry.KernelDir && isImage.MatchString(d.Name()):
			info, err := d.Info()
			if err != nil {
				return err
			}
			s.Images = append(s.Images, Image{name, info.Size()})
		case d.Name() == tempName:
			s.Unfinished = append(s.Unfinished, name)
		default:
			s.Foreign = append(s.Foreign, name)
		}
	}
	return nil
}

func (s State) has(image string) bool {
	return slices.ContainsFunc(s.Images, func(i Image) bool { return i.Path == image })
}

// entry returns the entry by which generation n can be booted: its plain one
// if there is one.
func (s State) entry(n int) (best Entry, ok bool) {
	for _, e := range s.Entries {
		if e.Number == n && e.Problem == "" && (!ok || !e.Counted) {
			best, ok = e, true
		}
	}
	return best, ok
}

// Numbers are the generations that have an entry by which they can be booted,
// oldest first.
func (s State) Numbers() []int {
	var all []int
	for _, e := range s.Entries {
		if e.Problem == "" {
			all = append(all, e.Number)
		}
	}
	return slices.Compact(all)
}

// Default is the generation to start while none is on trial; 0 when nothing
// says it.
func (s State) Default() int {
	best := 0
	for _, e := range s.Entries {
		if e.Problem == "" && e.Text.Head && e.Text.Rank == bootentry.Default && (!e.Counted || e.Left > 0) {
			best = max(best, e.Number) // as systemd-boot sorts them
		}
	}
	if _, ok := s.entry(s.Env.Good); best == 0 && ok {
		return s.Env.Good
	}
	return best
}

// Tries tells how far the trial of generation n is: what is left of it, which
// is nothing when it has failed, and what is used up. Both are 0 for a generation
// that is not on trial. Whichever loader counted, the lower count is the true
// one: the other one stands still.
func (s State) Tries(n int) (left, done int) {
	first := true
	for _, e := range s.Entries {
		if e.Number != n || e.Problem != "" {
			continue
		}
		if !e.Counted {
			return 0, 0 // the trial is over, or there was none
		}
		if e.Left > 0 && e.Text.Rank != bootentry.Trial {
			continue // another generation was made the default
		}
		if first || e.Left < left {
			left, done = e.Left, e.Done
		}
		first = false
	}
	if first {
		return 0, 0
	}
	if s.EnvProblem == "" && s.Env.Trial == n && s.Env.Left < left {
		left, done = s.Env.Left, done+left-s.Env.Left
	}
	if left == 0 {
		done = max(done, 1) // it has failed
	}
	return left, done
}

// Carry sets Default, Tries and Done of generations to what the ESP says of
// them: the way to make a list for [Make] that changes nothing, to which a new
// generation is added.
func (s State) Carry(generations []bootentry.Generation) []bootentry.Generation {
	carried := slices.Clone(generations)
	good := s.Default()
	for i := range carried {
		g := &carried[i]
		g.Default = g.Number == good
		g.Tries, g.Done = s.Tries(g.Number)
		if g.Default {
			g.Tries, g.Done = 0, 0
		}
	}
	return carried
}
