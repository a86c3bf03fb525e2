package hwdetect

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"reprise/hwdetect/systree"
)

// PackOptions are what Pack may use beside the tree.
type PackOptions struct {
	Options
	// Serials keeps serial numbers, addresses of network devices, UUIDs and
	// GUIDs as they are.
	Serials bool
}

// Files of a snapshot that no machine has.
const (
	versionFile    = "reprise/snapshot"
	unreadableFile = "reprise/unreadable"
	// snapshotVersion is raised when old programs would misread new snapshots.
	snapshotVersion = "1\n"
)

// Pack writes a snapshot of the machine whose root is fsys: a tar archive
// compressed with zstd of the files that Read looks at, of the kernel's log
// the lines about sound, FireWire and firmware, and of the disks what is on
// them in words. What names one single machine is masked, the same way
// wherever it stands, unless o.Serials is given: serial numbers, the tails of
// MAC addresses and FireWire GUIDs, UUIDs, mount points of people. Names that
// people gave to file systems stay.
//
// Reading the snapshot gives the same Facts as reading the machine, masks
// aside.
func Pack(w io.Writer, fsys fs.FS, o PackOptions) error {
	r := &recorder{fsys: fsys, tree: systree.New()}
	f, err := Read(r, o.Options)
	if err != nil {
		return err
	}
	t := r.tree
	t.Put(versionFile, []byte(snapshotVersion))
	if log := o.KernelLog; log != nil {
		t.Put(logFile, relevant(log))
	}
	var unreadable strings.Builder
	for _, u := range f.Unreadable {
		fmt.Fprintf(&unreadable, "%s\t%s\n", u.Path, u.Reason)
	}
	if unreadable.Len() > 0 {
		t.Put(unreadableFile, []byte(unreadable.String()))
	}
	recordContents(t, f)
	trimMounts(t, o.Serials)
	if !o.Serials {
		mask(t)
	}
	if err := t.Write(w); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// OpenSnapshot reads a snapshot whole: a tree that Read takes.
func OpenSnapshot(r io.Reader) (fs.FS, error) {
	t, err := systree.Read(r)
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	version, err := fs.ReadFile(t, versionFile)
	if err != nil {
		return nil, fmt.Errorf("read snapshot: it has no %s: not made by reprise detect", versionFile)
	}
	if string(version) != snapshotVersion {
		return nil, fmt.Errorf("read snapshot: it is of version %.20q, this program knows %q", clean(string(version)), clean(snapshotVersion))
	}
	return t, nil
}

// relevant keeps the lines of the kernel's log that a fact may come from.
func relevant(log []byte) []byte {
	words := []string{"snd", "sof", "audio", "firewire", "firmware", "dsp", "hda", "soundwire", "usb ", "mce:", "machine check", "alsa"}
	var out strings.Builder
	const most = 2000 // lines
	kept := 0
	for _, m := range parseLog(log) {
		lower := strings.ToLower(m)
		if kept < most && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, w) }) {
			out.WriteString(m + "\n")
			kept++
		}
	}
	return []byte(out.String())
}

// recordContents writes what is on disks the way udev records it. Whatever
// else udev recorded is dropped: serial numbers, paths, links.
func recordContents(t *systree.Tree, f *Facts) {
	record := func(dir string, properties map[string]Known[string]) {
		number, err := fs.ReadFile(t, path.Join(dir, "dev"))
		name := path.Join(udevDir, "b"+clean(string(number)))
		if err != nil || !fs.ValidPath(name) {
			return
		}
		var b strings.Builder
		for _, key := range slices.Sorted(keysOf(properties)) {
			if v, ok := properties[key].Get(); ok {
				fmt.Fprintf(&b, "E:%s=%s\n", key, v)
			}
		}
		t.Put(name, []byte(b.String()))
	}
	for _, d := range f.Disks {
		dir := path.Join(blockDir, strings.ReplaceAll(d.Name, "/", "!"))
		record(dir, map[string]Known[string]{
			"ID_PART_TABLE_TYPE": d.Table, "ID_FS_TYPE": d.Content.Type, "ID_FS_LABEL": d.Content.Label, "ID_FS_UUID": d.Content.UUID,
		})
		for _, p := range d.Partitions {
			record(path.Join(dir, strings.ReplaceAll(p.Name, "/", "!")), map[string]Known[string]{
				"ID_PART_ENTRY_TYPE": p.Type, "ID_PART_ENTRY_UUID": p.UUID, "ID_PART_ENTRY_NAME": p.Label,
				"ID_FS_TYPE": p.Content.Type, "ID_FS_LABEL": p.Content.Label, "ID_FS_UUID": p.Content.UUID,
			})
		}
	}
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// A recorder is a tree that keeps a copy of what is read from it.
type recorder struct {
	fsys fs.FS
	tree *systree.Tree
}

var (
	_ fs.ReadDirFS  = (*recorder)(nil)
	_ fs.ReadLinkFS = (*recorder)(nil)
	_ fs.StatFS     = (*recorder)(nil)
)

// follow resolves the links in a path and records them; with last false not
// that of its end.
func (r *recorder) follow(name string, last bool) (string, bool) {
	rest := strings.Split(name, "/")
	at := "."
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case ".", "":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		if len(rest) == 0 && !last {
			return next, true
		}
		target, err := fs.ReadLink(r.fsys, next)
		if err != nil || strings.HasPrefix(next, "proc/self") {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", false
		}
		r.tree.Link(next, target)
		if strings.HasPrefix(target, "/") {
			at = "."
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, true
}

// unrecorded are paths whose content does not go into a snapshot.
func unrecorded(name string) bool {
	return name == "dev" || strings.HasPrefix(name, "dev/")
}

func (r *recorder) Open(name string) (fs.File, error) {
	f, err := r.fsys.Open(name)
	if err != nil || unrecorded(name) {
		return f, err
	}
	real, ok := r.follow(name, true)
	info, err := f.Stat()
	if !ok || err != nil || !info.Mode().IsRegular() {
		return f, nil
	}
	return &recordedFile{File: f, done: func(data []byte) { r.tree.Put(real, data) }}, nil
}

type recordedFile struct {
	fs.File
	data []byte
	done func([]byte)
}

func (f *recordedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.data = append(f.data, b[:n]...)
	return n, err
}

func (f *recordedFile) Close() error {
	f.done(f.data)
	return f.File.Close()
}

func (r *recorder) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(r.fsys, name)
	real, ok := r.follow(name, true)
	if !ok || unrecorded(name) || err != nil && len(entries) == 0 {
		return entries, err
	}
	r.tree.Mkdir(real)
	for _, e := range entries {
		at := path.Join(real, e.Name())
		if !fs.ValidPath(at) || r.tree.Has(at) {
			continue
		}
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			if target, err := fs.ReadLink(r.fsys, at); err == nil {
				r.tree.Link(at, target)
			}
		case e.IsDir():
			r.tree.Mkdir(at)
		default:
			r.tree.Put(at, nil)
		}
	}
	return entries, err
}

func (r *recorder) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(r.fsys, name)
	if real, ok := r.follow(name, true); err == nil && ok && !r.tree.Has(real) && !unrecorded(name) {
		if info.IsDir() {
			r.tree.Mkdir(real)
		} else {
			r.tree.Put(real, nil)
		}
	}
	return info, err
}

func (r *recorder) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(r.fsys, name) }

func (r *recorder) ReadLink(name string) (string, error) {
	target, err := fs.ReadLink(r.fsys, name)
	if at, ok := r.follow(name, false); err == nil && ok && !unrecorded(name) {
		r.tree.Link(at, target)
	}
	return target, err
}
