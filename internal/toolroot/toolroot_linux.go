// Package toolroot runs programs of a tool view on a machine that was started
// from an installation medium: mke2fs, cryptsetup, cyclictest. The view is a
// store path with root.erofs, composed over the medium's store like the root of
// a machine, and entered with chroot.
//
// It is for the installer alone, as root. On a machine that builds, programs of
// the archive run in a sandbox: see package toolbox.
package toolroot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"reprise/image"
	"reprise/internal/rootmount"
	"reprise/store/storepath"
)

// place is where views are put together: writable on every machine, and gone
// with its next start.
const place = "/run/reprise/tools"

// A Root is a view that programs run in. It is an image.Tools.
type Root struct {
	dir string // what the programs see as /
	at  string // all its mounts are below

	mu sync.Mutex // one program at a time has binds
}

var _ image.Tools = (*Root)(nil)

// Plan returns the mounts of the view tools, a store path, over the store in
// disk (rootmount.Disk on a machine), below at. Programs see the whole of /dev:
// they are there to write to disks.
func Plan(disk string, tools storepath.Path, at string) []rootmount.Step {
	meta, view, root := filepath.Join(at, "meta"), filepath.Join(at, "view"), filepath.Join(at, "root")
	in := func(name string) string { return filepath.Join(root, name) }
	steps := append(rootmount.View(disk, string(tools), meta, view),
		rootmount.Step{Op: rootmount.Mkdir, Target: root, Mode: 0o755},
		rootmount.Step{Op: rootmount.Mount, Type: "tmpfs", Source: "tmpfs", Target: root, Flags: rootmount.NoSUID, Data: "mode=0755,size=16m"})
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		steps = append(steps, rootmount.Step{Op: rootmount.Symlink, Source: "usr/" + name, Target: in(name)})
	}
	for _, name := range []string{"dev", "proc", "sys", "usr", "etc", "run", "tmp", "root"} {
		steps = append(steps, rootmount.Step{Op: rootmount.Mkdir, Target: in(name), Mode: 0o755})
	}
	for _, name := range []string{"usr", "etc"} {
		steps = append(steps, rootmount.Step{Op: rootmount.Bind, Source: filepath.Join(view, name), Target: in(name)})
	}
	for _, name := range []string{"dev", "proc", "sys"} {
		steps = append(steps, rootmount.Step{Op: rootmount.Bind, Source: "/" + name, Target: in(name)})
	}
	return steps
}

// Open mounts the view tools over the store in disk. Close takes it away.
func Open(disk string, tools storepath.Path) (*Root, error) {
	if err := os.MkdirAll(place, 0o755); err != nil {
		return nil, fmt.Errorf("tools of the medium: %w", err)
	}
	at, err := os.MkdirTemp(place, "view-")
	if err != nil {
		return nil, fmt.Errorf("tools of the medium: %w", err)
	}
	t := &Root{dir: filepath.Join(at, "root"), at: at}
	if err := rootmount.Apply(Plan(disk, tools, at)); err != nil {
		return nil, errors.Join(fmt.Errorf("tools of the medium: %w", err), t.Close())
	}
	return t, nil
}

// Close unmounts the view. No program may run in it any more.
func (t *Root) Close() error {
	for _, name := range []string{"root/sys", "root/proc", "root/dev", "root/etc", "root/usr", "root", "view", "meta"} {
		_ = unix.Unmount(filepath.Join(t.at, name), unix.MNT_DETACH) // what is not mounted is no error
	}
	// Plain removes: a mount that could not be taken away must not be emptied.
	for _, name := range []string{"root", "view", "meta", ""} {
		if err := os.Remove(filepath.Join(t.at, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("tools of the medium: %w", err)
		}
	}
	return nil
}

// Dir is what the programs see as /.
func (t *Root) Dir() string { return t.dir }

// ReadFile reads a file by its path as the programs see it.
func (t *Root) ReadFile(path string) ([]byte, error) {
	root, err := os.OpenRoot(t.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.ReadFile(strings.TrimPrefix(filepath.Clean(path), "/"))
}

// patience is how long a program that was told to end may take.
const patience = 10 * time.Second

// Run runs a program to its end. The error of one that failed holds the last
// lines that it wrote to standard error. When ctx ends, it is told to end.
func (t *Root) Run(ctx context.Context, c image.Command) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	release, err := t.bind(c.Binds)
	defer release()
	if err != nil {
		return fmt.Errorf("%s: %w", c.Argv[0], err)
	}
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env = "/", c.Env
	cmd.Stdin, cmd.Stdout = c.Stdin, c.Stdout
	var said tail
	cmd.Stderr = &said
	cmd.SysProcAttr = &unix.SysProcAttr{Chroot: t.dir}
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = patience
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if text := strings.TrimSpace(said.String()); text != "" {
			return fmt.Errorf("%s: %w\n%s", c.Argv[0], err, text)
		}
		return fmt.Errorf("%s: %w", c.Argv[0], err)
	}
	return nil
}

// bind shows files to a program. Those below /dev are there already, under
// their own names.
func (t *Root) bind(binds []image.Bind) (release func(), err error) {
	var done []string
	release = func() {
		for _, at := range done {
			_ = unix.Unmount(at, unix.MNT_DETACH)
			_ = os.Remove(at)
		}
	}
	for _, b := range binds {
		if b.Source == b.Target && strings.HasPrefix(b.Source, "/dev/") {
			continue
		}
		info, err := os.Stat(b.Source)
		if err != nil {
			return release, err
		}
		at := filepath.Join(t.dir, filepath.Clean("/"+b.Target))
		if info.IsDir() {
			err = os.MkdirAll(at, 0o755)
		} else if err = os.MkdirAll(filepath.Dir(at), 0o755); err == nil {
			err = os.WriteFile(at, nil, 0o600)
		}
		if err != nil {
			return release, err
		}
		steps := []rootmount.Step{{Op: rootmount.Bind, Source: b.Source, Target: at}}
		if !b.Writable {
			steps = append(steps, rootmount.Step{Op: rootmount.Restrict, Target: at, Flags: rootmount.ReadOnly})
		}
		done = append(done, at)
		if err := rootmount.Apply(steps); err != nil {
			return release, err
		}
	}
	return release, nil
}

// tail keeps the end of what a program writes to standard error.
type tail struct{ bytes.Buffer }

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(p []byte) (int, error) {
	const most = 4096
	n, err := t.Buffer.Write(p)
	if extra := t.Len() - most; extra > 0 {
		t.Next(extra)
	}
	return n, err
}
