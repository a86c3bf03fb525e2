package installer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reprise/image"
	"reprise/image/layout"
	"reprise/installer/answers"
	"reprise/installer/plan"
)

func (r *run) checkMedium(ctx context.Context, _ plan.Step) error {
	if r.Check == nil {
		return nil
	}
	if err := r.Check(ctx, r.Sink); err != nil {
		return &damagedMedium{err}
	}
	return nil
}

// edgeBytes at both ends of the disk and of each partition are cleared: there
// lie the signatures of whatever was there before. ZFS has two labels of 256
// KiB at each end, and nothing lies farther in.
const edgeBytes = 1 << 20

// partition writes the partition table and begins the journal.
func (r *run) partition(ctx context.Context, _ plan.Step) error {
	p := r.Plan
	table, err := layoutOf(p.Table)
	if err != nil {
		return err
	}
	r.journal = journal{Host: r.journal.Host, Password: r.journal.Password}
	err = r.change(ctx, p.Disk.Path, true, func(d Device) error {
		// The medium was checked for minutes: a disk may have gone since, and
		// another have its name. What is open now stays the one that is looked at.
		if err := r.same(ctx); err != nil {
			return err
		}
		type span struct{ at, size int64 }
		spans := []span{{0, edgeBytes}, {p.Disk.SizeBytes - edgeBytes, edgeBytes}}
		for _, part := range p.Table.Partitions() {
			edge := min(edgeBytes, part.Bytes())
			spans = append(spans, span{part.Offset(), edge}, span{part.Offset() + part.Bytes() - edge, edge})
		}
		zeros := make([]byte, edgeBytes)
		// The journal first: from here on there is no finished machine, which a run
		// after a power cut would have to ask about, or leave as it is.
		bios := p.Table.BIOSBoot
		if _, err := d.WriteAt(zeros[:journalBytes], bios.Offset()+bios.Bytes()-journalBytes); err != nil {
			return fmt.Errorf("clear the old journal: %w", err)
		}
		if err := d.Sync(); err != nil {
			return err
		}
		for _, s := range spans {
			if _, err := d.WriteAt(zeros[:s.size], s.at); err != nil {
				return fmt.Errorf("clear the old content: %w", err)
			}
		}
		return image.WriteTable(d, table, p.Disk.SizeBytes)
	})
	if err != nil {
		return err
	}
	if err := r.Target.Partitions(ctx, p); err != nil {
		return err
	}
	return r.note(ctx, plan.MakePartitions)
}

// layoutOf gives the table in the words of package layout.
func layoutOf(t plan.Table) (layout.Plan, error) {
	var errs []error
	guid := func(text string) layout.GUID {
		g, err := layout.ParseGUID(text)
		errs = append(errs, err)
		return g
	}
	part := func(p plan.Planned) layout.Partition {
		return layout.Partition{Number: p.Number, Type: p.Type, GUID: guid(p.GUID), Name: p.Name, FirstLBA: p.FirstLBA, LastLBA: p.LastLBA}
	}
	l := layout.Plan{DiskGUID: guid(t.GUID), FATSerial: t.FATSerial, BIOSBoot: part(t.BIOSBoot), ESP: part(t.ESP), Root: part(t.Root)}
	l.SizeBytes = (t.Root.LastLBA + 1) * layout.Sector
	return l, errors.Join(errs...)
}

var toolEnvironment = []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C", "TZ=UTC", "HOME=/"}

// keyslotMemory is what opening the disk takes, in KiB. cryptsetup takes up to
// 1 GiB of the machine that makes the container; this one must also open in one
// with 512 MiB. It is four times what RFC 9106 recommends where memory is short,
// and cryptsetup makes as many passes as take its two seconds.
const keyslotMemory = 256 << 10

func (r *run) encrypt(ctx context.Context, _ plan.Step) error {
	node, offset := r.Target.Place(r.Plan.Table.Root.Path)
	if offset != 0 {
		return errors.New("cryptsetup wants a device of its own")
	}
	r.Target.Ciphers(ctx)
	err := r.Target.Tools().Run(ctx, image.Command{
		Argv: []string{"/usr/sbin/cryptsetup", "luksFormat", "--type", "luks2", "--batch-mode", "--uuid", r.Plan.LUKS.UUID,
			"--label", "reprise", "--pbkdf", "argon2id", "--pbkdf-memory", strconv.Itoa(keyslotMemory), "--key-file=-", node},
		Env: toolEnvironment, Stdin: bytes.NewReader(r.Passphrase),
		Binds: []image.Bind{{Source: node, Target: node, Writable: true}},
	})
	if err != nil {
		return err
	}
	return r.unlock(ctx, plan.Step{})
}

func (r *run) unlock(ctx context.Context, _ plan.Step) error {
	if err := r.Target.Map(ctx, r.Plan, r.Passphrase); err != nil {
		return err
	}
	r.mapped = true
	return nil
}

// unlockAgain opens what an earlier try has encrypted. Where the passphrase is
// another one now, the root is encrypted anew: it holds half an installation.
func (r *run) unlockAgain(ctx context.Context, step plan.Step) error {
	err := r.unlock(ctx, step)
	if !errors.Is(err, ErrPassphrase) {
		return err
	}
	r.Sink.Note("An earlier try has encrypted the disk with another passphrase: it is encrypted anew.")
	r.journal.Done = r.journal.Done[:slices.Index(r.journal.Done, plan.Encrypt)]
	if err := r.writeJournal(ctx); err != nil {
		return err
	}
	if err := r.encrypt(ctx, step); err != nil {
		return err
	}
	return r.note(ctx, plan.Encrypt)
}

func (r *run) makeFileSystems(ctx context.Context, _ plan.Step) error {
	fs := r.Plan.Root
	node, offset := r.Target.Place(fs.Path)
	binds := []image.Bind{{Source: node, Target: node, Writable: true}}
	if fs.Type == answers.Btrfs {
		if offset != 0 {
			return errors.New("mkfs.btrfs wants a device of its own")
		}
		return r.Target.Tools().Run(ctx, image.Command{
			Argv: []string{"/usr/sbin/mkfs.btrfs", "--quiet", "--force", "--label", fs.Label, "--uuid", fs.UUID, node},
			Env:  toolEnvironment, Binds: binds,
		})
	}
	// The same features as in a disk image. The kernel clears the inode tables
	// later, in the background; what the disk calls free is told to it.
	extended := []string{"hash_seed=" + fs.HashSeed, "root_owner=0:0", "lazy_itable_init=1", "lazy_journal_init=1", "discard"}
	if offset != 0 {
		extended = append(extended, "offset="+strconv.FormatInt(offset, 10), "nodiscard")
	}
	const block = 4096
	return r.Target.Tools().Run(ctx, image.Command{
		Argv: []string{"/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-O", image.Ext4Features, "-b", strconv.Itoa(block), "-I", "256", "-m", "0",
			"-L", fs.Label, "-U", fs.UUID, "-J", fmt.Sprintf("size=%d", fs.JournalMiB), "-e", "remount-ro", "-E", strings.Join(extended, ","),
			node, strconv.FormatInt(fs.Bytes/block, 10)},
		Env: append([]string{"MKE2FS_CONFIG=/dev/null"}, toolEnvironment...), Binds: binds,
	})
}

func (r *run) mount(ctx context.Context, _ plan.Step) error {
	dir, err := r.Target.Mount(ctx, r.Plan.Root)
	r.dir = dir
	return err
}

func (r *run) finish(ctx context.Context, _ plan.Step) error {
	if err := r.keepLog(); err != nil {
		r.Sink.Note("The log could not be kept on the machine: %v", err)
	}
	if err := r.leave(ctx); err != nil {
		return err
	}
	r.journal.Finished = true
	return r.writeJournal(ctx)
}
