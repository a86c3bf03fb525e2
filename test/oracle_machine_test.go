package test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"reprise/internal/activation"
	"reprise/internal/compose"
	"reprise/internal/effect/oracle"
	"reprise/internal/layer"
	"reprise/internal/rootmount"
)

// machine is a system of ours as its first boot makes it, put together from
// the bytes of the system path: the skeleton of /, the view in root.erofs, the
// state that activation and then systemd-tmpfiles make.
type machine struct {
	tree     *oracle.Tree
	packaged *oracle.Listing // the names that its packages ship
}

// real is where a path of the store lies on this machine.
func real(storePath string) string { return filepath.Join(store, storePath) }

func inspect(t *testing.T, system, lockFile string) *machine {
	t.Helper()
	image, err := os.Open(filepath.Join(real(system), "root.erofs"))
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	view, err := compose.Read(image)
	if err != nil {
		t.Fatal(err)
	}
	v := &seen{entries: view, at: map[string]*compose.Entry{}}
	for i := range view {
		v.at[view[i].Path] = &view[i]
	}
	v.users, v.groups = oracle.Names(v.read(t, "etc/passwd")), oracle.Names(v.read(t, "etc/group"))

	entries := append(skeleton(v), v.state(t, system)...)
	for _, e := range view {
		kind := map[layer.Kind]string{layer.Dir: oracle.Dir, layer.File: oracle.File, layer.Symlink: oracle.Link}[e.Kind]
		entries = append(entries, oracle.Entry{Path: "/" + e.Path, Kind: kind, Mode: e.Mode, Target: e.Target,
			Owner: v.users[int(e.UID)], Group: v.groups[int(e.GID)]})
	}
	m := &machine{tree: oracle.NewTree(systemPackages(t, lockFile), entries)}
	m.tree.Sum = func(e oracle.Entry) (string, error) {
		source := v.at[e.Path[1:]].Source
		if source == "" {
			return oracle.Sum(e.Path, strings.NewReader(""))
		}
		f, err := os.Open(filepath.Join(store, "nix/store", source))
		if err != nil {
			return "", err
		}
		defer f.Close()
		return oracle.Sum(e.Path, f)
	}
	m.packaged = shipped(t, system)
	return m
}

// shipped lists the names of every layer of a system.
func shipped(t *testing.T, system string) *oracle.Listing {
	t.Helper()
	closure, err := os.ReadFile(filepath.Join(real(system), "closure"))
	if err != nil {
		t.Fatal(err)
	}
	l := &oracle.Listing{}
	for line := range strings.Lines(string(closure)) {
		data, err := os.ReadFile(filepath.Join(real(strings.TrimSpace(line)), layer.ManifestPath))
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := layer.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range manifest {
			kind := map[layer.Kind]string{layer.Dir: oracle.Dir, layer.File: oracle.File, layer.Hard: oracle.File, layer.Symlink: oracle.Link}[e.Kind]
			l.Entries = append(l.Entries, oracle.Entry{Path: "/" + e.Path, Kind: kind, Target: e.Target})
		}
	}
	return l
}

// seen is a view read back from its image.
type seen struct {
	entries       []compose.Entry // sorted by path
	at            map[string]*compose.Entry
	users, groups map[int]string
}

func (v *seen) read(t *testing.T, name string) []byte {
	t.Helper()
	e := v.at[name]
	if e == nil || e.Kind != layer.File {
		t.Fatalf("the view has no file %q", name)
	}
	if e.Source == "" {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(store, "nix/store", e.Source))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// skeleton is what stage 1 makes in /.
func skeleton(v *seen) []oracle.Entry {
	facts := rootmount.Facts{Opt: v.at[compose.OptHome] != nil}
	var entries []oracle.Entry
	for _, s := range rootmount.Tree(rootmount.Request{Target: "/", View: facts}) {
		e := oracle.Entry{Path: s.Target, Owner: "root", Group: "root", Mode: uint32(s.Mode.Perm())}
		switch s.Op {
		case rootmount.Mkdir:
			e.Kind = oracle.Dir
		case rootmount.Symlink:
			e.Kind, e.Target = oracle.Link, s.Source
		default:
			continue
		}
		entries = append(entries, e)
	}
	// The file system that is mounted there says who may write.
	for i := range entries {
		if entries[i].Path == "/tmp" {
			entries[i].Mode = 0o1777
		}
	}
	return entries
}

// stateTops are the directories that tmpfiles.d and activation fill.
var stateTops = []string{"var", "root", "home", "srv", "run", "tmp"}

// state makes the state of a first boot in a directory of its own and lists
// it. Real owners need root; an ordinary user's listing has none.
func (v *seen) state(t *testing.T, system string) []oracle.Entry {
	t.Helper()
	dir := t.TempDir()
	// Modes below must not depend on the caller's.
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	isRoot := os.Geteuid() == 0

	data, err := os.ReadFile(filepath.Join(real(system), "activation.json"))
	if err != nil {
		t.Fatal(err)
	}
	declared, err := activation.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var options activation.Options
	if !isRoot {
		options.Chown = func(*os.Root, string, int, int) error { return nil }
	}
	if err := activation.Apply(root, declared, options); err != nil {
		t.Fatal(err)
	}
	v.furnish(t, root, isRoot)
	ids := []string{}
	if isRoot {
		ids = append(ids, "--all-ids")
	}
	args := append([]string{"tool", "-q", "-p", "systemd", "--bind", dir + ":/machine:rw"}, ids...)
	made := reprise(t, toolLimit, append(args, "--", "systemd-tmpfiles", "--root=/machine", "--create", "--remove", "--boot",
		"--exclude-prefix=/dev", "--exclude-prefix=/usr", "--exclude-prefix=/etc", "--exclude-prefix=/sys", "--exclude-prefix=/proc")...)
	if made.code != 0 {
		t.Errorf("systemd-tmpfiles: exit status %d\n%s", made.code, made.stderr)
	}
	var entries []oracle.Entry
	for _, top := range stateTops {
		err := filepath.WalkDir(filepath.Join(dir, top), func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			e := oracle.Entry{Path: strings.TrimPrefix(name, dir), Kind: kindOf(info.Mode()), Mode: uint32(info.Mode().Perm())}
			stat := info.Sys().(*syscall.Stat_t)
			e.Mode = stat.Mode & 0o7777
			if e.Kind == oracle.Link {
				if e.Target, err = os.Readlink(name); err != nil {
					return err
				}
			}
			if isRoot {
				e.Owner, e.Group = v.users[int(stat.Uid)], v.groups[int(stat.Gid)]
			}
			entries = append(entries, e)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return entries
}

// furnish writes what systemd-tmpfiles reads: its lines, the accounts, and the
// files that lines copy.
func (v *seen) furnish(t *testing.T, root *os.Root, isRoot bool) {
	t.Helper()
	want := []string{"etc/machine-id", "etc/passwd", "etc/group", "etc/hostname", "usr/lib/tmpfiles.d", "etc/tmpfiles.d", "usr/share/factory", compose.StateHome}
	for _, e := range v.entries {
		if e.Kind != layer.File || path.Dir(e.Path) != "usr/lib/tmpfiles.d" {
			continue
		}
		for line := range bytes.Lines(v.read(t, e.Path)) {
			if f := strings.Fields(string(line)); len(f) >= 7 && f[0][0] == 'C' {
				want = append(want, strings.TrimPrefix(f[6], "/"))
			}
		}
	}
	for _, s := range []string{"run", "tmp", "etc", "usr"} {
		if err := root.MkdirAll(s, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range v.entries {
		if !slices.ContainsFunc(want, func(w string) bool { return e.Path == w || strings.HasPrefix(e.Path, w+"/") }) {
			continue
		}
		if err := root.MkdirAll(path.Dir(e.Path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch e.Kind {
		case layer.Dir:
			err = root.MkdirAll(e.Path, 0o755)
		case layer.Symlink:
			err = root.Symlink(e.Target, e.Path)
		case layer.File:
			data := v.read(t, e.Path)
			if !isRoot && (e.Path == "etc/passwd" || e.Path == "etc/group") {
				data = allRoot(data)
			}
			err = root.WriteFile(e.Path, data, fs.FileMode(e.Mode&0o777))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// allRoot gives every account of passwd(5) or group(5) the id 0: in an
// ordinary user's sandbox there is no other.
func allRoot(data []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(data) {
		f := strings.Split(string(line), ":")
		f[2] = "0"
		if len(f) > 4 {
			f[3] = "0"
		}
		out.WriteString(strings.Join(f, ":"))
	}
	return out.Bytes()
}
