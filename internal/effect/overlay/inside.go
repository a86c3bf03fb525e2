package overlay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"reprise/store/tree"
)

// Main is the second process. It returns the exit status: that of the first
// command that did not exit with 0.
func Main() int {
	runtime.LockOSThread() // for Pdeathsig of the commands
	var o order
	err := json.NewDecoder(os.NewFile(3, "order")).Decode(&o)
	if err == nil {
		err = o.run()
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		fmt.Fprintln(os.Stderr, err)
		return exit.ExitCode()
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func (o *order) run() error {
	root, upper, err := o.mount()
	if err != nil {
		return fmt.Errorf("make root of layers: %w", err)
	}
	for _, c := range o.Commands {
		if err := c.run(root); err != nil {
			return fmt.Errorf("run %q: %w", c.Argv, err)
		}
	}
	for _, name := range o.Collect {
		if err := copyTree(filepath.Join(upper, name), filepath.Join(o.Changes, name)); err != nil {
			return fmt.Errorf("collect %q: %w", name, err)
		}
	}
	return nil
}

// mount makes the root below o.Work and returns its place and that of the
// upper directory.
func (o *order) mount() (root, upper string, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return "", "", fmt.Errorf("keep mounts apart: %w", err)
	}
	if err := unix.Mount("tmpfs", o.Work, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return "", "", fmt.Errorf("mount a tmpfs: %w", err)
	}
	// mount(2) takes 4,096 bytes of options. Short names relative to the
	// working directory leave room for the most layers that overlayfs takes.
	if err := os.Chdir(o.Work); err != nil {
		return "", "", err
	}
	for _, dir := range []string{"l", "upper", "work", "root"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return "", "", err
		}
	}
	var lower []string
	for i, dir := range o.Lower {
		name := "l/" + strconv.FormatInt(int64(i), 36)
		if err := os.Symlink(dir, name); err != nil {
			return "", "", err
		}
		lower = append(lower, name)
	}
	// What the merge lacks, or has as links of a package that may be absent.
	for _, link := range [][2]string{{"bin", "usr/bin"}, {"sbin", "usr/sbin"}, {"lib", "usr/lib"}, {"lib64", "usr/lib64"}} {
		if err := os.Symlink(link[1], "upper/"+link[0]); err != nil {
			return "", "", err
		}
	}
	for _, dir := range []string{"dev", "tmp", "nix/store"} {
		if err := os.MkdirAll("upper/"+dir, 0o755); err != nil {
			return "", "", err
		}
	}
	for _, b := range o.Binds {
		if err := os.MkdirAll("upper/"+b.Target, 0o755); err != nil {
			return "", "", err
		}
	}
	// The store may belong to somebody who is nobody in this namespace, and
	// then even its root cannot write into a layer's directory. What is above
	// a layer's directory gives it its owner.
	for _, name := range o.Collect {
		if err := os.MkdirAll("upper/"+name, 0o755); err != nil {
			return "", "", err
		}
	}
	options := "lowerdir=" + strings.Join(lower, ":") + ",upperdir=upper,workdir=work"
	// userxattr belongs to mounts of user namespaces; a kernel that refuses it
	// is older or we are really root.
	err = unix.Mount("overlay", "root", "overlay", unix.MS_NOSUID|unix.MS_NODEV, options+",userxattr")
	if err != nil {
		err = unix.Mount("overlay", "root", "overlay", unix.MS_NOSUID|unix.MS_NODEV, options)
	}
	if err != nil {
		return "", "", fmt.Errorf("mount an overlay of %d layers: %w", len(lower), err)
	}
	if err := o.fill("root"); err != nil {
		return "", "", err
	}
	return filepath.Join(o.Work, "root"), filepath.Join(o.Work, "upper"), nil
}

func (o *order) fill(root string) error {
	for _, device := range []string{"null", "zero", "full", "random", "urandom"} {
		name := root + "/dev/" + device
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+device, name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind /dev/%s: %w", device, err)
		}
	}
	if o.Store != "" {
		if err := unix.Mount(o.Store, root+"/nix/store", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %q: %w", o.Store, err)
		}
	}
	for _, b := range o.Binds {
		if err := unix.Mount(b.Source, filepath.Join(root, b.Target), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("bind %q: %w", b.Source, err)
		}
	}
	return nil
}

func (c command) run(root string) error {
	cmd := &exec.Cmd{Path: c.Argv[0], Args: c.Argv, Env: c.Env, Dir: c.Dir, Stdout: os.Stderr, Stderr: os.Stderr}
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	if c.Stdin != nil {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	if c.Stdout != "" {
		out, err := os.Create(c.Stdout)
		if err != nil {
			return err
		}
		defer out.Close()
		cmd.Stdout = out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Pdeathsig: syscall.SIGKILL}
	return cmd.Run()
}

// copyTree copies directories, files and links. Whiteouts (what a program
// removed) and other special files are left out.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == from && errors.Is(err, fs.ErrNotExist) {
				return nil // nothing was changed there
			}
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch d.Type() {
		case fs.ModeDir:
			return os.MkdirAll(target, 0o755)
		case fs.ModeSymlink:
			link, err := os.Readlink(name)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case 0:
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			return tree.CopyFile(name, target, 0o644)
		}
		return nil
	})
}
