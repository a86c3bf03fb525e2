package deb

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUnpackFullDisk unpacks into a file system of 1 MiB. It runs itself again
// in a user and mount namespace to be allowed to mount one.
func TestUnpackFullDisk(t *testing.T) {
	const variable = "REPRISE_TEST_FULL_DISK"
	disk := os.Getenv(variable)
	if disk == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestUnpackFullDisk$", "-test.v")
		cmd.Env = append(os.Environ(), variable+"="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("in a user namespace: %v\n%s", err, out)
		}
		return
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	for name, entries := range map[string][]entry{
		"one large file":   {file("./x", strings.Repeat("large", 1<<20))},
		"many small files": {file("./a", strings.Repeat("1", 600<<10)), file("./b", strings.Repeat("2", 600<<10)), file("./c", "3")},
	} {
		deb := sampleDeb(t, "gz", tarFile(t, entries...))
		_, err := Unpack(t.Context(), bytes.NewReader(deb), int64(len(deb)), filepath.Join(disk, "out"), UnpackOptions{})
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), disk) {
			t.Errorf("%s: error %v, want one of a full disk that names the place", name, err)
		}
		if left, err := os.ReadDir(disk); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v, %v", name, left, err)
		}
	}
	// There is room again for what fits.
	deb := sampleDeb(t, "gz", tarFile(t, file("./x", "small")))
	if _, err := Unpack(t.Context(), bytes.NewReader(deb), int64(len(deb)), filepath.Join(disk, "out"), UnpackOptions{}); err != nil {
		t.Error(err)
	}
}
