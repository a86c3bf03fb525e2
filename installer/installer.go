// Package installer carries out a plan of package plan: it partitions the
// disk, makes file systems, copies and verifies the store, writes the machine's
// configuration and its boot loaders.
//
// Words. The [Target] is the machine that is worked on; the [Source] is the
// medium as it is mounted. The journal says which steps of which plan are done;
// it lies on the disk itself, in the last 64 KiB of the BIOS boot partition.
//
// Invariants:
//   - No device is opened for writing but those of Plan.Devices; before the
//     first write the disk is looked at again.
//   - A step may be cut off at any moment and done again. What is done is
//     noted only after it is on stable storage.
//   - The disk boots the new system only from the last write of write-entry on:
//     until then the EFI system partition is no file system.
//   - A store path of the target is registered only when its content had the
//     hash that the medium's list says, and after a sync.
//   - A plan that was carried out to its end is not carried out again, unless
//     Job.Again says so: a stick that stays in the machine harms nobody. What
//     another plan has finished is erased only where Job.Replace says so.
package installer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

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
	// Files belong into /etc/reprise, by name: configuration.jsonnet,
	// hardware.jsonnet, reprise.lock.
	Files map[string][]byte
	// Compose makes the machine's own system in the store below storeRoot from
	// the configuration file and returns it, valid. nil: the carried system.
	Compose func(ctx context.Context, storeRoot, configuration string) (storepath.Path, error)
	// Check verifies the medium before anything is written. nil: not asked for.
	Check func(context.Context, progress.Sink) error
	// Again does every step even when the journal says that this very plan
	// was carried out to its end.
	Again bool
	// Replace lets go of a machine that another plan, or this one with another
	// password, was carried out on to its end. What is half done is no machine.
	Replace bool
	// Timeout is how long the boot menu stays, in seconds; 0 shows none.
	Timeout int
	// Log is where the full log is: "/run/reprise/install.log". Messages name
	// it, and an installed machine has a copy at LogFile.
	Log string
}

// A Status is what Report is told about a step.
type Status string

const (
	Started Status = "started"
	Done    Status = "done"
	Kept    Status = "kept" // done by an earlier run
	Failed  Status = "failed"
)

// A Source is the medium as it is mounted.
type Source struct {
	Root   string // of the medium: holds reprise/medium.json
	Store  string // the directory whose names are those of store paths
	Device string // the node of what is mounted: "/dev/sdb"; "" when that is not known
}

// A Target is the machine that is installed to. Every path it is given is one
// of Plan.Devices.
type Target interface {
	// Look says what is at the disk's path now. Uses of its own are left out.
	Look(ctx context.Context, path string) (plan.Disk, error)
	// Open opens a device to read and write. Exclusive: no other program can
	// use it, or a partition of it, meanwhile.
	Open(ctx context.Context, path string, exclusive bool) (Device, error)
	// Partitions makes the kernel read the disk's new table and waits for the
	// nodes of its partitions.
	Partitions(ctx context.Context, p *plan.Plan) error
	// Place says where a program finds a device: a node that Tools shows, and
	// the offset in it in bytes.
	Place(path string) (node string, offset int64)
	// Ciphers makes ready what the kernel needs for LUKS2.
	Ciphers(ctx context.Context)
	// Map opens the encrypted root; one that is open stays so. A passphrase that
	// does not open it is ErrPassphrase. Unmap closes it.
	Map(ctx context.Context, p *plan.Plan, passphrase []byte) error
	Unmap(ctx context.Context, p *plan.Plan) error
	// Mount mounts the root file system and returns where; one that is mounted
	// stays so.
	Mount(ctx context.Context, root plan.RootFS) (dir string, err error)
	// Unmount brings everything to stable storage and unmounts; what is not
	// mounted is no error.
	Unmount(ctx context.Context, root plan.RootFS) error
	// Tools runs programs: mke2fs, mkfs.btrfs, cryptsetup, grub-mkimage.
	Tools() image.Tools
	// SetClock sets the clock of the machine to the plan's date.
	SetClock(ctx context.Context, p *plan.Plan) error
}

// A Device is an open disk or partition.
type Device interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Close() error
}

// A Result is a finished installation.
type Result struct {
	System     storepath.Path
	Generation int
	// Before says that an earlier run had finished the same plan, and that
	// nothing was done now.
	Before bool
}

// Run carries the plan out. After a failure or a power cut it is called again
// with the same plan and goes on where the journal of the disk ends. The error
// is a *StepError, or that of ctx.
func (j *Job) Run(ctx context.Context) (*Result, error) {
	r := &run{Job: j}
	if r.Sink == nil {
		r.Sink = progress.Discard
	}
	if r.Report == nil {
		r.Report = func(plan.Name, Status) {}
	}
	result, err := r.run(ctx)
	if closeErr := r.leave(context.WithoutCancel(ctx)); err == nil && closeErr != nil {
		err = r.explain(plan.Finish, closeErr)
	}
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// run is one call of Run.
type run struct {
	*Job
	journal journal
	stale   bool   // the journal on the disk has more done than journal
	dir     string // where the root is mounted; "" when it is not
	mapped  bool
}

// ErrPassphrase is what Target.Map returns when the passphrase opens nothing.
var ErrPassphrase = errors.New("the passphrase does not open the disk")

// errFinished ends a run early: there is nothing to do.
var errFinished = errors.New("the installation is complete")

func (r *run) run(ctx context.Context) (*Result, error) {
	if err := r.ready(ctx); err != nil {
		if errors.Is(err, errFinished) {
			return &Result{System: r.journal.System, Generation: 1, Before: true}, nil
		}
		step := r.Plan.Steps[0].Name
		if other := (*otherMachine)(nil); errors.As(err, &other) {
			step = "plan" // no step has begun
		}
		return nil, r.explain(step, err)
	}
	for _, step := range r.Plan.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		act, ok := actions[step.Name]
		if !ok {
			return nil, r.explain(step.Name, fmt.Errorf("this program knows no step %q", step.Name))
		}
		done := slices.Contains(r.journal.Done, step.Name)
		if done && act.again == nil {
			r.Report(step.Name, Kept)
			continue
		}
		r.Report(step.Name, Started)
		do := act.do
		if done {
			do = act.again
		}
		err := do(r, ctx, step)
		if err == nil && !done && act.noted {
			err = r.note(ctx, step.Name)
		}
		if err != nil {
			r.Report(step.Name, Failed)
			return nil, r.explain(step.Name, err)
		}
		r.Report(step.Name, Done)
	}
	return &Result{System: r.journal.System, Generation: 1}, nil
}

// An action is how a step is done.
type action struct {
	do    func(*run, context.Context, plan.Step) error
	again func(*run, context.Context, plan.Step) error // what of a step that is done each run needs
	noted bool                                         // in the journal, which is there from the partitions on
}

var actions = map[plan.Name]action{
	plan.CheckMedium:        {do: (*run).checkMedium},
	plan.MakePartitions:     {do: (*run).partition}, // notes itself: it makes the journal
	plan.Encrypt:            {do: (*run).encrypt, again: (*run).unlockAgain, noted: true},
	plan.MakeFileSystems:    {do: (*run).makeFileSystems, noted: true},
	plan.MountRoot:          {do: (*run).mount},
	plan.CopyStore:          {do: (*run).copyStore, noted: true},
	plan.RegisterStore:      {do: (*run).registerStore, noted: true},
	plan.WriteConfiguration: {do: (*run).writeConfiguration, noted: true},
	plan.InstallBootLoaders: {do: (*run).installBootLoaders, noted: true},
	plan.WriteEntry:         {do: (*run).writeEntry, noted: true},
	plan.Finish:             {do: (*run).finish},
}

// same holds that the disk is the one of the plan, and that nobody uses it.
func (r *run) same(ctx context.Context) error {
	now, err := r.Target.Look(ctx, r.Plan.Disk.Path)
	if err != nil {
		return err
	}
	want := r.Plan.Disk
	if now.Medium || now.Serial != want.Serial || now.Model != want.Model || now.SizeBytes != want.SizeBytes || now.SectorBytes != want.SectorBytes {
		return &changedDisk{want, now}
	}
	if len(now.Uses) > 0 {
		u := now.Uses[0]
		return fmt.Errorf("%s is in use: %s %s", u.Device, u.Kind, u.By)
	}
	return nil
}

// ready looks at the disk before anything is done, and reads the journal.
func (r *run) ready(ctx context.Context) error {
	if err := r.same(ctx); err != nil {
		return err
	}
	if r.Plan.LUKS != nil && len(r.Passphrase) == 0 {
		return errors.New("no passphrase was given for the encrypted root")
	}
	if r.Plan.Clock {
		if err := r.Target.SetClock(ctx, r.Plan); err != nil {
			r.Sink.Note("The clock cannot be set: %v", err)
		}
	}
	last := r.readJournal(ctx)
	password := passwordDigest(r.Plan)
	same := last.Plan == r.Plan.ID
	switch {
	case same && !last.Finished:
		r.resume(last)
	case !last.Finished || r.Again: // half done by another plan, nothing, or agreed to
	case same && last.Password == password:
		r.journal = last
		return errFinished
	case !r.Replace:
		return &otherMachine{host: last.Host, disk: r.Plan.Disk.Path}
	}
	r.journal.Password, r.journal.Host = password, r.Plan.Host
	return nil
}

// resume goes on where the journal of the disk ends. A password that is another
// one now is written; what was copied stays.
func (r *run) resume(last journal) {
	r.journal = last
	if at := slices.Index(last.Done, plan.WriteConfiguration); at >= 0 && last.Password != passwordDigest(r.Plan) {
		r.journal.Done, r.stale = last.Done[:at], true
	}
}

// leave gives back what the run holds.
func (r *run) leave(ctx context.Context) error {
	var errs []error
	if r.dir != "" {
		errs = append(errs, r.Target.Unmount(ctx, r.Plan.Root))
		r.dir = ""
	}
	if r.mapped {
		errs = append(errs, r.Target.Unmap(ctx, r.Plan))
		r.mapped = false
	}
	return errors.Join(errs...)
}
