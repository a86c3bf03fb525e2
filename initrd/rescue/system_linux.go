package rescue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/u-root/u-root/pkg/mount"
	"golang.org/x/sys/unix"

	"reprise/initrd/blockdev"
	"reprise/initrd/kmod"
)

// blk lists disks and partitions.
func blk(c call) error {
	s := blockdev.System{Sys: os.DirFS("/sys"), Open: func(name string) (blockdev.Disk, error) { return os.Open("/dev/" + name) }}
	devices, err := s.List(true)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.Stdout, blockdev.Table(devices))
	return err
}

var mountOptions = map[string]uintptr{
	"ro": unix.MS_RDONLY, "rw": 0, "nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC,
	"noatime": unix.MS_NOATIME, "remount": unix.MS_REMOUNT, "bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC,
	"move": unix.MS_MOVE, "sync": unix.MS_SYNCHRONOUS, "defaults": 0,
}

type mountCall struct {
	kind, data string
	flags      uintptr
	places     []string
}

func parseMount(args []string) (m mountCall, err error) {
	var data []string
	options := func(list string) {
		for o := range strings.SplitSeq(list, ",") {
			if flag, ok := mountOptions[o]; ok {
				m.flags |= flag
			} else if o != "" {
				data = append(data, o)
			}
		}
	}
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case (arg == "-t" || arg == "-o") && i+1 < len(args):
			i++
			if arg == "-t" {
				m.kind = args[i]
			} else {
				options(args[i])
			}
		case arg == "-r":
			m.flags |= unix.MS_RDONLY
		case arg == "--bind" || arg == "--rbind" || arg == "--move":
			options(arg[2:])
		case strings.HasPrefix(arg, "-"):
			return m, fmt.Errorf("option %q is not known", arg)
		default:
			m.places = append(m.places, arg)
		}
	}
	m.data = strings.Join(data, ",")
	if len(m.places) == 1 && m.flags&unix.MS_REMOUNT != 0 {
		m.places = append([]string{""}, m.places...)
	}
	if len(m.places) != 2 {
		return m, usage("mount [-t TYPE] [-o OPTIONS] DEVICE DIR")
	}
	return m, nil
}

func mountCommand(c call) error {
	if len(c.args) == 0 {
		return c.show("/proc/self/mounts")
	}
	m, err := parseMount(c.args)
	if err != nil {
		return err
	}
	at := c.path(m.places[1])
	source := m.places[0]
	if m.flags&(unix.MS_BIND|unix.MS_MOVE) != 0 && source != "" {
		source = c.path(source)
	}
	if m.kind == "" && m.flags&(unix.MS_BIND|unix.MS_MOVE|unix.MS_REMOUNT) == 0 {
		_, err = mount.TryMount(source, at, m.data, m.flags)
		return err
	}
	_, err = mount.Mount(source, at, m.kind, m.data, m.flags)
	return err
}

func umount(c call) error {
	lazy := len(c.args) > 1 && c.args[0] == "-l"
	if lazy {
		c.args = c.args[1:]
	}
	if len(c.args) == 0 {
		return usage("umount [-l] DIR…")
	}
	var errs []error
	for _, dir := range c.args {
		errs = append(errs, mount.Unmount(c.path(dir), false, lazy))
	}
	return errors.Join(errs...)
}

func reboot(call) error   { return halt(unix.LINUX_REBOOT_CMD_RESTART) }
func poweroff(call) error { return halt(unix.LINUX_REBOOT_CMD_POWER_OFF) }

// halt writes everything to disk and ends the machine.
func halt(how int) error {
	unix.Sync()
	// Read-only file systems are clean ones; busy files do not matter any more.
	if data, err := os.ReadFile("/proc/self/mounts"); err == nil {
		for line := range strings.Lines(string(data)) {
			if f := strings.Fields(line); len(f) > 2 && strings.HasPrefix(f[0], "/dev/") {
				_ = unix.Mount("", f[1], "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
			}
		}
	}
	return unix.Reboot(how)
}

func dmesg(c call) error {
	size, err := unix.Klogctl(unix.SYSLOG_ACTION_SIZE_BUFFER, nil)
	if err != nil {
		return err
	}
	buffer := make([]byte, size)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buffer)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(buffer[:n])) {
		if _, rest, ok := strings.Cut(line, ">"); ok && strings.HasPrefix(line, "<") {
			line = rest
		}
		if _, err := fmt.Fprint(c.Stdout, line); err != nil || c.Err() != nil {
			return err
		}
	}
	return nil
}

func ps(c call) error {
	fmt.Fprintf(c.Stdout, "%7s %7s %s %s\n", "PID", "PARENT", "S", "COMMAND")
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	slices.SortFunc(dirs, func(a, b string) int {
		x, _ := strconv.Atoi(filepath.Base(a))
		y, _ := strconv.Atoi(filepath.Base(b))
		return x - y
	})
	for _, dir := range dirs {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // it has ended
		}
		// The name stands in parentheses and may hold any byte.
		end := strings.LastIndexByte(string(stat), ')')
		begin := strings.IndexByte(string(stat), '(')
		if begin < 0 || end < begin {
			continue
		}
		rest := strings.Fields(string(stat[end+1:]))
		if len(rest) < 2 {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		name := strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
		if name == "" {
			name = "[" + string(stat[begin+1:end]) + "]"
		}
		fmt.Fprintf(c.Stdout, "%7s %7s %s %s\n", filepath.Base(dir), rest[1], rest[0], name)
	}
	return nil
}

func kill(c call) error {
	signal := unix.SIGTERM
	args := c.args
	if len(args) > 1 && strings.HasPrefix(args[0], "-") {
		name := strings.ToUpper(args[0][1:])
		if n, err := strconv.Atoi(name); err == nil {
			signal = unix.Signal(n)
		} else if signal = unix.SignalNum("SIG" + strings.TrimPrefix(name, "SIG")); signal == 0 {
			return fmt.Errorf("signal %q is not known", name)
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return usage("kill [-SIGNAL] PID…")
	}
	for _, a := range args {
		pid, err := strconv.Atoi(a)
		if err != nil {
			return fmt.Errorf("%q is not a process number", a)
		}
		if err := unix.Kill(pid, signal); err != nil {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return nil
}

func lsmod(c call) error { return c.show("/proc/modules") }

func modprobe(c call) error {
	dir, err := kmod.Dir("/")
	if err != nil {
		return err
	}
	if status := kmod.Modprobe(dir, kmod.ReadRefused(), c.args, c.Stderr); status != 0 {
		return exitStatus(status)
	}
	return nil
}

func rmmod(c call) error {
	if len(c.args) == 0 {
		return usage("rmmod MODULE…")
	}
	for _, name := range c.args {
		if err := unix.DeleteModule(kmod.Name(name), unix.O_NONBLOCK); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func uname(c call) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	s := unix.ByteSliceToString
	_, err := fmt.Fprintln(c.Stdout, s(u.Sysname[:]), s(u.Nodename[:]), s(u.Release[:]), s(u.Version[:]), s(u.Machine[:]))
	return err
}

func free(c call) error { return c.show("/proc/meminfo") }

// df lists mounted file systems that have a size.
func df(c call) error {
	data, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "%12s %12s  %s\n", "SIZE KiB", "FREE KiB", "MOUNTED AT")
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		var st unix.Statfs_t
		if len(f) < 2 || unix.Statfs(f[1], &st) != nil || st.Blocks == 0 {
			continue
		}
		block := uint64(st.Bsize)
		fmt.Fprintf(c.Stdout, "%12d %12d  %s\n", st.Blocks*block>>10, st.Bavail*block>>10, f[1])
	}
	return nil
}

func syncCommand(call) error {
	unix.Sync()
	return nil
}

// chroot runs a program of another root, such as the system's own shell.
func chroot(c call) error {
	if len(c.args) == 0 {
		return usage("chroot DIR [COMMAND …]")
	}
	argv := c.args[1:]
	if len(argv) == 0 {
		argv = []string{"/bin/sh"}
	}
	root := c.path(c.args[0])
	program := argv[0]
	if !strings.Contains(program, "/") {
		for _, dir := range []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
			if _, err := os.Stat(filepath.Join(root, dir, program)); err == nil {
				program = filepath.Join(dir, program)
				break
			}
		}
	}
	cmd := exec.CommandContext(c.Context, program, argv[1:]...)
	cmd.Path, cmd.Err = program, nil
	cmd.Args[0] = argv[0]
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=linux"}
	cmd.SysProcAttr = &unix.SysProcAttr{Chroot: root}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitStatus(exit.ExitCode())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%q has no %q", root, program)
	}
	return err
}
