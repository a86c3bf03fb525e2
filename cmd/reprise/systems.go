package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/builder"
	"reprise/internal/compose"
	"reprise/internal/config"
	"reprise/internal/deb"
	"reprise/internal/diag"
	"reprise/internal/layer"
	"reprise/internal/recipe"
	"reprise/internal/systemdiff"
	"reprise/store"
	"reprise/store/generation"
	"reprise/store/storepath"
)

// machineProfile is the profile whose generations are those of a machine.
const machineProfile = "system"

// Where a machine keeps its configuration, and what places in it are called.
const (
	configurationName    = "configuration.jsonnet"
	machineConfiguration = "/etc/reprise/" + configurationName
)

// systems reads systems from a store, and asks for no right to write there.
type systems struct {
	root        string // holds nix/store
	generations []generation.Generation
	sizes       map[storepath.Path]int64 // nil: not known
	packages    map[storepath.Path]*systemdiff.Package
	running     storepath.Path // "" when this machine does not run a system of the store
}

// systems opens the machine's own store, or the one of --store.
func (a *app) systems(ctx context.Context) (*systems, error) {
	root, err := a.readableStore()
	if err != nil {
		return nil, err
	}
	s := &systems{root: root, packages: map[storepath.Path]*systemdiff.Package{}, running: runningSystem(os.DirFS("/"))}
	profiles := filepath.Join(root, "nix/var/nix/profiles")
	s.generations, err = generation.Read(profiles, machineProfile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("generations of this machine: %w", err)
	}
	s.sizes, err = store.Sizes(ctx, root)
	if err != nil && diag.Exit(err) == diag.ExitStore || ctx.Err() != nil {
		return nil, err
	}
	return s, nil // without sizes they are not known
}

// readableStore is storeDir for those who only read: on a machine of ours
// anybody may.
func (a *app) readableStore() (string, error) {
	if a.store == "" && os.Getenv("REPRISE_STORE") == "" {
		if _, err := os.Lstat("/nix/var/nix/profiles/" + machineProfile); err == nil {
			return "/", nil
		}
	}
	return a.storeDir()
}

// runningSystem is the system that a machine runs now: what was attached last,
// what was booted, or what its kernel line says.
func runningSystem(root fs.FS) storepath.Path {
	for _, link := range []string{"run/reprise/current-system", "run/reprise/booted-system"} {
		if target, err := fs.ReadLink(root, link); err == nil {
			if p, err := storepath.Parse(target); err == nil {
				return p
			}
		}
	}
	line, err := fs.ReadFile(root, "proc/cmdline")
	if err != nil {
		return ""
	}
	for word := range strings.FieldsSeq(string(line)) {
		if target, ok := strings.CutPrefix(word, "reprise.system="); ok {
			if p, err := storepath.Parse(target); err == nil {
				return p
			}
		}
	}
	return ""
}

func (s *systems) real(p storepath.Path) string { return filepath.Join(s.root, string(p)) }

// current is the generation that is the default.
func (s *systems) current() (generation.Generation, error) {
	at := slices.IndexFunc(s.generations, func(g generation.Generation) bool { return g.Current })
	if at < 0 {
		return generation.Generation{}, s.noGenerations()
	}
	return s.generations[at], nil
}

func (s *systems) noGenerations() error {
	return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: s.root, Got: "has no generations", Want: "the store of a machine that reprise made",
		Do: "run it on that machine, or name a store with --store DIR"}}
}

// runs is the generation that runs, else the default.
func (s *systems) runs() (generation.Generation, error) {
	at := slices.IndexFunc(s.generations, func(g generation.Generation) bool { return g.Path == s.running && s.running != "" })
	if at >= 0 {
		return s.generations[at], nil
	}
	return s.current()
}

// generation returns the one with this number.
func (s *systems) generation(n int) (generation.Generation, error) {
	var have []string
	for _, g := range s.generations {
		if g.Number == n {
			return g, nil
		}
		have = append(have, strconv.Itoa(g.Number))
	}
	if len(have) == 0 {
		return generation.Generation{}, s.noGenerations()
	}
	return generation.Generation{}, &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Field: "generation " + strconv.Itoa(n), Got: "is not there",
		Want: "one of " + strings.Join(have, ", "), Do: "see reprise generations"}}
}

// ofGeneration reads the system of a generation.
func (s *systems) ofGeneration(g generation.Generation, files bool) (*systemdiff.System, error) {
	system, err := s.read(g.Path, files)
	if err != nil {
		return nil, fmt.Errorf("generation %d: %w", g.Number, err)
	}
	system.Name = fmt.Sprintf("generation %d", g.Number)
	return system, nil
}

// paths are all store paths that a system needs: what its view shows, its
// initrd, and itself.
func (s *systems) paths(p storepath.Path) ([]storepath.Path, error) {
	dir := s.real(p)
	text, err := os.ReadFile(filepath.Join(dir, "closure"))
	if err != nil {
		return nil, notSystem(p, err)
	}
	paths := []storepath.Path{p}
	for line := range strings.Lines(string(text)) {
		path, err := storepath.Parse(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, notSystem(p, err)
		}
		paths = append(paths, path)
	}
	for _, name := range []string{"kernel", "initrd"} {
		target, err := os.Readlink(filepath.Join(dir, name))
		if err != nil {
			return nil, notSystem(p, err)
		}
		base, _, _ := strings.Cut(strings.TrimPrefix(target, storepath.Dir+"/"), "/")
		path, err := storepath.ParseBase(base)
		if err != nil {
			return nil, notSystem(p, err)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

func notSystem(p storepath.Path, err error) error {
	return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: string(p), Got: "cannot be read: " + reason(err), Want: "a system of this store",
		Do: "see reprise generations; reprise store verify tells what is damaged"}}
}

// read reads a system; with files also the part of its view that is compared.
func (s *systems) read(p storepath.Path, files bool) (*systemdiff.System, error) {
	dir := s.real(p)
	paths, err := s.paths(p)
	if err != nil {
		return nil, err
	}
	system := &systemdiff.System{Name: string(p), Path: p, Config: configurationName}
	text, err := os.ReadFile(filepath.Join(dir, "boot.json"))
	if err != nil {
		return nil, notSystem(p, err)
	}
	var boot builder.Boot
	if err := json.Unmarshal(text, &boot); err != nil {
		return nil, notSystem(p, err)
	}
	system.Kernel, system.Params = boot.KernelVersion, boot.Params
	if text, err = os.ReadFile(filepath.Join(dir, systemdiff.AboutFile)); err == nil {
		if system.About, err = systemdiff.ParseAbout(text); err != nil {
			return nil, notSystem(p, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) { // as in systems from before
		return nil, notSystem(p, err)
	}
	for _, path := range paths {
		known, err := s.unpacked(path)
		if err != nil {
			return nil, err
		}
		if known != nil {
			system.Packages = append(system.Packages, *known)
		}
	}
	slices.SortFunc(system.Packages, func(a, b systemdiff.Package) int { return strings.Compare(a.Name, b.Name) })
	system.Sizes = s.sizesOf(paths)
	if files {
		if system.Files, err = s.files(dir); err != nil {
			return nil, err
		}
	}
	return system, nil
}

// sizesOf are the sizes of paths, nil when one is not known.
func (s *systems) sizesOf(paths []storepath.Path) map[storepath.Path]int64 {
	sizes := make(map[storepath.Path]int64, len(paths))
	for _, path := range paths {
		size, ok := s.sizes[path]
		if !ok {
			return nil
		}
		sizes[path] = size
	}
	return sizes
}

// unpacked is the package at a path, nil when there is another layer.
func (s *systems) unpacked(path storepath.Path) (*systemdiff.Package, error) {
	if p, ok := s.packages[path]; ok {
		return p, nil
	}
	text, err := os.ReadFile(filepath.Join(s.real(path), layer.Meta, "control"))
	if errors.Is(err, fs.ErrNotExist) {
		s.packages[path] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	control, err := deb.ParseControl(text)
	if err != nil {
		return nil, fmt.Errorf("control file of %q: %w", path, err)
	}
	s.packages[path] = &systemdiff.Package{Package: control, Path: path}
	return s.packages[path], nil
}

func (s *systems) files(dir string) (map[string]systemdiff.File, error) {
	image, err := os.Open(filepath.Join(dir, "root.erofs"))
	if err != nil {
		return nil, err
	}
	defer image.Close()
	entries, err := compose.ReadTrees(image, systemdiff.Trees()...)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", image.Name(), err)
	}
	files := make(map[string]systemdiff.File, len(entries))
	for _, e := range entries {
		files[e.Path] = systemdiff.File{Entry: e.Entry, Source: e.Source}
	}
	return files, nil
}

// contents reads a file of a view.
func (s *systems) contents(source string) ([]byte, error) {
	if source == "" { // an empty file has none
		return nil, nil
	}
	return os.ReadFile(filepath.Join(s.root, storepath.Dir, source))
}

// ofConfiguration is the system that a configuration would become with the lock
// beside it, as far as can be told before it is built.
func (s *systems) ofConfiguration(ctx context.Context, file string) (*systemdiff.System, error) {
	cfg, err := config.Evaluate(ctx, file, config.EvalOptions{})
	if err != nil {
		return nil, err
	}
	system := &systemdiff.System{Name: file, Config: filepath.Base(file), Params: cfg.Boot.KernelParams}
	if system.About, err = recipe.About(cfg); err != nil {
		return nil, err
	}
	lockFile := lockPath(file, "", file)
	l, err := readLock(lockFile)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return nil, diag.Problem{File: lockFile, Got: "is not there", Want: "the lock of the configuration", Do: "run reprise lock " + file}
	}
	known := map[string]bool{}
	for _, p := range l.In(recipe.SystemSet) {
		own := systemdiff.Package{}
		own.Name, own.Version = p.Name, p.Version
		if own.Path, _, err = recipe.PackagePath(p); err != nil {
			return nil, err
		}
		system.Packages = append(system.Packages, own)
		known[p.Name] = true
		if version, ok := strings.CutPrefix(p.Name, "linux-image-"); ok && version != "" && version[0] >= '0' && version[0] <= '9' {
			system.Kernel = version
		}
	}
	if !serves(l, recipe.Sets(cfg)) {
		system.Note = fmt.Sprintf("%s does not serve the configuration: what else comes and goes, reprise lock --dry-run tells.", lockFile)
	}
	for _, name := range cfg.Roots() {
		if !known[name] {
			own := systemdiff.Package{}
			own.Name = name
			system.Packages = append(system.Packages, own)
		}
	}
	slices.SortFunc(system.Packages, func(a, b systemdiff.Package) int { return strings.Compare(a.Name, b.Name) })
	return system, nil
}

// named reads the system that an argument means: the number of a generation, a
// system's path, "." for the machine's own configuration, or a configuration.
func (s *systems) named(ctx context.Context, arg string, files bool) (*systemdiff.System, error) {
	if n, err := strconv.Atoi(arg); err == nil {
		g, err := s.generation(n)
		if err != nil {
			return nil, err
		}
		return s.ofGeneration(g, files)
	}
	if p, ok := systemPath(s.root, arg); ok {
		return s.read(p, files)
	}
	if arg == "." {
		arg = machineConfiguration
	}
	return s.ofConfiguration(ctx, arg)
}

// systemPath is the store path that an argument names: as it is, where it lies
// in the store below root, or as a link to one.
func systemPath(root, arg string) (storepath.Path, bool) {
	if target, err := os.Readlink(arg); err == nil {
		arg = target
	}
	clean := filepath.Clean(arg)
	if rel, err := filepath.Rel(root, clean); err == nil && !strings.HasPrefix(clean, storepath.Dir) {
		clean = "/" + rel
	}
	p, err := storepath.Parse(clean)
	return p, err == nil
}

// added is what a system adds to the paths of seen, bytes; ok is false when it
// cannot be told.
func (s *systems) added(p storepath.Path, seen map[storepath.Path]bool) (bytes int64, ok bool, err error) {
	paths, err := s.paths(p)
	if err != nil {
		return 0, false, err
	}
	sizes := s.sizesOf(paths)
	for _, path := range paths {
		if !seen[path] {
			bytes += sizes[path]
		}
		seen[path] = true
	}
	return bytes, sizes != nil, nil
}

// packageNames are the names of the packages of a system.
func packageNames(system *systemdiff.System) []string {
	names := map[string]bool{}
	for _, p := range system.Packages {
		names[p.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
