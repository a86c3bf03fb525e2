// Package rootmount puts together the root file system of a machine from a
// disk and a system path: first as a plan, which is data, then by doing it.
//
// Stage 1 uses it for a boot, and the running machine uses the same plan for a
// soft-reboot (another target, the disk bound instead of moved). The view
// alone, composed in a private mount namespace, is what a live switch of
// generation attaches beneath /usr and /etc.
//
// The tree at the target:
//
//	/                    tmpfs, 1 MiB, read-only at the end
//	/.reprise/disk       the root partition, read-write
//	/.reprise/meta       the system's root.erofs: names, owners, modes
//	/.reprise/root       overlay of meta over the store: the view
//	/.reprise/etc        in a session from a medium: /etc, to be written to
//	/usr /etc            bound from the view
//	/nix /var /home /root /srv   bound from the disk; /nix/store read-only
//	/bin /sbin /lib /lib64       symlinks into usr
//	/boot                → usr/lib/reprise/boot
//	/opt                 → usr/lib/reprise/opt where the view has one
//	/media               tmpfs: desktops make mount points in it
//	/dev /proc /sys /run /tmp /efi /mnt   mount points
//
// /.reprise is closed to all but root, because the store is writable there.
// The disk is mounted outside /run because a soft-reboot takes /run over
// without the mounts below it. It is never detached: a file system that is
// only reachable through its bind mounts is not unmounted cleanly at shutdown.
package rootmount

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Places of the parts, on every machine.
const (
	Private = "/.reprise"
	Disk    = Private + "/disk" // the root partition
	Meta    = Private + "/meta" // root.erofs
	Root    = Private + "/root" // the view

	// Medium is where an installation medium is mounted, on a machine that was
	// started from one. Its store image is then at Disk/nix/store, and the rest
	// of Disk is a tmpfs.
	Medium = Private + "/medium"

	// Etc is where /etc can be changed, in a session from a medium: what is
	// written there lies over the view's own, in memory, and is seen at /etc.
	Etc = Private + "/etc"
)

// RootImage is the view's metadata in a system path.
const RootImage = "root.erofs"

// rootSize bounds the tmpfs that is /: it holds directories and symlinks only.
const rootSize = "1m"

// diskDirs are the directories of the root partition that the machine sees in
// their own places. They are made when they are missing.
var diskDirs = []struct {
	name string
	mode fs.FileMode
}{
	{"nix", 0o755}, {"var", 0o755}, {"home", 0o755}, {"root", 0o700}, {"srv", 0o755},
}

// Op is what a Step does.
type Op string

const (
	Mkdir    Op = "mkdir"    // Target with Mode, parents made; one that is there keeps its mode
	Symlink  Op = "symlink"  // Target → Source
	Mount    Op = "mount"    // file system Type from Source with Data
	Bind     Op = "bind"     // Source at Target
	Move     Op = "move"     // the mount at Source to Target
	Restrict Op = "restrict" // the bind mount at Target gets its Flags
	Freeze   Op = "freeze"   // the file system at Target becomes read-only
)

// Flag is a property of a mount.
type Flag uint8

const (
	ReadOnly Flag = 1 << iota
	NoSUID
	NoDev
	NoExec
	NoAtime
)

var flagNames = []string{"ro", "nosuid", "nodev", "noexec", "noatime"}

// A Step is one act of a plan.
type Step struct {
	Op     Op
	Source string
	Target string
	Type   string      // of Mount
	Data   string      // of Mount: options of the file system
	Flags  Flag        // of Mount and Restrict
	Mode   fs.FileMode // of Mkdir
}

// String prints the step as a command that a person could type.
func (s Step) String() string {
	var options []string
	for i, name := range flagNames {
		if s.Flags&(1<<i) != 0 {
			options = append(options, name)
		}
	}
	if s.Data != "" {
		options = append(options, s.Data)
	}
	o := strings.Join(options, ",")
	switch s.Op {
	case Mkdir:
		return fmt.Sprintf("mkdir -p -m %o %s", s.Mode, s.Target)
	case Symlink:
		return fmt.Sprintf("ln -s %s %s", s.Source, s.Target)
	case Mount:
		if o != "" {
			o = " -o " + o
		}
		return fmt.Sprintf("mount -t %s%s %s %s", s.Type, o, s.Source, s.Target)
	case Bind:
		return fmt.Sprintf("mount --bind %s %s", s.Source, s.Target)
	case Move:
		return fmt.Sprintf("mount --move %s %s", s.Source, s.Target)
	case Restrict:
		return fmt.Sprintf("mount -o remount,bind,%s %s", o, s.Target)
	case Freeze:
		return fmt.Sprintf("mount -o remount,ro %s", s.Target)
	}
	return fmt.Sprintf("%s %s %s", s.Op, s.Source, s.Target)
}

// View plans the view of a system: disk is where the root partition is
// mounted, system the store path, such as "/nix/store/<hash>-system-rig"; the
// metadata goes to meta and the composed view to root.
func View(disk, system, meta, root string) []Step {
	return []Step{
		{Op: Mkdir, Target: meta, Mode: 0o755},
		{Op: Mkdir, Target: root, Mode: 0o755},
		// The kernel mounts the image file itself (EROFS_FS_BACKED_BY_FILE).
		{Op: Mount, Type: "erofs", Source: path.Join(disk, system, RootImage), Target: meta, Flags: ReadOnly},
		// "::" makes the store a data-only layer: its files are reached by
		// redirects alone. Without metacopy=on the kernel refuses that.
		{Op: Mount, Type: "overlay", Source: "overlay", Target: root, Flags: ReadOnly,
			Data: "lowerdir=" + meta + "::" + disk + "/nix/store,metacopy=on,redirect_dir=follow"},
	}
}

// A Request asks for a whole root file system.
type Request struct {
	Target string // where the new root is put together: "/sysroot", "/run/nextroot"
	// Keep says that this machine goes on living below Disk, Meta and Root:
	// they are bound into the target. Else they are moved there.
	Keep bool
	View Facts
	// Medium says that an installation medium is mounted at Medium: it is
	// carried into the target with the rest.
	Medium bool
	// Session says that /etc is to be made fit for the machine while the system
	// runs: there is an Etc.
	Session bool
}

// Facts is what a plan must know of a view.
type Facts struct {
	Opt         bool     // the view has usr/lib/reprise/opt
	TmpUnit     bool     // systemd mounts /tmp itself
	MountPoints []string // absolute paths that the view's fstab mounts
}

// Tree plans the root file system at r.Target. The partition must be mounted
// at Disk, and the view at Root.
func Tree(r Request) []Step {
	at := func(p string) string { return path.Join(r.Target, p) }
	steps := []Step{
		{Op: Mkdir, Target: r.Target, Mode: 0o755},
		{Op: Mount, Type: "tmpfs", Source: "tmpfs", Target: r.Target, Flags: NoSUID | NoDev, Data: "mode=0755,size=" + rootSize},
		{Op: Mkdir, Target: at(Private), Mode: 0o700},
	}
	for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
		steps = append(steps, Step{Op: Symlink, Source: "usr/" + l, Target: at(l)})
	}
	steps = append(steps, Step{Op: Symlink, Source: "usr/lib/reprise/boot", Target: at("boot")})
	points := []string{"dev", "proc", "sys", "run", "tmp", "efi", "mnt", "media"}
	if r.View.Opt {
		steps = append(steps, Step{Op: Symlink, Source: "usr/lib/reprise/opt", Target: at("opt")})
	} else {
		points = append(points, "opt")
	}
	for _, p := range points {
		steps = append(steps, Step{Op: Mkdir, Target: at(p), Mode: 0o755})
	}
	for _, p := range extraPoints(r.View) {
		steps = append(steps, Step{Op: Mkdir, Target: at(p), Mode: 0o755})
	}
	for _, d := range []string{"usr", "etc"} {
		steps = append(steps, Step{Op: Mkdir, Target: at(d), Mode: 0o755})
		if d == "etc" && r.Session {
			steps = append(steps, changeable(r.Target)...)
			continue
		}
		steps = append(steps, Step{Op: Bind, Source: path.Join(Root, d), Target: at(d)})
	}
	for _, d := range diskDirs {
		steps = append(steps,
			Step{Op: Mkdir, Target: path.Join(Disk, d.name), Mode: d.mode},
			Step{Op: Mkdir, Target: at(d.name), Mode: d.mode},
			Step{Op: Bind, Source: path.Join(Disk, d.name), Target: at(d.name)})
	}
	steps = append(steps,
		Step{Op: Bind, Source: path.Join(Disk, "nix/store"), Target: at("nix/store")},
		Step{Op: Restrict, Target: at("nix/store"), Flags: ReadOnly | NoSUID | NoDev},
		Step{Op: Mount, Type: "tmpfs", Source: "tmpfs", Target: at("media"), Flags: NoSUID | NoDev | NoExec, Data: "mode=0755,size=" + rootSize})
	if !r.View.TmpUnit {
		steps = append(steps, Step{Op: Mount, Type: "tmpfs", Source: "tmpfs", Target: at("tmp"), Flags: NoSUID | NoDev, Data: "mode=1777,size=50%"})
	}
	carry := Move
	if r.Keep {
		carry = Bind
	}
	carried := []string{Disk, Meta, Root}
	if r.Medium {
		carried = append(carried, Medium)
	}
	for _, p := range carried {
		steps = append(steps,
			Step{Op: Mkdir, Target: at(p), Mode: 0o755},
			Step{Op: carry, Source: p, Target: at(p)})
	}
	return append(steps, Step{Op: Freeze, Target: r.Target})
}

// changeable plans an /etc that can be changed at Etc only. It has the layers of
// the view itself: one overlay over another would be one too many for the kernel.
func changeable(target string) []Step {
	upper, work := path.Join(Disk, "etc/upper"), path.Join(Disk, "etc/work")
	etc := path.Join(target, Etc)
	return []Step{
		{Op: Mkdir, Target: upper, Mode: 0o755},
		{Op: Mkdir, Target: work, Mode: 0o755},
		{Op: Mkdir, Target: etc, Mode: 0o755},
		{Op: Mount, Type: "overlay", Source: "overlay", Target: etc,
			Data: "lowerdir=" + Meta + "/etc::" + Disk + "/nix/store,upperdir=" + upper + ",workdir=" + work + ",metacopy=on,redirect_dir=on"},
		{Op: Bind, Source: etc, Target: path.Join(target, "etc")},
		{Op: Restrict, Target: path.Join(target, "etc"), Flags: ReadOnly},
	}
}

// extraPoints returns the mount points of the view's fstab that only the tmpfs
// can hold: those below other mounts are made there by systemd.
func extraPoints(f Facts) []string {
	covered := []string{"usr", "etc", "dev", "proc", "sys", "run", "tmp", "media", "efi", "mnt", "bin", "sbin", "lib", "lib64", "boot", ".reprise"}
	for _, d := range diskDirs {
		covered = append(covered, d.name)
	}
	if f.Opt {
		covered = append(covered, "opt")
	}
	var points []string
	for _, p := range f.MountPoints {
		clean := strings.TrimPrefix(path.Clean("/"+p), "/")
		top, below, deep := strings.Cut(clean, "/")
		if clean == "" || slices.Contains(covered, top) && (top != "mnt" || !deep || below == "") {
			continue
		}
		points = append(points, clean)
	}
	slices.Sort(points)
	return slices.Compact(points)
}
