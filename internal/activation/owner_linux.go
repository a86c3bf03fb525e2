package activation

import (
	"io/fs"
	"syscall"
)

// owner returns who owns a file of a Linux file system.
func owner(info fs.FileInfo) (uid, gid uint32, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return st.Uid, st.Gid, true
}
