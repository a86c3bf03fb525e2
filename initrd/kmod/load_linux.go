package kmod

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A Loader loads modules of one directory into the running kernel, each once.
// Its methods may be called from several goroutines: a module waits for those
// it depends on and for nothing else.
type Loader struct {
	index   *Index
	dir     string            // the modules directory, absolute
	options map[string]string // module → parameters
	refused map[string]bool   // not loaded for an alias (modprobe.blacklist=)

	mu     sync.Mutex
	states map[string]*state
}

type state struct {
	done chan struct{}
	err  error
}

// NewLoader makes a loader for the modules below dir. options has the
// parameters of modules by name, refused the modules that an alias must not
// load (by name they load all the same); both may be nil.
func NewLoader(x *Index, dir string, options map[string]string, refused map[string]bool) *Loader {
	return &Loader{index: x, dir: dir, options: options, refused: refused, states: map[string]*state{}}
}

// Index returns the index that the loader goes by.
func (l *Loader) Index() *Index { return l.index }

// Load loads what answers to a module's name or an alias, dependencies first,
// and returns when all of it is initialised. A name that nobody answers to is
// ErrUnknown. Of several modules that answer to one alias all are tried; that
// some refuse the machine (a driver for another CPU) is an error only if all do.
func (l *Loader) Load(wanted string) error {
	names, known := l.index.Resolve(wanted)
	if !known {
		return fmt.Errorf("module %q: %w", wanted, ErrUnknown)
	}
	byAlias := len(names) != 1 || names[0] != Name(wanted)
	var errs []error
	loaded := 0
	for _, name := range names {
		if byAlias && l.refused[name] {
			continue
		}
		if err := l.one(name); err != nil {
			errs = append(errs, err)
			continue
		}
		loaded++
	}
	if loaded > 0 {
		return nil
	}
	return errors.Join(errs...)
}

// ErrUnknown says that neither a module nor an alias has the name.
var ErrUnknown = errors.New("no module and no alias has this name")

// Tried says whether the module has been loaded or tried by this loader.
func (l *Loader) Tried(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.states[Name(name)]
	return ok
}

// one loads a module with all that it needs, in the order of Closure, so that
// a circle of soft dependencies ends. It never waits while a module of its
// own is unfinished: two goroutines cannot wait for each other.
func (l *Loader) one(name string) error {
	order, _ := l.index.Closure(name)
	errs := map[string]error{}
	for _, m := range order {
		errs[m.Name] = l.insert(m, errs)
	}
	return errs[name]
}

// insert loads one module whose dependencies have been tried: errs has what
// became of them.
func (l *Loader) insert(m Module, errs map[string]error) error {
	l.mu.Lock()
	s, begun := l.states[m.Name]
	if !begun {
		s = &state{done: make(chan struct{})}
		l.states[m.Name] = s
	}
	l.mu.Unlock()
	if begun {
		<-s.done
		return s.err
	}
	defer close(s.done)
	for _, dep := range m.Deps {
		if err := errs[dep]; err != nil {
			s.err = fmt.Errorf("load module %s: %w", m.Name, err)
			return s.err
		}
	}
	s.err = Insert(filepath.Join(l.dir, m.File), l.options[m.Name])
	return s.err
}

// Insert loads one module file, compressed (.ko.xz, .ko.zst, .ko.gz: the
// kernel decompresses) or plain, with parameters such as "debug=1 mode=2". A
// module that the kernel has already is not an error.
func Insert(file, parameters string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("load module: %w", err)
	}
	defer f.Close()
	flags := 0
	if !strings.HasSuffix(file, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	err = unix.FinitModule(int(f.Fd()), parameters, flags)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("load module %s: %w", Name(file), err)
	}
	return nil
}
