package test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// onOtherClock is the word that makes this test binary run a program whose
// clock, and that of all it starts, is off by some seconds: it is on-other-clock
// SECONDS UID PROGRAM ARGUMENT…; UID is "" for the user of now.
//
// The machine's clock stays as it is. The program runs under ptrace: each time
// something is executed, the kernel's vDSO is struck from what it is told, so that
// it asks the time by system call, and a seccomp filter hands those calls to us.
// So static programs see the other clock as well as those of the archive, inside
// sandboxes too. What the kernel itself stamps, the times of files, stays true.
const onOtherClock = "on-other-clock"

// otherClockMain returns the exit code of the program.
func otherClockMain(args []string) (code int, err error) {
	if len(args) < 3 {
		return 0, fmt.Errorf("%s: want SECONDS UID PROGRAM", onOtherClock)
	}
	seconds, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return 0, err
	}
	c := exec.Command(args[2], args[3:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if args[1] != "" {
		id, err := strconv.ParseUint(args[1], 10, 32)
		if err != nil {
			return 0, err
		}
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}
	}
	// Filter and tracer belong to this thread.
	runtime.LockOSThread()
	began := time.Now() // this thread must not ask for the date again
	if err := filterClock(); err != nil {
		return 0, fmt.Errorf("filter the clock: %w", err)
	}
	if err := c.Start(); err != nil {
		return 0, err
	}
	t := &clockTracer{now: func() time.Time { return began.Add(time.Since(began) + time.Duration(seconds)*time.Second) }}
	return t.run(c.Process.Pid)
}

// filterClock makes what this thread starts from now on stop where it asks for
// the date.
func filterClock() error {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		end   = unix.BPF_RET | unix.BPF_K
		// Offsets in struct seccomp_data.
		number, architecture, argument = 0, 4, 16
	)
	program := []unix.SockFilter{
		{Code: load, K: architecture},
		{Code: equal, K: unix.AUDIT_ARCH_X86_64, Jf: 8},
		{Code: load, K: number},
		{Code: equal, K: unix.SYS_GETTIMEOFDAY, Jt: 5},
		{Code: equal, K: unix.SYS_TIME, Jt: 4},
		{Code: equal, K: unix.SYS_CLOCK_GETTIME, Jf: 4},
		{Code: load, K: argument},
		{Code: equal, K: unix.CLOCK_REALTIME, Jt: 1},
		{Code: equal, K: unix.CLOCK_REALTIME_COARSE, Jf: 1},
		{Code: end, K: unix.SECCOMP_RET_TRACE},
		{Code: end, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&f))); errno != 0 {
		return errno
	}
	return nil
}

// A clockTracer follows a program and all it starts.
type clockTracer struct {
	now  func() time.Time
	seen map[int]bool // processes and threads
}

// run follows the process until it ends; what it leaves behind is killed when
// this process ends.
func (t *clockTracer) run(first int) (code int, err error) {
	t.seen = map[int]bool{}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait for %d: %w", first, err)
		}
		switch {
		case pid == first && status.Exited():
			return status.ExitStatus(), nil
		case pid == first && status.Signaled():
			return 128 + int(status.Signal()), nil
		case !status.Stopped():
			delete(t.seen, pid)
			continue
		}
		signal, err := t.stopped(pid, status, pid == first)
		if err == nil {
			err = unix.PtraceCont(pid, signal)
		}
		if err != nil && err != unix.ESRCH { // killed meanwhile
			return 0, fmt.Errorf("trace %d: %w", pid, err)
		}
	}
}

// stopped does what a stop asks for and returns the signal to go on with.
func (t *clockTracer) stopped(pid int, status unix.WaitStatus, first bool) (signal int, err error) {
	is := !t.seen[pid]
	t.seen[pid] = true
	switch {
	case is && first: // behind its first execve
		err = unix.PtraceSetOptions(pid, unix.PTRACE_O_EXITKILL|unix.PTRACE_O_TRACESECCOMP|
			unix.PTRACE_O_TRACEEXEC|unix.PTRACE_O_TRACEFORK|unix.PTRACE_O_TRACEVFORK|unix.PTRACE_O_TRACECLONE)
		if err != nil {
			return 0, err
		}
		return 0, withoutVDSO(pid)
	case is && status.StopSignal() == unix.SIGSTOP: // as the traced begin
		return 0, nil
	case status.StopSignal() != unix.SIGTRAP:
		return int(status.StopSignal()), nil
	}
	switch status.TrapCause() {
	case unix.PTRACE_EVENT_EXEC:
		return 0, withoutVDSO(pid)
	case unix.PTRACE_EVENT_SECCOMP:
		return 0, t.answer(pid)
	case 0:
		return int(unix.SIGTRAP), nil
	}
	return 0, nil
}

// withoutVDSO strikes the vDSO from the auxiliary vector of a process that
// begins: argc, argv, environment and vector lie on its stack.
func withoutVDSO(pid int) error {
	const (
		atNull, atIgnore, atSysinfoEhdr = 0, 1, 33
		word                            = 8
	)
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &r); err != nil {
		return err
	}
	at := uintptr(r.Rsp)
	next := func() (uint64, error) {
		var b [word]byte
		_, err := unix.PtracePeekData(pid, at, b[:])
		at += word
		return *(*uint64)(unsafe.Pointer(&b)), err
	}
	argc, err := next()
	if err != nil {
		return err
	}
	at += uintptr(argc+1) * word
	for v := uint64(1); v != 0 && err == nil; {
		v, err = next()
	}
	for kind := uint64(1); kind != atNull && err == nil; at += word {
		if kind, err = next(); kind == atSysinfoEhdr {
			b := [word]byte{atIgnore}
			_, err = unix.PtracePokeData(pid, at-word, b[:])
		}
	}
	return err
}

// answer answers the system call that a process is about to make.
func (t *clockTracer) answer(pid int) error {
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &r); err != nil {
		return err
	}
	now := t.now()
	words := [2]int64{now.Unix(), int64(now.Nanosecond())}
	to, n, result := uintptr(r.Rdi), 16, uint64(0)
	switch r.Orig_rax {
	case unix.SYS_CLOCK_GETTIME:
		to = uintptr(r.Rsi)
	case unix.SYS_GETTIMEOFDAY:
		words[1] /= 1000
	case unix.SYS_TIME:
		n, result = 8, uint64(words[0])
	}
	if to != 0 {
		if _, err := unix.PtracePokeData(pid, to, (*[16]byte)(unsafe.Pointer(&words))[:n]); err != nil {
			return err
		}
	}
	r.Orig_rax, r.Rax = ^uint64(0), result // the call is passed over
	return unix.PtraceSetRegs(pid, &r)
}

// TestOtherClock asks programs of both kinds what the date is.
func TestOtherClock(t *testing.T) {
	const years = 7 * 365 * 24 * time.Hour
	want := time.Now().Add(years).Year()
	offset := strconv.FormatInt(int64(years/time.Second), 10)
	must(t, toolLimit, "tool", "-q", "-p", "coreutils", "--", "true") // what needs the true time
	for _, argv := range [][]string{
		{"/proc/self/exe", theDate}, // a static program
		{program, "--store", store, "tool", "-q", "-p", "coreutils", "--", "date", "+%Y"}, // in a sandbox
	} {
		c := exec.Command("/proc/self/exe", append([]string{onOtherClock, offset, ""}, argv...)...)
		if r := run(t, toolLimit, c); r.code != 0 || r.stdout != fmt.Sprintln(want) {
			t.Errorf("%q: %+v, want %d", argv, r, want)
		}
	}
}

// theDate is the word that makes this test binary print the year.
const theDate = "the-date"
