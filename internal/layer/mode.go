package layer

import "io/fs"

// bits pairs the bits of chmod(2) above the permissions with Go's.
var bits = [...]struct {
	unix uint32
	mode fs.FileMode
}{{0o4000, fs.ModeSetuid}, {0o2000, fs.ModeSetgid}, {0o1000, fs.ModeSticky}}

// FileMode turns the 12 bits of chmod(2), as manifests have them, into Go's
// mode.
func FileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for _, b := range bits {
		if mode&b.unix != 0 {
			m |= b.mode
		}
	}
	return m
}

// UnixMode returns the 12 bits of chmod(2) of Go's mode.
func UnixMode(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	for _, b := range bits {
		if m&b.mode != 0 {
			mode |= b.unix
		}
	}
	return mode
}
