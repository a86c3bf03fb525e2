// Package liveroot gives a running machine the /usr and /etc of another system,
// while programs run: who has a file open keeps it, who looks one up finds either
// the old system or the new one, and never nothing.
//
// The view of the new system is composed in a mount namespace of its own. Its
// /usr and /etc are then mounted beneath the present ones, which are let go:
// MOVE_MOUNT_BENEATH of Linux 6.5. Mount namespaces of services that follow the
// machine's own follow this too; those with mounts of their own below /usr or
// /etc keep what they had until they start again.
//
//	/usr /etc                     of the system that was attached last
//	/.reprise/meta, /.reprise/root   its view, for those who look for it
//	/run/reprise/booted-system    → the system that was booted
//	/run/reprise/current-system   → the system that was attached last
package liveroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"reprise/internal/rootmount"
	"reprise/store"
)

// Where systems are named while the machine runs.
const (
	Booted = "/run/reprise/booted-system"
	Now    = "/run/reprise/current-system"
)

// Current returns the store path of the system whose /usr and /etc are seen.
func Current() (string, error) {
	target, err := os.Readlink(Now)
	if errors.Is(err, fs.ErrNotExist) {
		target, err = os.Readlink(Booted)
	}
	return target, err
}

// A part of a view, and where it belongs.
type part struct {
	name string // below the composed view; "" for all of it
	at   string
}

var parts = []part{{"usr", "/usr"}, {"etc", "/etc"}, {"", rootmount.Root}}

// moveMountBeneath is MOVE_MOUNT_BENEATH of include/uapi/linux/mount.h, which
// golang.org/x/sys does not have.
const moveMountBeneath = 0x200

// A tree is a mount that is attached nowhere.
type tree struct {
	at string
	fd int
}

// Attach shows the /usr and /etc of the system, a store path of this machine. It
// must be called in the machine's own mount namespace, by root. When it fails,
// the machine sees what it saw before, unless letting go of that is what failed:
// then Current still names the system from before.
func Attach(system string) error {
	trees, err := compose(system)
	defer func() {
		for _, t := range trees {
			unix.Close(t.fd)
		}
	}()
	if err != nil {
		return fmt.Errorf("compose the view of %s: %w", system, err)
	}
	for _, t := range trees {
		// What was tucked beneath others before a failure stays there, unseen.
		if err := unix.MoveMount(t.fd, "", unix.AT_FDCWD, t.at, unix.MOVE_MOUNT_F_EMPTY_PATH|moveMountBeneath); err != nil {
			return fmt.Errorf("mount %s of %s beneath the present one: %w", t.at, system, err)
		}
	}
	var errs []error
	for _, t := range trees {
		if err := unix.Unmount(t.at, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			errs = append(errs, fmt.Errorf("let go of the present %s: %w", t.at, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return store.ReplaceLink(system, Now)
}

// compose makes the view in a mount namespace of its own, which ends with its
// thread: what is returned lives on.
func compose(system string) (trees []tree, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: nothing else may run in that namespace
		trees, err = composeHere(system)
	}()
	<-done
	return trees, err
}

func composeHere(system string) (trees []tree, err error) {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("a private mount namespace: %w", err)
	}
	// A directory for both, on a file system that nobody else sees.
	const scratch = "/run"
	if err := unix.Mount("tmpfs", scratch, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0700,size=1m"); err != nil {
		return nil, fmt.Errorf("scratch for the view: %w", err)
	}
	meta, root := filepath.Join(scratch, "meta"), filepath.Join(scratch, "root")
	if err := rootmount.Apply(rootmount.View(rootmount.Disk, system, meta, root)); err != nil {
		return nil, err
	}
	all := []struct{ from, at string }{{meta, rootmount.Meta}}
	for _, p := range parts {
		all = append(all, struct{ from, at string }{filepath.Join(root, p.name), p.at})
	}
	for _, m := range all {
		fd, err := unix.OpenTree(unix.AT_FDCWD, m.from, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return trees, fmt.Errorf("take %s: %w", m.from, err)
		}
		trees = append(trees, tree{m.at, fd})
	}
	return trees, nil
}
