package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// old is where the host's tree hangs while the new root is made.
const old = "/.old"

// identity of the empty root, word for word Nix's, so that a build that looks
// finds the same in both.
var etc = []struct{ name, content string }{
	{"passwd", "root:x:0:0:Nix build user:/build:/noshell\n" +
		"nixbld:x:1000:100:Nix build user:/build:/noshell\n" +
		"nobody:x:65534:65534:Nobody:/:/noshell\n"},
	{"group", "root:x:0:\nnixbld:!:100:\nnogroup:x:65534:\n"},
	{"hosts", "127.0.0.1 localhost\n::1 localhost\n"},
}

// source is a bind whose source is held open, because the way to it is
// covered while the root is made.
type source struct {
	Bind
	fd  int
	dir bool
}

// enter makes the root that o asks for and goes there for good.
func enter(o order) error {
	// Nothing that happens here may reach the host, and the host's mounts
	// have no business here.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return stageError(stagePrivate, err)
	}
	sources, err := open(o)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range sources {
			unix.Close(s.fd)
		}
	}()
	root, entries, err := openRoot(o.Root)
	if err != nil {
		return err
	}
	if root != nil {
		defer root.Close()
	}
	if err := pivot(); err != nil {
		return err
	}
	if o.Probe {
		return nil
	}
	if root != nil {
		if err := showRoot(root, entries, o.RootWritable); err != nil {
			return err
		}
	} else if err := writeEtc(o.Network); err != nil {
		return err
	}
	if err := mountProc(o); err != nil {
		return err
	}
	if err := makeDev(o); err != nil {
		return err
	}
	if err := mountAll(o.Tmpfs, sources); err != nil {
		return err
	}
	if o.Network && root != nil {
		showResolver()
	}
	if err := unix.Unmount(old, unix.MNT_DETACH); err != nil {
		return stageError("leave the host's root", err)
	}
	if err := os.Remove(old); err != nil {
		return stageError("leave the host's root", err)
	}
	if err := restrict("/", false, unix.MOUNT_ATTR_RDONLY); err != nil {
		return stageError("make / read-only", err)
	}
	if o.Nested {
		return nil
	}
	if err := unix.Sethostname([]byte(o.Hostname)); err != nil {
		return stageError("set the host name", err)
	}
	if err := unix.Setdomainname([]byte("(none)")); err != nil {
		return stageError("set the domain name", err)
	}
	if !o.Network {
		return raiseLoopback()
	}
	return nil
}

// open takes hold of the sources of all binds.
func open(o order) ([]source, error) {
	sources := make([]source, 0, len(o.Binds))
	for _, b := range o.Binds {
		fd, err := unix.Open(b.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, stageError(fmt.Sprintf("bind %q", b.Source), err)
		}
		var stat unix.Stat_t
		if err := unix.Fstat(fd, &stat); err != nil {
			return nil, stageError(fmt.Sprintf("bind %q", b.Source), err)
		}
		sources = append(sources, source{b, fd, stat.Mode&unix.S_IFMT == unix.S_IFDIR})
	}
	return sources, nil
}

func openRoot(name string) (*os.File, []fs.DirEntry, error) {
	if name == "" {
		return nil, nil, nil
	}
	root, err := os.Open(name)
	if err != nil {
		return nil, nil, stageError("open the root", err)
	}
	entries, err := root.ReadDir(-1)
	if err != nil {
		root.Close()
		return nil, nil, stageError("read the root", err)
	}
	return root, entries, nil
}

// pivot makes / a fresh tmpfs with the host's tree at old.
func pivot() error {
	// Any directory will do to hang the tmpfs on: it is gone with the host's
	// tree. /proc must stay in sight.
	base := ""
	for _, dir := range []string{"/tmp", "/run", "/var", "/usr", "/nix", "/etc"} {
		if info, err := os.Lstat(dir); err == nil && info.IsDir() {
			base = dir
			break
		}
	}
	if base == "" {
		return errors.New("no directory at / can take a mount: /tmp, /run, /var, /usr, /nix and /etc are missing")
	}
	if err := unix.Mount("reprise", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return stageError("mount a tmpfs", err)
	}
	if err := os.Mkdir(base+old, 0o755); err != nil {
		return stageError("make the root", err)
	}
	if err := unix.PivotRoot(base, base+old); err != nil {
		return stageError("change the root", err)
	}
	return os.Chdir("/")
}

// held is the name under which a descriptor's file can be mounted.
func held(fd int) string { return fmt.Sprintf("%s/proc/self/fd/%d", old, fd) }

// showRoot makes the top-level entries of the tree those of /. The tree is
// not mounted as / itself, so that what it lacks (a place for /nix/store, for
// /build) can be made beside its entries without touching it.
func showRoot(root *os.File, entries []fs.DirEntry, writable bool) error {
	tree := held(int(root.Fd()))
	for _, e := range entries {
		from, to := tree+"/"+e.Name(), "/"+e.Name()
		var err error
		switch {
		case slices.Contains([]string{"proc", "dev", old[1:]}, e.Name()):
			continue
		case e.Type() == fs.ModeSymlink:
			var target string
			if target, err = os.Readlink(from); err == nil {
				err = os.Symlink(target, to)
			}
		case e.IsDir():
			// An empty one stays part of the tmpfs, for binds below it:
			// somebody's store in /home.
			var empty bool
			if empty, err = isEmpty(from); err == nil {
				err = os.Mkdir(to, 0o755)
			}
			if err == nil && (writable || !empty) {
				err = bind(from, to, writable, false)
			}
		case e.Type().IsRegular():
			if err = touch(to); err == nil {
				err = bind(from, to, writable, false)
			}
		default:
			continue // sockets and the like are no part of a tree
		}
		if err != nil {
			return stageError(fmt.Sprintf("show %q of the root", to), err)
		}
	}
	return nil
}

func isEmpty(dir string) (bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	_, err = d.ReadDir(1)
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}

func writeEtc(network bool) error {
	if err := os.Mkdir("/etc", 0o755); err != nil {
		return stageError("make the root", err)
	}
	files := etc
	if network {
		if resolver, err := os.ReadFile(old + "/etc/resolv.conf"); err == nil {
			files = append(slices.Clone(etc), struct{ name, content string }{"resolv.conf", string(resolver)})
		}
	}
	for _, f := range files {
		if err := os.WriteFile("/etc/"+f.name, []byte(f.content), 0o644); err != nil {
			return stageError("make the root", err)
		}
	}
	return nil
}

// showResolver lets programs of a tree find names as the host does. A tree
// without the file has no program that would read it.
func showResolver() {
	target, err := os.Stat("/etc/resolv.conf")
	if _, missing := os.Stat(old + "/etc/resolv.conf"); err == nil && missing == nil && target.Mode().IsRegular() {
		bind(old+"/etc/resolv.conf", "/etc/resolv.conf", false, false)
	}
}

// mountProc mounts the new pid namespace's own /proc. A container that hides
// parts of its /proc may not mount another; then, and without a pid namespace
// of our own, the one that is there is shown.
func mountProc(o order) error {
	if err := os.Mkdir("/proc", 0o555); err != nil {
		return stageError("make the root", err)
	}
	err := error(unix.EPERM)
	if !o.Nested {
		err = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
	if err == unix.EPERM || err == unix.EACCES {
		err = unix.Mount(old+"/proc", "/proc", "", unix.MS_BIND|unix.MS_REC, "")
	}
	if err != nil {
		return stageError("mount /proc", err)
	}
	if !o.HostRoot || o.Nested {
		return nil
	}
	// The host's root owns the kernel's settings in any namespace.
	for _, name := range []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"} {
		if _, err := os.Lstat(name); err != nil {
			continue
		}
		if err := bind(name, name, false, false); err != nil {
			return stageError("protect "+name, err)
		}
	}
	return nil
}

func makeDev(o order) error {
	if err := os.Mkdir("/dev", 0o755); err != nil {
		return stageError("make /dev", err)
	}
	if err := unix.Mount("dev", "/dev", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return stageError("make /dev", err)
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := touch("/dev/" + name); err != nil {
			return stageError("make /dev", err)
		}
		if err := unix.Mount(old+"/dev/"+name, "/dev/"+name, "", unix.MS_BIND, ""); err != nil {
			return stageError("show /dev/"+name, err)
		}
	}
	for _, link := range [][2]string{{"/proc/self/fd", "fd"}, {"fd/0", "stdin"}, {"fd/1", "stdout"}, {"fd/2", "stderr"}, {"pts/ptmx", "ptmx"}} {
		if err := os.Symlink(link[0], "/dev/"+link[1]); err != nil {
			return stageError("make /dev", err)
		}
	}
	for _, dir := range []string{"/dev/pts", "/dev/shm"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return stageError("make /dev", err)
		}
	}
	if err := unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return stageError("mount /dev/pts", err)
	}
	return mountTmpfs("/dev/shm")
}

func mountTmpfs(target string) error {
	mode := "mode=0755"
	if base := filepath.Base(target); base == "tmp" || base == "shm" {
		mode = "mode=1777"
	}
	if err := unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, mode); err != nil {
		return stageError("mount a tmpfs at "+target, err)
	}
	return nil
}

// mountAll mounts in the order of the targets, so that one may lie in
// another.
func mountAll(tmpfs []string, sources []source) error {
	type step struct {
		target string
		do     func() error
	}
	var steps []step
	for _, target := range tmpfs {
		steps = append(steps, step{target, func() error {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return stageError("make a place for a tmpfs", err)
			}
			return mountTmpfs(target)
		}})
	}
	for _, s := range sources {
		steps = append(steps, step{s.Target, s.show})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return strings.Compare(a.target, b.target) })
	for _, s := range steps {
		if err := s.do(); err != nil {
			return err
		}
	}
	return nil
}

func (s source) show() error {
	stage := fmt.Sprintf("bind %q at %q", s.Source, s.Target)
	place := func() error {
		if s.dir {
			return os.MkdirAll(s.Target, 0o755)
		}
		if err := os.MkdirAll(filepath.Dir(s.Target), 0o755); err != nil {
			return err
		}
		return touch(s.Target)
	}
	if err := place(); err != nil {
		return stageError(stage, err)
	}
	if err := bind(held(s.fd), s.Target, s.Writable, s.Device); err != nil {
		return stageError(stage, err)
	}
	return nil
}

// touch makes an empty file to mount on, where there is nothing yet.
func touch(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// bind shows from at to. The kernel allows an ordinary user only the whole of
// a tree with its submounts, so it is always that.
func bind(from, to string, writable, device bool) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	attr := uint64(unix.MOUNT_ATTR_NOSUID)
	if !device {
		attr |= unix.MOUNT_ATTR_NODEV
	}
	if !writable {
		attr |= unix.MOUNT_ATTR_RDONLY
	}
	return restrict(to, true, attr)
}

// restrict adds mount attributes to the mount at target.
func restrict(target string, recursive bool, attr uint64) error {
	flags := uint(0)
	if recursive {
		flags = unix.AT_RECURSIVE
	}
	err := unix.MountSetattr(unix.AT_FDCWD, target, flags, &unix.MountAttr{Attr_set: attr})
	if err != unix.ENOSYS {
		return err
	}
	// Linux before 5.12 knows only the mount itself, and must be told the
	// attributes that are there already: they are locked.
	var stat unix.Statfs_t
	if err := unix.Statfs(target, &stat); err != nil {
		return err
	}
	// ST_* of statfs and MS_* agree for these bits.
	present := uintptr(stat.Flags) & (unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
	return unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|present|uintptr(attr), "")
}

// raiseLoopback brings up the only network interface.
func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return stageError("raise the loopback interface", err)
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return stageError("raise the loopback interface", err)
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_LOOPBACK | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		return stageError("raise the loopback interface", err)
	}
	return nil
}

// capsetAllThreads is capset(2) in every thread of the process.
func capsetAllThreads(header *unix.CapUserHeader, data *unix.CapUserData) error {
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(data)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
