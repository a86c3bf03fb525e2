// Package stage1 is the program that runs first in the initramfs: it finds the
// disk, puts the root file system together and starts the system's own init.
package stage1

// Activate applies activation.json to the mounted root partition before the
// system starts: disk is where the partition is mounted, data the file's bytes.
type Activate func(disk string, data []byte) error

// Init is the first call of main. It returns at once, having changed nothing,
// unless this process is /init of our initramfs (process 1), the modprobe that
// the kernel calls there, or the rescue shell; those it becomes, and does not
// return.
func Init(activate Activate) {
}
