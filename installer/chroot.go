package installer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"reprise/image"
	"reprise/internal/rootmount"
	"reprise/store/storepath"
)

// Chroot runs programs of a view of packages, as root of this machine, with
// its devices. It is for the initramfs, where the sandbox of package
// store/sandbox cannot be: nobody can pivot away from the kernel's first root.
type Chroot struct {
	root    string   // a tmpfs that looks like a root file system
	mounted []string // in the order in which they were mounted
}

// OpenTools mounts the tools of a medium below dir, which it makes. disk is the
// directory that holds nix/store, tools the store path with root.erofs.
func OpenTools(disk string, tools storepath.Path, dir string) (_ *Chroot, err error) {
	c := &Chroot{root: filepath.Join(dir, "root")}
	defer func() {
		if err != nil {
			err = fmt.Errorf("mount the tools of the medium: %w", errors.Join(err, c.Close()))
		}
	}()
	meta, view := filepath.Join(dir, "meta"), filepath.Join(dir, "view")
	if err := rootmount.Apply(rootmount.View(disk, string(tools), meta, view)); err != nil {
		return nil, err
	}
	c.mounted = append(c.mounted, meta, view)
	return c, c.furnish(view)
}

// OpenTree is OpenTools for a view that is there already, as a directory.
func OpenTree(view, dir string) (_ *Chroot, err error) {
	c := &Chroot{root: filepath.Join(dir, "root")}
	if err := c.furnish(view); err != nil {
		return nil, fmt.Errorf("mount the tools at %q: %w", view, errors.Join(err, c.Close()))
	}
	return c, nil
}

// furnish makes the root: usr and etc of the view, the machine's devices.
func (c *Chroot) furnish(view string) error {
	if err := os.MkdirAll(c.root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", c.root, "tmpfs", 0, "mode=0755"); err != nil {
		return &fs.PathError{Op: "mount", Path: c.root, Err: err}
	}
	c.mounted = append(c.mounted, c.root)
	for _, name := range []string{"tmp", "run", "run/lock", "run/cryptsetup", "var", "root"} {
		if err := os.Mkdir(filepath.Join(c.root, name), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(c.root, name)); err != nil {
			return err
		}
	}
	for _, b := range []struct{ from, to string }{{filepath.Join(view, "usr"), "usr"}, {filepath.Join(view, "etc"), "etc"}, {"/dev", "dev"}, {"/proc", "proc"}, {"/sys", "sys"}} {
		if _, err := os.Stat(b.from); errors.Is(err, fs.ErrNotExist) {
			continue // a view of programs may have no etc
		}
		if err := c.bind(b.from, filepath.Join(c.root, b.to)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chroot) bind(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = os.MkdirAll(to, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
		err = os.WriteFile(to, nil, 0o644)
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &fs.PathError{Op: "bind", Path: to, Err: err}
	}
	c.mounted = append(c.mounted, to)
	// In a session mounts are shared: without this the machine's own /dev/shm and
	// /sys/fs/cgroup would be unmounted together with what is seen of them here.
	if err := unix.Mount("", to, "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return &fs.PathError{Op: "keep to itself", Path: to, Err: err}
	}
	return nil
}

// Close unmounts what Open mounted.
func (c *Chroot) Close() error {
	var errs []error
	for len(c.mounted) > 0 {
		errs = append(errs, c.unbind(len(c.mounted)-1))
	}
	return errors.Join(errs...)
}

// unbind unmounts the mount i and those after it.
func (c *Chroot) unbind(i int) error {
	var errs []error
	for n := len(c.mounted) - 1; n >= i; n-- {
		// Lazily: /dev holds mounts that others use.
		if err := unix.Unmount(c.mounted[n], unix.MNT_DETACH); err != nil {
			errs = append(errs, &fs.PathError{Op: "unmount", Path: c.mounted[n], Err: err})
		}
	}
	c.mounted = c.mounted[:i]
	return errors.Join(errs...)
}

// ReadFile reads a file of the view.
func (c *Chroot) ReadFile(path string) ([]byte, error) {
	root, err := os.OpenRoot(c.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.ReadFile(strings.TrimPrefix(filepath.Clean(path), "/"))
}

// Run runs one program at a time; see image.Tools. Devices are there already.
func (c *Chroot) Run(ctx context.Context, cmd image.Command) (err error) {
	before := len(c.mounted)
	defer func() { err = errors.Join(err, c.unbind(before)) }()
	for _, b := range cmd.Binds {
		if strings.HasPrefix(b.Source, "/dev/") && b.Source == b.Target {
			continue
		}
		if err := c.bind(b.Source, filepath.Join(c.root, b.Target)); err != nil {
			return err
		}
	}
	var said bytes.Buffer
	run := exec.CommandContext(ctx, cmd.Argv[0], cmd.Argv[1:]...)
	run.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root}
	run.Dir, run.Env, run.Stdin, run.Stdout, run.Stderr = "/", cmd.Env, cmd.Stdin, cmd.Stdout, &said
	if err := run.Run(); err != nil {
		const most = 4096
		text := said.Bytes()
		return fmt.Errorf("%s: %w: %s", cmd.Argv[0], err, bytes.TrimSpace(text[max(0, len(text)-most):]))
	}
	return nil
}
