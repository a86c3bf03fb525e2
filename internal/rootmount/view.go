package rootmount

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// maxFstab bounds the fstab that is read, bytes.
const maxFstab = 1 << 20

// Examine reads from a composed view what a plan must know.
func Examine(view fs.FS) (Facts, error) {
	var f Facts
	var err error
	if f.Opt, err = exists(view, "usr/lib/reprise/opt"); err != nil {
		return f, err
	}
	if f.TmpUnit, err = exists(view, "usr/lib/systemd/system/local-fs.target.wants/tmp.mount"); err != nil {
		return f, err
	}
	info, err := fs.Stat(view, "etc/fstab")
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read fstab: %w", err)
	}
	if info.Size() > maxFstab {
		return f, fmt.Errorf("read fstab: it has %d bytes, the most is %d", info.Size(), maxFstab)
	}
	data, err := fs.ReadFile(view, "etc/fstab")
	if err != nil {
		return f, fmt.Errorf("read fstab: %w", err)
	}
	f.MountPoints = mountPoints(string(data))
	return f, nil
}

func exists(fsys fs.FS, name string) (bool, error) {
	_, err := fs.Lstat(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the view: %w", err)
	}
	return true, nil
}

// mountPoints returns the second field of each line of an fstab, where it is
// an absolute path. Spaces in it are written \040 (fstab(5)).
func mountPoints(fstab string) []string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(fstab) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") || !strings.HasPrefix(fields[1], "/") {
			continue
		}
		points = append(points, unescape.Replace(fields[1]))
	}
	return points
}
