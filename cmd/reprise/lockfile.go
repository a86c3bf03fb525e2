package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"reprise/internal/atomicfile"
	"reprise/internal/lock"
)

// lockName is the lock beside a configuration.
const lockName = "reprise.lock"

// lockPath returns where the lock of a configuration is: reprise.lock beside
// the user's own file; a profile that we ship has none, so its lock is beside
// the output (live-rig.img → live-rig.lock).
func lockPath(configuration, flag, out string) string {
	if flag != "" {
		return flag
	}
	// As config.Evaluate takes it: a directory of the profile's name is no file.
	if info, err := os.Stat(configuration); err == nil && !info.IsDir() {
		return filepath.Join(filepath.Dir(configuration), lockName)
	}
	return strings.TrimSuffix(out, filepath.Ext(out)) + ".lock"
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readLock returns the lock at path, or nil when there is none.
func readLock(path string) (*lock.Lock, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return lock.Parse(path, data)
}

func writeLock(path string, l *lock.Lock) error {
	return atomicfile.WriteBytes(path, 0o644, l.Encode())
}

// serves reports whether the lock answers these requests. It may answer more:
// the lock of an installation medium serves a disk image, too.
func serves(l *lock.Lock, sets []lock.Set) bool {
	if l == nil {
		return false
	}
	for _, b := range sets {
		a, ok := l.Set(b.Name)
		if !ok || !slices.Equal(a.Roots, b.Roots) || a.Recommends != b.Recommends ||
			a.Essential != b.Essential || a.Alone != b.Alone {
			return false
		}
	}
	return true
}
