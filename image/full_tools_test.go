//go:build tools

package image_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"reprise/image"
	"reprise/internal/layer"
	"reprise/internal/progress"
)

// TestFullDisk writes to a file system of 40 MiB. The test runs itself in a
// user namespace, so that anybody may mount one.
func TestFullDisk(t *testing.T) {
	const inside = "REPRISE_TEST_INSIDE"
	if os.Getenv(inside) == "" {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=40m"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	for name, spoil := range map[string]func(*image.Disk, string, int64){
		"root": func(d *image.Disk, content string, size int64) {
			d.Root = append(d.Root, image.Entry{Path: "var/content", Kind: layer.File, Size: size, Source: content})
		},
		"ESP": func(d *image.Disk, content string, size int64) {
			d.ESP = append(d.ESP, image.File{Path: "content", Size: size, Source: content})
		},
	} {
		t.Run(name, func(t *testing.T) {
			tools := toolRoot(t)
			d := sample(t, t.TempDir(), tools)
			content := filepath.Join(t.TempDir(), "content")
			if err := os.WriteFile(content, bytes.Repeat([]byte("full"), 12<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			spoil(&d, content, 48<<20)
			err := image.WriteDisk(t.Context(), d, filepath.Join(dir, "disk.img"), tools, progress.Discard)
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("error %v: want one that is %v", err, syscall.ENOSPC)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("files are left: %v, %v", left, err)
			}
		})
	}
}
