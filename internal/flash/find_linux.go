package flash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"reprise/hwdetect"
	"reprise/internal/diag"
)

// ReadTargets lists the disks of this machine. Contents are looked at where
// the user may; udev's records tell the rest.
func ReadTargets() ([]Target, error) {
	root := os.DirFS("/")
	facts, err := hwdetect.Read(root, hwdetect.Options{Contents: true})
	if err != nil {
		return nil, fmt.Errorf("list the disks: %w", err)
	}
	return Targets(facts, readLoops(root)), nil
}

// readLoops says which loop devices lie on which files or block devices, which
// neither holders nor an exclusive open tell.
func readLoops(root fs.FS) map[string]string {
	loops := map[string]string{}
	names, _ := fs.Glob(root, "sys/block/loop*/loop/backing_file")
	for _, name := range names {
		if data, err := fs.ReadFile(root, name); err == nil {
			backing := strings.TrimSuffix(strings.TrimSpace(string(data)), " (deleted)")
			loops["/dev/"+path.Base(path.Dir(path.Dir(name)))] = backing
		}
	}
	return loops
}

// Find returns the target that a user names: by its node, by a link to it (as
// in /dev/disk/by-id), or by the node's base name. A loop device, and a regular
// file in a device's place, need not be among all. Anything else is a
// diag.Problem.
func Find(all []Target, name string) (Target, error) {
	refused := func(got, do string) (Target, error) {
		return Target{}, diag.Problem{File: name, Got: got, Want: "a whole stick, card or disk, such as /dev/sdb", Do: do}
	}
	node := name
	info, err := os.Stat(node)
	if errors.Is(err, fs.ErrNotExist) && !strings.Contains(name, "/") {
		node = "/dev/" + name
		info, err = os.Stat(node)
	}
	if err != nil {
		return refused("cannot be opened: "+reason(err), near(all, name))
	}
	if node, err = filepath.EvalSymlinks(node); err != nil {
		return refused("cannot be opened: "+reason(err), near(all, name))
	}
	for _, t := range all {
		if t.Path == node {
			return t, nil
		}
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case info.IsDir():
		return refused("is a directory", near(all, name))
	case info.Mode().IsRegular():
		return Target{Path: node, SizeBytes: info.Size() / fileBlock * fileBlock, Removable: true, Transport: hwdetect.Is("file")}, nil
	case info.Mode()&os.ModeDevice == 0 || info.Mode()&os.ModeCharDevice != 0 || !ok:
		return refused("is no block device", near(all, name))
	}
	number := fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	place, err := filepath.EvalSymlinks("/sys/dev/block/" + number)
	if err != nil {
		return refused("is no device that the kernel knows", near(all, name))
	}
	base := path.Base(place)
	for _, t := range all { // a node by another name
		if t.Path == "/dev/"+base {
			return t, nil
		}
	}
	if _, err := os.Stat(place + "/partition"); err == nil {
		whole := "/dev/" + path.Base(path.Dir(place))
		return refused("is a partition", "name the whole device: "+whole)
	}
	switch kind := strings.TrimRight(base, "0123456789"); kind {
	case "loop":
		return loopTarget(node)
	case "sr":
		return refused("is an optical drive", "burn the ISO with xorriso or a program for discs, or choose a stick")
	case "dm-", "md":
		return refused("is made of other devices", "name the disk that is meant")
	}
	if data, err := os.ReadFile(place + "/size"); err == nil && strings.TrimSpace(string(data)) == "0" {
		return refused("holds no medium", "put a card in")
	}
	return refused("is no disk", near(all, name))
}

func near(all []Target, name string) string {
	var known []string
	for _, t := range all {
		known = append(known, t.Path)
	}
	if !strings.Contains(name, "/") {
		name = "/dev/" + name
	}
	if found := diag.Nearest(name, known); len(found) > 0 {
		return "write " + strings.Join(found, " or ") + "; reprise flash IMAGE lists the devices"
	}
	return "reprise flash IMAGE lists the devices"
}

// loopTarget is a loop device, which no list has.
func loopTarget(node string) (Target, error) {
	base := path.Base(node)
	t := Target{Path: node, Removable: true, Transport: hwdetect.Is("loop")}
	read := func(name string) string {
		data, err := os.ReadFile("/sys/class/block/" + base + "/" + name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
	backing := read("loop/backing_file")
	if backing == "" {
		return Target{}, diag.Problem{File: node, Got: "has no file behind it", Want: "a loop device that is set up", Do: "losetup " + node + " FILE"}
	}
	var sectors int64
	if _, err := fmt.Sscan(read("size"), &sectors); err != nil {
		return Target{}, fmt.Errorf("size of %q: %w", node, err)
	}
	const sysSector = 512 // what /sys counts in, whatever the device's own sectors are
	t.Model, t.SizeBytes, t.ReadOnly = hwdetect.Is(backing), sectors*sysSector, read("ro") == "1"
	return t, nil
}
