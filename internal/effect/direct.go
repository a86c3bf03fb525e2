package effect

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"reprise/internal/layer"
	"reprise/store/tree"
)

// direct runs a program of the tools where it is unpacked, without a root: for
// programs that look for nothing but their libraries and the files they are
// given. They find no other program to call. stdout is a file that receives the output, or "" for the log.
func (e *Env) direct(ctx context.Context, stdout, program string, args ...string) error {
	var dirs []string
	for i := range e.Tools.Packages {
		dirs = append(dirs, e.Real(e.Tools.Packages[i].Path))
	}
	argv, err := LoaderCommand(dirs, program, args...)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = e.Work
	cmd.Env = append(Environ(), "PATH=", "OPENSSL_CONF=/dev/null", "PKGSYSTEM_ENABLE_FSYNC=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if stdout != "" {
		out, err := os.Create(stdout)
		if err != nil {
			return err
		}
		defer out.Close()
		cmd.Stdout = out
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %q: %w", program, err)
	}
	return nil
}

// tool returns the path of the first tool package's file whose path ends in
// suffix, such as "glib-2.0/gio-querymodules" below a directory that is named
// for the architecture.
func (e *Env) tool(pkg, suffix string) (string, error) {
	p := e.Tools.Get(pkg)
	if p == nil {
		return "", fmt.Errorf("package %q is no tool of effect %s", pkg, e.Job.Effect)
	}
	for _, entry := range p.Manifest {
		if entry.Kind != layer.Dir && strings.HasSuffix(entry.Path, "/"+suffix) {
			return entry.Path, nil
		}
	}
	return "", fmt.Errorf("package %q has no %q", pkg, suffix)
}

// A found is a file or link of a package among those that an effect reads.
type found struct {
	*layer.Entry
	Package *Content
}

// files returns the files, hard links and symlinks of the packages that an
// effect reads below dirs, sorted by path, each path once: the first package
// that has it.
func (e *Env) files(dirs ...string) []found {
	var all []found
	for i := range e.Packages.Packages {
		p := &e.Packages.Packages[i]
		for _, dir := range dirs {
			below := p.Below(dir)
			for j := range below {
				if below[j].Kind != layer.Dir {
					all = append(all, found{&below[j], p})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return strings.Compare(a.Path, b.Path) })
	return slices.CompactFunc(all, func(a, b found) bool { return a.Path == b.Path })
}

// gather copies the files below dir for which keep holds to a new directory,
// under their paths relative to dir, links as links. Files are made in the
// order of their names.
func (e *Env) gather(dir string, keep func(name string) bool) (string, error) {
	to, err := e.mkdir(path.Base(dir))
	if err != nil {
		return "", err
	}
	for _, f := range e.files(dir) {
		name := strings.TrimPrefix(f.Path, dir+"/")
		if !keep(name) {
			continue
		}
		target := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return "", err
		}
		if f.Kind == layer.Symlink {
			err = os.Symlink(f.Target, target)
		} else {
			err = tree.CopyFile(e.File(f.Package, f.Path), target, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	return to, nil
}

// tree adds every file and link below dir, which is on the file system of the
// output, as root's and readable for all, below the path at.
func (o *Output) tree(dir, at string) {
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		switch target := path.Join(at, rel); d.Type() {
		case fs.ModeDir:
		case fs.ModeSymlink:
			link, err := os.Readlink(name)
			if err != nil {
				return err
			}
			o.Symlink(target, link)
		case 0:
			o.Move(target, name, 0o644)
		default:
			return fmt.Errorf("%q is neither file nor link", name)
		}
		return o.err
	})
	o.fail(err)
}

// suffix returns a filter for names that end in one of these.
func suffix(ends ...string) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) })
	}
}
