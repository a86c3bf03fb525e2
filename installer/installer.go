// Package installer carries out a plan of package plan: it partitions the
// disk, makes file systems, copies and verifies the store, writes the machine's
// configuration and its boot loaders.
//
// Words. The [Target] is the machine that is worked on; the source is the
// medium as it is mounted. The journal says which steps of which plan are done;
// it lies on the disk itself, in the last 64 KiB of the BIOS boot partition.
//
// Invariants:
//   - No device is opened for writing but the plan's disk and what the plan
//     names on it; before the first write the disk is looked at again.
//   - A step may be cut off at any moment and done again. What is done is
//     noted only after it is on stable storage.
//   - The disk boots the new system only from the last moment of write-entry on:
//     until then the EFI system partition is no file system.
//   - A store path of the target is registered only when its content had the
//     hash that the medium's list says, and after a sync.
package installer

import (
	"context"
	"io"

	"reprise/image"
	"reprise/installer/plan"
	"reprise/internal/progress"
	"reprise/store/storepath"
)

// A Job is one installation.
type Job struct {
	Plan   *plan.Plan
	Medium *plan.Medium
	Source Source
	Target Target
	Sink   progress.Sink
	// Report is told when a step begins and ends; see Status. nil: nobody.
	Report func(plan.Name, Status)
	// Passphrase of the encrypted root; nil without encryption. Never kept.
	Passphrase []byte
	// Files are the configuration, hardware.jsonnet and whatever else belongs
	// into /etc/reprise, by name.
	Files map[string][]byte
	// Compose makes the machine's own system in the store below storeRoot from
	// the configuration file and returns it, valid. nil: the carried system.
	Compose func(ctx context.Context, storeRoot, configuration string) (storepath.Path, error)
	// Check verifies the medium before anything is written. nil: not asked for.
	Check func(context.Context, progress.Sink) error
	// Again does every step even when the journal says that this very plan
	// was carried out to its end.
	Again bool
	// Log is where the full log is, for messages: "/run/reprise/install.log".
	Log string
}

// A Status is what Report is told about a step.
type Status string

const (
	Started  Status = "started"
	Done     Status = "done"
	Kept     Status = "kept" // done by an earlier run
	StepFail Status = "failed"
)

// A Source is the medium as it is mounted.
type Source struct {
	Root  string // of the medium: holds reprise/medium.json
	Store string // the directory whose names are those of store paths
}

// A Target is the machine that is installed to. Every path it is given is
// the plan's disk or something on it.
type Target interface {
	// Look says what is at the disk's path now.
	Look(ctx context.Context, path string) (plan.Disk, error)
	// Open opens the disk to read and write. While it is open no other program
	// can use the disk as a whole.
	Open(ctx context.Context, path string) (Device, error)
	// Partitions makes the kernel read the disk's new table and waits for the
	// nodes of its partitions.
	Partitions(ctx context.Context, disk Device, p *plan.Plan) error
	// Place says where a program finds the device of the plan: a node, and the
	// offset in it in bytes.
	Place(path string, p *plan.Plan) (node string, offset int64)
	// Map opens the encrypted root, Unmap closes it.
	Map(ctx context.Context, l *plan.LUKS, partition string, passphrase []byte) error
	Unmap(ctx context.Context, l *plan.LUKS) error
	// Mount mounts the root file system and returns where; a root that is
	// mounted already is not mounted again.
	Mount(ctx context.Context, root plan.RootFS) (dir string, err error)
	Unmount(ctx context.Context, dir string) error
	// Tools runs programs: mke2fs, mkfs.btrfs, cryptsetup.
	Tools() image.Tools
	// SetClock sets the clock of the machine.
	SetClock(ctx context.Context, p *plan.Plan) error
}

// A Device is an open disk.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Close() error
}
