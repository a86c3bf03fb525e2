//go:build tools

package installer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"reprise/image"
	"reprise/installer/plan"
	"reprise/store/sandbox"
)

// archiveTools are real programs, in a sandbox: those of Debian packages
// dosfstools, e2fsprogs, gdisk, grub-common and grub-pc-bin.
type archiveTools string

func openArchiveTools(t *testing.T) archiveTools {
	t.Helper()
	root := os.Getenv("REPRISE_TEST_TOOLS")
	if root == "" {
		t.Fatal("REPRISE_TEST_TOOLS names no tree of programs")
	}
	return archiveTools(root)
}

func (a archiveTools) ReadFile(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(a), path))
}

func (a archiveTools) Run(ctx context.Context, c image.Command) error {
	var said bytes.Buffer
	spec := sandbox.Spec{Root: string(a), Argv: c.Argv, Env: c.Env, Stdin: c.Stdin, Stdout: c.Stdout, Stderr: &said, AsRoot: true, Tmpfs: []string{"/tmp"}}
	for i, b := range c.Binds {
		// The tree has no directory where a disk's file lies on this machine.
		if b.Source == b.Target {
			b.Target = "/tmp/disk"
			for n, arg := range spec.Argv {
				if arg == c.Binds[i].Target {
					spec.Argv[n] = b.Target
				}
			}
		}
		spec.Binds = append(spec.Binds, sandbox.Bind{Source: b.Source, Target: b.Target, Writable: b.Writable})
	}
	if err := sandbox.Run(ctx, spec); err != nil {
		return fmt.Errorf("%s: %w: %s", c.Argv[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// judge runs a checker over a file.
func (a archiveTools) judge(t *testing.T, file string, argv ...string) string {
	t.Helper()
	var out bytes.Buffer
	err := a.Run(t.Context(), image.Command{Argv: append(argv, file), Stdout: &out, Env: toolEnvironment, Binds: []image.Bind{{Source: file, Target: file}}})
	if err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	return out.String()
}

// TestJudges installs with the archive's own mke2fs and grub-mkimage, and asks
// sgdisk, fsck.fat and e2fsck what they think of the result.
func TestJudges(t *testing.T) {
	tools := openArchiveTools(t)
	w := makeWorld(t)
	p := makePlan(t, w)
	target := w.target(t, p)
	target.tools = tools
	if _, err := w.job(p, target).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, w, target)
	disk := target.disk.Name()
	if out := tools.judge(t, disk, "/usr/sbin/sgdisk", "-v"); !bytes.Contains([]byte(out), []byte("No problems found")) {
		t.Error(out)
	}
	part := func(part plan.Planned) string {
		t.Helper()
		name := filepath.Join(t.TempDir(), part.Name)
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := io.Copy(f, io.NewSectionReader(target.disk, part.Offset(), part.Bytes())); err != nil {
			t.Fatal(err)
		}
		return name
	}
	tools.judge(t, part(p.Table.ESP), "/usr/sbin/fsck.fat", "-n")
	tools.judge(t, part(p.Table.Root), "/usr/sbin/e2fsck", "-fn")
}
