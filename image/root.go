package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"reprise/image/layout"
	"reprise/internal/layer"
	"reprise/internal/progress"
)

// epoch is the time of everything in the root file system: the second that
// Nix gives to its store.
const epoch = 1

// ext4Features are named one by one, so that the archive's mke2fs.conf takes
// no part. orphan_file and metadata_csum_seed stay out: a rescue system's
// e2fsck before 1.47 refuses them and nothing here needs them.
const ext4Features = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg," +
	"sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum"

// writeRoot makes the root file system in its partition of the image file.
//
// mke2fs reads the content as a tar stream (since 1.47.1): there is no staged
// tree, and owners, modes and times come from the stream, not from files on
// the machine. The image is a fresh sparse file, so nothing has to be zeroed
// and the kernel has nothing left to initialise.
func writeRoot(ctx context.Context, image string, p layout.Plan, entries []Entry, tools Tools, task progress.Task) error {
	e := p.Ext4
	const inside = "/image"
	argv := []string{
		"/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-O", ext4Features,
		"-b", fmt.Sprint(e.BlockBytes), "-I", fmt.Sprint(e.InodeBytes), "-N", fmt.Sprint(e.Inodes),
		"-m", "0", "-L", e.Label, "-U", e.UUID.String(), "-J", fmt.Sprintf("size=%d", e.JournalMiB), "-e", "remount-ro",
		"-E", strings.Join([]string{
			fmt.Sprintf("offset=%d", p.Root.Offset()), "hash_seed=" + e.HashSeed.String(), fmt.Sprintf("resize=%d", e.GrowToBlocks),
			"root_owner=0:0", "nodiscard", "assume_storage_prezeroed=1", "lazy_itable_init=0", "lazy_journal_init=0",
		}, ","),
		"-d", "-", inside, fmt.Sprint(e.Blocks),
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	// A larger pipe saves switches between the two ends; 64 KiB do as well.
	unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 1<<20)

	// Each side ends the other: mke2fs when the content cannot be read, the
	// stream, by EPIPE, when nobody takes it any more.
	run, stop := context.WithCancel(ctx)
	defer stop()
	streamed := make(chan error, 1)
	go func() {
		err := writeTar(run, w, entries, task)
		if err != nil && !errors.Is(err, unix.EPIPE) {
			stop() // before the end of the stream looks like the end of the content
		}
		w.Close()
		streamed <- err
	}()
	ran := tools.Run(run, Command{
		Argv: argv, Stdin: r, Binds: []Bind{{Source: image, Target: inside, Writable: true}},
		Env: []string{
			"PATH=/usr/sbin:/usr/bin", "LC_ALL=C", "TZ=UTC", "MKE2FS_CONFIG=/dev/null", "MKE2FS_SYNC=0",
			fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch), fmt.Sprintf("E2FSPROGS_FAKE_TIME=%d", epoch),
		},
	})
	r.Close()
	broke := <-streamed
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case broke != nil && !errors.Is(broke, unix.EPIPE):
		return broke
	case ran != nil:
		return full(image, ran)
	case broke != nil:
		return fmt.Errorf("mke2fs stopped reading: %w", broke)
	}
	return nil
}

// full tells an error that came from the machine's disk being full from
// others: mke2fs and go-diskfs say so in words only.
func full(image string, err error) error {
	const nothing = 1 << 20 // bytes
	var stat unix.Statfs_t
	if unix.Statfs(image, &stat) == nil && int64(stat.Bavail)*stat.Bsize < nothing {
		return fmt.Errorf("%w: %w", unix.ENOSPC, err)
	}
	return err
}

// writeTar streams entries, parents first. The GNU format is taken for its
// fields for the times of access and change: without them mke2fs leaves 0,
// and PAX records would add a kilobyte for each entry.
func writeTar(ctx context.Context, w io.Writer, entries []Entry, task progress.Task) error {
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	// A hard link comes after its file, wherever its name sorts.
	slices.SortStableFunc(sorted, func(a, b Entry) int { return isHard(a) - isHard(b) })

	stamp := time.Unix(epoch, 0).UTC()
	s := newStream(w)
	files := map[string]Entry{}
	for i, e := range sorted {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.check(); err != nil {
			return err
		}
		if i > 0 && sorted[i-1].Path == e.Path {
			return fmt.Errorf("%q is there twice", e.Path)
		}
		h := &tar.Header{
			Name: e.Path, Mode: int64(e.Mode), Uid: int(e.UID), Gid: int(e.GID), Linkname: e.Target,
			ModTime: stamp, AccessTime: stamp, ChangeTime: stamp, Format: tar.FormatGNU,
		}
		switch e.Kind {
		case layer.Dir:
			h.Typeflag = tar.TypeDir
		case layer.Symlink:
			h.Typeflag, h.Mode = tar.TypeSymlink, 0o777
		case layer.File:
			h.Typeflag, h.Size = tar.TypeReg, e.Size
			files[e.Path] = e
		case layer.Hard:
			file, ok := files[e.Target]
			if !ok {
				return fmt.Errorf("%q: its hard link's target %q is no file of the image", e.Path, e.Target)
			}
			// mke2fs gives the inode what the last of its names says.
			h.Typeflag, h.Mode, h.Uid, h.Gid = tar.TypeLink, int64(file.Mode), int(file.UID), int(file.GID)
		}
		// A writer for each header: it writes that and nothing else, and the
		// content goes to the stream by the shortest way.
		if err := tar.NewWriter(s).WriteHeader(h); err != nil {
			return fmt.Errorf("%q: %w", e.Path, err)
		}
		if e.Kind == layer.File {
			if err := s.content(e, task); err != nil {
				return err
			}
		}
	}
	_, err := s.Write(make([]byte, 2*tarBlock))
	return errors.Join(err, s.Flush())
}

func isHard(e Entry) int {
	if e.Kind == layer.Hard {
		return 1
	}
	return 0
}

// Tree lists the store path that lies at source as entries below at, such as
// "nix/store/<hash>-bash": root's, canonical permissions (0555 for directories
// and programs, 0444 for other files), whatever owners and further bits the
// store has on this machine. Devices, sockets and pipes are refused.
func Tree(ctx context.Context, at, source string) ([]Entry, error) {
	var entries []Entry
	err := filepath.WalkDir(source, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		below, err := filepath.Rel(source, name)
		if err != nil {
			return err
		}
		e := Entry{Path: filepath.Join(at, below), Mode: 0o444}
		switch d.Type() {
		case fs.ModeDir:
			e.Kind, e.Mode = layer.Dir, 0o555
		case fs.ModeSymlink:
			e.Kind, e.Mode = layer.Symlink, 0o777
			if e.Target, err = os.Readlink(name); err != nil {
				return err
			}
		case 0:
			info, err := d.Info()
			if err != nil {
				return err
			}
			e.Kind, e.Size, e.Source = layer.File, info.Size(), name
			if info.Mode()&0o111 != 0 {
				e.Mode = 0o555
			}
		default:
			return fmt.Errorf("%q is a %s: a store holds none", name, d.Type())
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", at, err)
	}
	return entries, nil
}
