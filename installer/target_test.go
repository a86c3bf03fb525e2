package installer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"reprise/image"
	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/builder"
	"reprise/store/nar"
	"reprise/store/storepath"
	"reprise/store/tree"
)

// fileTarget is a machine whose disk is a file, and whose root file system is a
// directory. What is written to the disk stays in memory until Sync: a power
// cut loses some of it, see cut.
type fileTarget struct {
	disk  *os.File
	about plan.Disk
	root  string
	tools image.Tools
	plan  *plan.Plan

	mu      sync.Mutex
	pending []write
	ops     int
	fault   func(op int, kind string) error // what the op fails with
	cutOff  bool
	key     string // that the disk is encrypted with
	mounted bool
	mapped  bool
	opened  map[string]bool
	rng     *rand.Rand
}

// errCut is what everything answers after a power cut.
var errCut = errors.New("power cut")

func (t *fileTarget) op(kind string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cutOff {
		return errCut
	}
	t.ops++
	if t.fault == nil {
		return nil
	}
	err := t.fault(t.ops, kind)
	if errors.Is(err, errCut) {
		t.cut()
	}
	return err
}

// cut lets some of the writes that were not synced reach the disk, whole or in
// part.
func (t *fileTarget) cut() {
	t.cutOff = true
	t.rng.Shuffle(len(t.pending), func(i, j int) { t.pending[i], t.pending[j] = t.pending[j], t.pending[i] })
	for _, w := range t.pending {
		switch t.rng.IntN(3) {
		case 0:
			t.disk.WriteAt(w.data, w.at)
		case 1:
			t.disk.WriteAt(w.data[:t.rng.IntN(len(w.data)/512+1)*512], w.at)
		}
	}
	t.pending = nil
}

func (t *fileTarget) Look(_ context.Context, path string) (plan.Disk, error) {
	if path != t.about.Path {
		return plan.Disk{}, os.ErrNotExist
	}
	return t.about, nil
}

func (t *fileTarget) Open(_ context.Context, path string, _ bool) (Device, error) {
	if err := t.op("open"); err != nil {
		return nil, err
	}
	if !slices.Contains(t.plan.Devices(), path) {
		panic(path + " is not in the plan")
	}
	t.opened[path] = true
	if path == t.plan.Disk.Path {
		return &fileDevice{t, 0, t.plan.Disk.SizeBytes}, nil
	}
	for _, p := range t.plan.Table.Partitions() {
		if p.Path == path {
			return &fileDevice{t, p.Offset(), p.Bytes()}, nil
		}
	}
	return nil, os.ErrNotExist
}

// fileDevice is a part of the file.
type fileDevice struct {
	*fileTarget
	start, size int64
}

func (d *fileDevice) ReadAt(p []byte, at int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.disk.ReadAt(p, d.start+at)
	for _, w := range d.pending {
		for i, c := range w.data {
			if o := w.at + int64(i) - d.start - at; o >= 0 && o < int64(len(p)) {
				p[o] = c
			}
		}
	}
	return n, err
}

func (d *fileDevice) WriteAt(p []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(p)) > d.size {
		return 0, fmt.Errorf("write of %d bytes at %d: the device has %d", len(p), at, d.size)
	}
	d.mu.Lock()
	if !d.cutOff {
		d.pending = append(d.pending, write{d.start + at, bytes.Clone(p)})
	}
	d.mu.Unlock()
	if err := d.op("write"); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (d *fileDevice) Sync() error {
	if err := d.op("sync"); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.pending {
		if _, err := d.disk.WriteAt(w.data, w.at); err != nil {
			return err
		}
	}
	d.pending = nil
	return nil
}

func (d *fileDevice) Close() error { return nil }

func (t *fileTarget) Partitions(context.Context, *plan.Plan) error { return t.op("partitions") }

func (t *fileTarget) Place(path string) (string, int64) {
	for _, p := range t.plan.Table.Partitions() {
		if p.Path == path && t.plan.LUKS == nil {
			return t.disk.Name(), p.Offset()
		}
	}
	return t.disk.Name(), 0 // as nodes are; only scripted sees it
}

func (t *fileTarget) Ciphers(context.Context) {}

func (t *fileTarget) Map(_ context.Context, _ *plan.Plan, passphrase []byte) error {
	if string(passphrase) != t.key {
		return fmt.Errorf("%w: no key available", ErrPassphrase)
	}
	t.mapped = true
	return t.op("map")
}

func (t *fileTarget) Unmap(context.Context, *plan.Plan) error {
	t.mapped = false
	return nil
}

func (t *fileTarget) Mount(context.Context, plan.RootFS) (string, error) {
	if err := t.op("mount"); err != nil {
		return "", err
	}
	t.mounted = true
	return t.root, nil
}

func (t *fileTarget) Unmount(context.Context, plan.RootFS) error {
	t.mounted = false
	return nil
}

func (t *fileTarget) Tools() image.Tools                         { return t.tools }
func (t *fileTarget) SetClock(context.Context, *plan.Plan) error { return nil }

// scripted answers for the programs of the archive: it makes what they would.
type scripted struct{ t *fileTarget }

func (s scripted) ReadFile(path string) ([]byte, error) {
	if filepath.Base(path) != "boot.img" {
		return nil, os.ErrNotExist
	}
	boot := bytes.Repeat([]byte{0xeb}, 512)
	boot[510], boot[511] = 0x55, 0xaa
	return boot, nil
}

func (s scripted) Run(_ context.Context, c image.Command) error {
	if err := s.t.op("run"); err != nil {
		return err
	}
	switch filepath.Base(c.Argv[0]) {
	case "grub-mkimage":
		return os.WriteFile(filepath.Join(c.Binds[0].Source, "core.img"), bytes.Repeat([]byte("core"), 40<<10), 0o644)
	case "mke2fs", "mkfs.btrfs":
		// A new file system is empty.
		entries, err := os.ReadDir(s.t.root)
		for _, e := range entries {
			err = errors.Join(err, tree.Remove(filepath.Join(s.t.root, e.Name())))
		}
		return err
	case "cryptsetup":
		key, err := io.ReadAll(c.Stdin)
		s.t.key = string(key)
		return err
	}
	return fmt.Errorf("no program %q", c.Argv[0])
}

// A world is a medium and a request for a plan.
type world struct {
	medium  *plan.Medium
	source  Source
	request plan.Request
	size    int64
}

// makeWorld makes a small medium: a system whose kernel and initramfs are text.
func makeWorld(t testing.TB) *world {
	t.Helper()
	w := &world{medium: &plan.Medium{Version: plan.MediumVersion, Label: "REPRISE"}, size: 3 << 30}
	w.source.Root = t.TempDir()
	w.source.Store = filepath.Join(w.source.Root, "store")
	t.Cleanup(func() { tree.Remove(w.source.Store) })
	if err := os.Mkdir(w.source.Store, 0o755); err != nil {
		t.Fatal(err)
	}
	libc := w.add(t, "libc6", map[string]string{"usr/lib/libc.so.6": strings.Repeat("libc", 100_000), "DEBIAN/manifest": "[]"}, nil)
	var others []storepath.Path
	for i := range 12 {
		others = append(others, w.add(t, fmt.Sprintf("package-%d", i), map[string]string{"usr/bin/x": strings.Repeat(fmt.Sprint(i), 1+i*20_000), "usr/share/y": "y"}, nil))
	}
	kernel := w.add(t, "linux-image", map[string]string{"boot/vmlinuz-6": strings.Repeat("kernel", 30_000)}, nil)
	initrd := w.add(t, "initrd", map[string]string{"initrd": strings.Repeat("initrd", 70_000)}, nil)
	about, err := json.Marshal(builder.Boot{Version: builder.BootVersion, Host: "live-rig", KernelVersion: "6", Params: []string{"console=tty0"}})
	if err != nil {
		t.Fatal(err)
	}
	system := w.add(t, "system-live-rig", map[string]string{"boot.json": string(about), "kernel@": string(kernel) + "/boot/vmlinuz-6", "initrd@": string(initrd) + "/initrd"},
		append([]storepath.Path{libc, kernel, initrd}, others...))
	boot := map[string]storepath.Path{
		"shim-signed":                   w.add(t, "shim", map[string]string{"usr/lib/shim/shimx64.efi.signed": strings.Repeat("shim", 2_000)}, nil),
		"systemd-boot-efi-amd64-signed": w.add(t, "systemd-boot", map[string]string{"usr/lib/systemd/boot/efi/systemd-bootx64.efi.signed": strings.Repeat("loader", 2_000)}, nil),
		"shim-helpers-amd64-signed":     w.add(t, "shim-helpers", map[string]string{"usr/lib/shim/mmx64.efi.signed": strings.Repeat("mm", 2_000)}, nil),
	}
	closure := append(append([]storepath.Path{libc, kernel, initrd}, others...), system)
	slices.Sort(closure)
	w.medium.Systems = []plan.System{{Name: "live-rig", Title: "A rig", Path: system, Host: "live-rig", KernelVersion: "6", Closure: closure, Boot: boot}}
	slices.SortFunc(w.medium.Paths, func(a, b plan.Path) int { return storepath.Compare(a.Path, b.Path) })
	a := answers.Default()
	a.Profile, a.Host = "live-rig", "rig"
	a.Disk, a.Erase = answers.List{"S4EWNX0R"}, answers.List{"S4EWNX0R"}
	a.User = &answers.User{Name: "rig", PasswordHash: "$6$abcdefgh$" + strings.Repeat("x", 86)}
	w.request = plan.Request{
		Answers: a, Machine: plan.Machine{MemoryBytes: 4 << 30, Now: time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)}, Medium: w.medium,
		Disks: []plan.Disk{{Path: "/dev/vda", Model: "Disk", Serial: "S4EWNX0R", SizeBytes: w.size, SectorBytes: 512}},
	}
	return w
}

// add puts a path into the medium's store. A name that ends in @ is a symlink.
func (w *world) add(t testing.TB, name string, files map[string]string, refs []storepath.Path) storepath.Path {
	t.Helper()
	var text strings.Builder
	names := make([]string, 0, len(files))
	for f := range files {
		names = append(names, f)
	}
	slices.Sort(names)
	for _, f := range names {
		fmt.Fprintf(&text, "%s %x\n", f, sha256.Sum256([]byte(files[f])))
	}
	slices.Sort(refs)
	p, err := storepath.MakeText(name, []byte(text.String()), refs)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(w.source.Store, p.Base())
	for _, f := range names {
		at := filepath.Join(dir, strings.TrimSuffix(f, "@"))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f, "@") {
			err = os.Symlink(files[f], at)
		} else {
			err = os.WriteFile(at, []byte(files[f]), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Canonicalise(dir); err != nil {
		t.Fatal(err)
	}
	sum, size, err := nar.HashPath(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	w.medium.Paths = append(w.medium.Paths, plan.Path{Path: p, NarHash: hex.EncodeToString(sum[:]), NarSize: size, Size: tree.Size(dir), Refs: refs})
	return p
}

// target makes an empty machine for a plan; its disk holds the rest of another
// life.
func (w *world) target(t testing.TB, p *plan.Plan) *fileTarget {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(w.size); err != nil {
		t.Fatal(err)
	}
	dirt := bytes.Repeat([]byte{0xa5}, 1<<20)
	for _, at := range []int64{0, 1 << 20, 2 << 20, 8 << 20, p.Table.ESP.Offset() + 1<<20, p.Table.Root.Offset(), w.size - 1<<20} {
		if _, err := f.WriteAt(dirt, at); err != nil {
			t.Fatal(err)
		}
	}
	target := &fileTarget{disk: f, about: w.request.Disks[0], root: filepath.Join(dir, "root"), plan: p, opened: map[string]bool{}, rng: rand.New(rand.NewPCG(7, 7))}
	target.tools = scripted{target}
	if err := os.Mkdir(target.root, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Remove(target.root) })
	return target
}

func (w *world) job(p *plan.Plan, target *fileTarget) *Job {
	return &Job{
		Plan: p, Medium: w.medium, Source: w.source, Target: target, Log: "/run/reprise/install.log",
		Files: map[string][]byte{ConfigurationFile: []byte("import 'reprise/live-rig.jsonnet'\n")},
	}
}

// eio is a disk that fails.
var eio error = &os.PathError{Op: "write", Path: "/dev/vda", Err: syscall.EIO}
