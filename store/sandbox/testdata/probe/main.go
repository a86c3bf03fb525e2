// Command probe is the program that the tests run in sandboxes: it does what
// its first argument says and prints what it finds.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"reprise/store/sandbox"
)

func main() {
	sandbox.Init()
	if err := probe(os.Args[1], os.Args[2:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func probe(what string, args []string) error {
	switch what {
	case "list": // names in directories
		for _, dir := range args {
			entries, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			fmt.Printf("%s: %s\n", dir, strings.Join(names, " "))
		}
	case "cat":
		for _, name := range args {
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			fmt.Print(string(b))
		}
	case "write": // a file and what goes into it
		return os.WriteFile(args[0], []byte(args[1]), 0o644)
	case "exit":
		fmt.Println("leaving")
		code, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		os.Exit(code)
	case "die":
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		time.Sleep(time.Minute)
	case "self":
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		dir, err := os.Getwd()
		if err != nil {
			return err
		}
		env := os.Environ()
		sort.Strings(env)
		mask := syscall.Umask(0)
		fmt.Println(os.Getuid(), os.Getgid(), host, dir, fmt.Sprintf("%03o", mask), env)
	case "status": // fields of /proc/self/status
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			for _, name := range args {
				if value, ok := strings.CutPrefix(line, name+":"); ok {
					fmt.Println(name, strings.TrimSpace(value))
				}
			}
		}
	case "threads": // a field of all threads of process 1
		tasks, err := os.ReadDir("/proc/1/task")
		if err != nil {
			return err
		}
		for _, task := range tasks {
			b, err := os.ReadFile("/proc/1/task/" + task.Name() + "/status")
			if err != nil {
				return err
			}
			for line := range strings.Lines(string(b)) {
				if value, ok := strings.CutPrefix(line, args[0]+":"); ok {
					fmt.Println(strings.TrimSpace(value))
				}
			}
		}
	case "refused": // prints what went through of all that must not
		for name, try := range map[string]func() error{
			"write /":             func() error { return os.WriteFile("/x", nil, 0o644) },
			"write /etc/passwd":   func() error { return os.WriteFile("/etc/passwd", nil, 0o644) },
			"write a bind":        func() error { return os.WriteFile("/in/file", nil, 0o644) },
			"remove from a bind":  func() error { return os.Remove("/in/file") },
			"change a mode":       func() error { return os.Chmod("/in/file", 0o777) },
			"write a kernel knob": func() error { return os.WriteFile("/proc/sys/kernel/printk", []byte("7"), 0) },
			"trigger sysrq":       func() error { return os.WriteFile("/proc/sysrq-trigger", []byte("?"), 0) },
			"make a device":       func() error { return syscall.Mknod("/tmp/null", syscall.S_IFCHR|0o666, 1<<8|3) },
			"become another user": func() error { return syscall.Setuid(4242) },
			"give a file away":    func() error { return os.Chown("/tmp", 4242, 4242) },
			"mount":               func() error { return syscall.Mount("x", "/tmp", "tmpfs", 0, "") },
			"remount":             func() error { return syscall.Mount("", "/in", "", syscall.MS_REMOUNT|syscall.MS_BIND, "") },
			"see the host":        func() error { _, err := os.Lstat(args[0]); return err },
			"reach the network": func() error {
				conn, err := net.DialTimeout("tcp", args[1], time.Second)
				if err == nil {
					conn.Close()
				}
				return err
			},
		} {
			if try() == nil {
				fmt.Println("could", name)
			}
		}
	case "remount": // tries to undo the mounts of the sandbox and prints what it got
		for _, try := range []struct {
			name string
			do   func() error
		}{
			{"remount", func() error { return syscall.Mount("", "/in", "", syscall.MS_REMOUNT|syscall.MS_BIND, "") }},
			{"unmount", func() error { return syscall.Unmount("/in", syscall.MNT_DETACH) }},
			{"unmount /proc/sys", func() error { return syscall.Unmount("/proc/sys", syscall.MNT_DETACH) }},
			{"mount", func() error { return syscall.Mount("x", "/tmp", "tmpfs", 0, "") }},
			{"write", func() error { return os.WriteFile("/in/file", nil, 0o644) }},
		} {
			fmt.Printf("%s: %v\n", try.name, try.do())
		}
		if len(args) > 0 { // the same with all capabilities over a namespace of its own
			child := exec.Command("/proc/self/exe", "remount")
			child.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			}
			out, err := child.CombinedOutput()
			fmt.Print(string(out))
			return err
		}
	case "loopback":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		conn.Close()
		interfaces, err := net.Interfaces()
		if err != nil {
			return err
		}
		for _, i := range interfaces {
			fmt.Println(i.Name)
		}
	case "devices":
		for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
			f, err := os.OpenFile("/dev/"+name, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			f.Close()
		}
		if err := os.WriteFile("/dev/shm/x", []byte("x"), 0o600); err != nil {
			return err
		}
		ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer ptmx.Close()
		entries, err := os.ReadDir("/dev/pts")
		if err != nil {
			return err
		}
		fmt.Println(len(entries), "in /dev/pts")
	case "sleep": // deaf to all signals, with a child in another session
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		if len(args) > 0 {
			child := exec.Command("/proc/self/exe", "sleep")
			child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			child.Args = append([]string{args[0]}, child.Args[1:]...)
			if err := child.Start(); err != nil {
				return err
			}
		}
		fmt.Println("asleep")
		time.Sleep(time.Hour)
	case "orphan": // leaves a child behind
		child := exec.Command("/proc/self/exe", "sleep")
		return child.Start()
	case "nested": // a user namespace in the user namespace, as builders make it
		child := exec.Command("/proc/self/exe", "self")
		child.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := child.CombinedOutput()
		fmt.Print(string(out))
		return err
	case "chroot": // a builder that calls a program in a root of its own
		return sandbox.Chroot(context.Background(), sandbox.Spec{
			Root: "/tree", Tmpfs: []string{"/tmp"},
			Binds: []sandbox.Bind{{Source: "/probe", Target: "/new/probe"}, {Source: "/out", Target: "/out", Writable: true}},
			Argv:  append([]string{"/new/probe"}, args...), Env: []string{"A=b"},
			Stdout: os.Stdout, Stderr: os.Stderr, AsRoot: true,
		})
	case "run", "run-as-root": // a whole sandbox inside of the sandbox
		return sandbox.Run(context.Background(), sandbox.Spec{
			Binds:   []sandbox.Bind{{Source: "/probe", Target: "/probe"}},
			Program: "/probe", Argv: append([]string{"inner"}, args...), Stdout: os.Stdout, Stderr: os.Stderr,
			AsRoot: what == "run-as-root",
		})
	case "chown":
		if err := os.WriteFile("/tmp/x", nil, 0o644); err != nil {
			return err
		}
		if err := os.Chown("/tmp/x", 4242, 4343); err != nil {
			return err
		}
		info, err := os.Stat("/tmp/x")
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		fmt.Println(stat.Uid, stat.Gid)
	default:
		return fmt.Errorf("probe: %q", what)
	}
	return nil
}
