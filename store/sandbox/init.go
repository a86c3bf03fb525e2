package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// initWord is the one argument of the program's second life.
const initWord = "sandbox-init"

// controlFD is where sandbox-init finds its socket.
const controlFD = 3

// stagePrivate names the first step that a security module may forbid after
// the kernel granted the namespaces.
const stagePrivate = "make mounts private"

// Init turns the process into sandbox-init when Run or Chroot started it as
// that, and then does not return. Otherwise it returns at once and has done
// nothing. The function inProcess, one at most, is what Spec.InProcess calls:
// it gets Argv, finds Env, Dir and the standard streams in place, and returns
// the exit status.
func Init(inProcess ...func(argv []string) int) {
	if len(os.Args) != 2 || os.Args[1] != initWord {
		return
	}
	// Capabilities, no_new_privs and the personality belong to a thread. The
	// program is started from this one.
	runtime.LockOSThread()
	if kind, err := unix.GetsockoptInt(controlFD, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_STREAM {
		fmt.Fprintln(os.Stderr, "sandbox-init is started by reprise itself and by nobody else")
		os.Exit(2)
	}
	unix.CloseOnExec(controlFD)
	control := os.NewFile(controlFD, "control")
	r := obey(control, inProcess)
	if answer, err := json.Marshal(r); err == nil {
		control.Write(answer)
	}
	os.Exit(r.Code)
}

// stageError is what went wrong while the sandbox was made, and where.
func stageError(stage string, err error) error { return fmt.Errorf("%s: %w", stage, err) }

// failed makes the report for err, which stageError made.
func failed(err error) report {
	r := report{Stage: err.Error(), Code: 125}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		r.Errno = int(errno)
		r.Stage = strings.TrimSuffix(r.Stage, ": "+errno.Error())
	}
	return r
}

func obey(control io.Reader, inProcess []func([]string) int) report {
	encoded, err := io.ReadAll(control)
	if err != nil {
		return failed(stageError("read the order", err))
	}
	var o order
	if err := json.Unmarshal(encoded, &o); err != nil {
		return failed(stageError("read the order", err))
	}
	unix.Umask(0o022)
	if err := enter(o); err != nil {
		return failed(err)
	}
	if o.Probe {
		return report{}
	}
	if err := limit(o); err != nil {
		return failed(err)
	}
	if err := os.Chdir(o.Dir); err != nil {
		return failed(stageError("enter the working directory", err))
	}
	if o.InProcess {
		if len(inProcess) != 1 || inProcess[0] == nil {
			return report{Stage: "this program gives sandbox.Init no function to run in process", Code: 125}
		}
		if err := renounce(o); err != nil {
			return failed(err)
		}
		os.Args = o.Argv
		return report{Code: inProcess[0](o.Argv)}
	}
	return execute(o)
}

// execute starts the program and waits for it, and for all orphans that come
// to pid 1 meanwhile.
func execute(o order) report {
	program, err := find(o.Program)
	if err != nil {
		return failed(err)
	}
	if err := renounce(o); err != nil {
		return failed(err)
	}
	pid, err := syscall.ForkExec(program, o.Argv, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		stage := fmt.Sprintf("execute %q", program)
		if _, missing := os.Stat(program); missing == nil && errors.Is(err, unix.ENOENT) {
			stage += " (it is there, so its interpreter or dynamic loader is not)"
		}
		return failed(stageError(stage, err))
	}
	which := -1
	if o.Nested {
		which = pid
	}
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(which, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return failed(stageError("wait", err))
		case got == pid && status.Signaled():
			return report{Signal: int(status.Signal()), Code: 128 + int(status.Signal())}
		case got == pid && status.Exited():
			return report{Code: status.ExitStatus()}
		}
	}
}

// find resolves a program's name in PATH, as a shell would.
func find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path := os.Getenv("PATH")
	for _, dir := range filepath.SplitList(path) {
		candidate := filepath.Join(dir, name)
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("program %q is not in PATH %q", name, path)
}

// limit sets what the program and all it starts cannot take back.
func limit(o order) error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return stageError("forbid core files", err)
	}
	// Addresses that are the same in every run take one source of chance out
	// of a build. A seccomp filter above us may forbid the call: no matter.
	const addrNoRandomize = 0x0040000 // ADDR_NO_RANDOMIZE, linux/personality.h
	unix.Syscall(unix.SYS_PERSONALITY, addrNoRandomize, 0, 0)
	return nil
}

// kept are the capabilities of a program that is root where there is no user
// namespace: those of dpkg, and those that Chroot needs.
const kept = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID |
	1<<unix.CAP_KILL | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETUID | 1<<unix.CAP_SETPCAP |
	1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_SETFCAP

// lastCap bounds the loop over capabilities: the kernel's header gives a set
// 64 bits, and answers EINVAL from the first that it does not know.
const lastCap = 63

// keeps returns the capabilities that the program has, as far as this process
// has them: none for a build; for root all over this user namespace but the
// one to mount. Whoever has that one makes a read-only bind writable again.
// A user namespace that the program makes for itself gives it back, and there
// the kernel guards the mounts that were there before.
func (o order) keeps() uint64 {
	keep := uint64(0)
	switch {
	case o.NoUserNS:
		keep = kept
	case o.AsRoot:
		keep = 1<<(lastCap+1) - 1
	}
	if o.AsRoot && !o.Mounts {
		keep &^= 1 << unix.CAP_SYS_ADMIN
	}
	return keep
}

// renounce gives up, for this process and the program it starts, what the
// sandbox was made with. All threads do: the program may look into them.
func renounce(o order) error {
	prctl := func(option, arg uintptr) error {
		if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, option, arg, 0, 0, 0, 0); errno != 0 {
			return errno
		}
		return nil
	}
	capset := capsetAllThreads
	err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1)
	if err == unix.ENOTSUP {
		// A test binary with cgo (-race) cannot reach its other threads.
		// They keep capabilities over this user namespace, not over ours.
		prctl = func(option, arg uintptr) error { return unix.Prctl(int(option), arg, 0, 0, 0) }
		capset = unix.Capset
		err = prctl(unix.PR_SET_NO_NEW_PRIVS, 1)
	}
	if err != nil {
		return stageError("set no_new_privs", err)
	}
	keep := o.keeps()
	if keep != 0 { // the program is root and would get at its start what is in the bounding set
		for c := uintptr(0); c <= lastCap; c++ {
			if keep&(1<<c) != 0 {
				continue
			}
			if err := prctl(unix.PR_CAPBSET_DROP, c); err == unix.EINVAL {
				break
			} else if err != nil {
				return stageError("drop capabilities", err)
			}
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return stageError("drop capabilities", err)
	}
	for i := range data {
		held := data[i].Permitted & uint32(keep>>(32*i))
		data[i] = unix.CapUserData{Effective: held, Permitted: held} // none inheritable, so none stays ambient
	}
	if err := capset(&header, &data[0]); err != nil {
		return stageError("drop capabilities", err)
	}
	return nil
}
