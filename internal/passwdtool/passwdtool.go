// Package passwdtool lets passwd, chage and chpasswd change passwords where
// /etc is read-only and shadow is state in /var.
//
// The programs want to write new files beside /etc/shadow and rename them.
// So they are run where they can: in a mount namespace of their own with a
// writable overlay on /etc, whose shadow and gshadow are copies of the state.
// When the program ends well, what it wrote there goes back to the state, each
// file whole or not at all.
//
// The state is locked only while that is done, never while a person types: who
// can stop the program must not be able to keep others from theirs. When the
// state is no more what the program was given, its changes are refused.
//
// /usr/lib/reprise/state-tool is the reprise binary, setuid root, and
// /usr/bin/passwd and the others are links to it: Init looks at the name it
// was called by. The programs themselves are in Layout.Tools.
//
// What a setuid program must see to is the first that this package does: only
// the named programs, found under a fixed path; an environment made anew;
// limits and umask that cannot cut a file short. It is not the first that the
// process does: Go's runtime, which heeds the caller's GODEBUG, and the
// initialisers of every package of the binary run before Init, with root's
// rights and the caller's environment. A package whose initialisers open
// files or start programs by that environment has no place in the binary.
//
// Nobody gains what the program would not give: passwd runs with the caller's
// real id and asks for the current password, chage for a normal user gets the
// group shadow alone, as Debian's has it, and chpasswd is root's.
package passwdtool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"reprise/internal/activation"
	"reprise/internal/atomicfile"
)

// A Layout says where things are.
type Layout struct {
	Etc     string // the directory with shadow, gshadow and passwd
	Tools   string // the directory of the programs themselves
	State   string // the directory where shadow and gshadow are kept
	Scratch string // an empty directory for the overlay, made when it is not there; root's alone
}

// machine is the layout of a running machine.
var machine = Layout{Etc: "/etc", Tools: "/usr/lib/reprise/tools", State: "/" + activation.StateDir, Scratch: "/run/reprise-state-tool"}

// right is what a program may do for a normal user.
type right int

const (
	rootOnly    right = iota
	asRoot            // effective user root, real user the caller: setuid root in Debian
	shadowGroup       // the group shadow and nothing else: setgid shadow in Debian
)

var tools = map[string]right{"passwd": asRoot, "chage": shadowGroup, "chpasswd": rootOnly}

// Tools returns the names of the programs, sorted.
func Tools() []string {
	names := make([]string, 0, len(tools))
	for name := range tools {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Init is to be called first thing in main: when this process was started as
// one of the programs, it becomes it and does not return.
func Init() {
	name := filepath.Base(os.Args[0])
	if _, ok := tools[name]; ok {
		os.Exit(Main(name, os.Args[1:]))
	}
	// Setuid for these alone: whatever else the binary can do, it does as the
	// caller.
	if os.Geteuid() != os.Getuid() || os.Getegid() != os.Getgid() {
		fmt.Fprintf(os.Stderr, "%q is not to be called by this name: want one of %s\n", os.Args[0], strings.Join(Tools(), ", "))
		os.Exit(2)
	}
}

// Main runs one of the programs on this machine and returns its exit status.
func Main(name string, args []string) int {
	code, err := machine.Run(name, args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	}
	return code
}

// Run runs a program with its changes going to the state.
func (l Layout) Run(name string, args []string) (int, error) {
	right, ok := tools[name]
	if !ok {
		return 2, fmt.Errorf("no program of the state tool: want one of %s", strings.Join(Tools(), ", "))
	}
	uid := os.Getuid()
	if uid != 0 && right == rootOnly {
		return 1, errors.New("permission denied: only root may run this")
	}
	if os.Geteuid() != 0 {
		return 1, errors.New("permission denied: this program has to be setuid root")
	}
	if err := harden(); err != nil {
		return 1, err
	}

	// The namespace is that of this thread; the program is started from it.
	// The thread is not given back.
	runtime.LockOSThread()
	gid, given, err := l.overlay()
	if err != nil {
		return 1, err
	}
	code, err := l.program(name, args, right, uid, gid)
	if err != nil || code != 0 {
		return code, err
	}
	if err := l.keep(gid, given); err != nil {
		return 1, err
	}
	return 0, nil
}

// harden makes this process and its children independent of what the caller
// has set.
func harden() error {
	unix.Umask(0o077)
	if err := os.Chdir("/"); err != nil {
		return err
	}
	for _, limit := range []struct {
		what  int
		value uint64
	}{
		{unix.RLIMIT_FSIZE, unix.RLIM_INFINITY}, {unix.RLIMIT_CPU, unix.RLIM_INFINITY}, {unix.RLIMIT_DATA, unix.RLIM_INFINITY},
		{unix.RLIMIT_AS, unix.RLIM_INFINITY}, {unix.RLIMIT_STACK, 8 << 20}, {unix.RLIMIT_NOFILE, 1024}, {unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(limit.what, &unix.Rlimit{Cur: limit.value, Max: limit.value}); err != nil {
			return fmt.Errorf("set resource limits: %w", err)
		}
	}
	return nil
}

// environment keeps the caller's language and terminal and nothing else.
func environment() []string {
	env := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case name != "LANG" && name != "LANGUAGE" && name != "TERM" && !strings.HasPrefix(name, "LC_"):
		case len(value) > 64 || strings.ContainsAny(value, "/%\n"): // a path, a format
		default:
			env = append(env, kv)
		}
	}
	return env
}

// unstoppable makes this process root's alone, so that its caller can end it
// but not stop it, by a signal or from the keyboard: it is going to hold the
// lock.
func unstoppable() error {
	signal.Ignore(unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU)
	if err := syscall.Setresuid(0, 0, 0); err != nil {
		return fmt.Errorf("become root: %w", err)
	}
	return nil
}

// lockWait is long for writing two files.
const lockWait = 30 * time.Second

// lock keeps two programs from changing the state at once.
func (l Layout) lock(wait time.Duration) (func(), error) {
	f, err := os.OpenFile(filepath.Join(l.State, ".lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case err != unix.EWOULDBLOCK && err != unix.EINTR:
			f.Close()
			return nil, fmt.Errorf("lock the passwords: %w", err)
		case time.Now().After(end):
			f.Close()
			return nil, fmt.Errorf("another program has been changing passwords for %v; nothing is changed, try again", wait)
		}
	}
}

// files of the state that appear in /etc.
var files = []string{"shadow", "gshadow"}

// overlay makes Etc writable in a namespace of this thread, with copies of
// the state in it. It returns the group of shadow and what the copies hold.
func (l Layout) overlay() (gid int, given map[string][]byte, err error) {
	step := func(what string, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	if err := step("leave the mount namespace", unix.Unshare(unix.CLONE_NEWNS)); err != nil {
		return 0, nil, err
	}
	if err := step("keep mounts private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")); err != nil {
		return 0, nil, err
	}
	if err := os.Mkdir(l.Scratch, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return 0, nil, err
	}
	if err := step("mount scratch space", unix.Mount("tmpfs", l.Scratch, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700,size=32m")); err != nil {
		return 0, nil, err
	}
	upper, work := filepath.Join(l.Scratch, "upper"), filepath.Join(l.Scratch, "work")
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return 0, nil, err
		}
	}
	if err := os.Chmod(upper, 0o755); err != nil { // it becomes Etc itself
		return 0, nil, err
	}
	given = map[string][]byte{}
	for _, name := range files {
		info, err := os.Lstat(filepath.Join(l.State, name))
		if err != nil {
			return 0, nil, err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !info.Mode().IsRegular() {
			return 0, nil, fmt.Errorf("%q is no regular file", filepath.Join(l.State, name))
		}
		if name == "shadow" {
			gid = int(st.Gid)
		}
		if given[name], err = os.ReadFile(filepath.Join(l.State, name)); err != nil {
			return 0, nil, err
		}
		if err := writeFile(filepath.Join(upper, name), given[name], 0o640, int(st.Gid)); err != nil {
			return 0, nil, err
		}
	}
	// The lock of shadow's own library, a link to /run in Etc: here it is a
	// file, and nobody else sees it.
	if err := os.WriteFile(filepath.Join(upper, ".pwd.lock"), nil, 0o600); err != nil {
		return 0, nil, err
	}
	options := "lowerdir=" + l.Etc + ",upperdir=" + upper + ",workdir=" + work
	return gid, given, step("make "+l.Etc+" writable", unix.Mount("overlay", l.Etc, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options))
}

func writeFile(to string, data []byte, mode fs.FileMode, gid int) error {
	if err := os.WriteFile(to, data, 0o600); err != nil {
		return err
	}
	return errors.Join(os.Chown(to, 0, gid), os.Chmod(to, mode))
}

// program starts the program from this thread and waits for it.
func (l Layout) program(name string, args []string, right right, uid, shadow int) (int, error) {
	cmd := exec.Command(filepath.Join(l.Tools, name), args...)
	cmd.Args[0] = name
	cmd.Env = environment()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if uid != 0 && right == shadowGroup {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(shadow), NoSetGroups: true}}
	}
	// A key that interrupts reaches the program too; we stay to see how it
	// ends. Notify, not Ignore: what is ignored stays so in the program.
	interrupts := make(chan os.Signal, 8)
	signal.Notify(interrupts, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGHUP)
	defer signal.Stop(interrupts)
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if code := exit.ExitCode(); code > 0 {
			return code, nil
		}
		return 1, fmt.Errorf("ended by %s", exit)
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

// maxState bounds what a program may leave: 100,000 lines of shadow.
const maxState = 16 << 20 // bytes

// keep takes what the program changed of what it was given back to the state.
func (l Layout) keep(gid int, given map[string][]byte) error {
	changed := map[string][]byte{}
	for _, name := range files {
		f, err := os.OpenFile(filepath.Join(l.Etc, name), os.O_RDONLY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		after, err := io.ReadAll(io.LimitReader(f, maxState+1))
		f.Close()
		if err != nil {
			return err
		}
		if bytes.Equal(given[name], after) {
			continue
		}
		if err := plausible(name, given[name], after); err != nil {
			return fmt.Errorf("%s is left as it was: %w", name, err)
		}
		changed[name] = after
	}
	if len(changed) == 0 {
		return nil
	}
	if err := unstoppable(); err != nil {
		return err
	}
	unlock, err := l.lock(lockWait)
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range files {
		now, err := os.ReadFile(filepath.Join(l.State, name))
		if err != nil {
			return err
		}
		if !bytes.Equal(given[name], now) {
			return fmt.Errorf("%s was changed meanwhile; nothing of yours is kept, try again", name)
		}
	}
	for _, name := range files {
		after, ok := changed[name]
		if !ok {
			continue
		}
		err := atomicfile.Write(filepath.Join(l.State, name), 0o640, func(f *os.File) error {
			if _, err := f.Write(after); err != nil {
				return err
			}
			return f.Chown(0, gid)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// plausible refuses a file that no password program would leave: one that has
// lost an account, or lines that are not of its form.
func plausible(name string, before, after []byte) error {
	colons := map[string]int{"shadow": 8, "gshadow": 3}[name]
	if len(after) > maxState {
		return fmt.Errorf("larger than %d bytes", maxState)
	}
	names := map[string]bool{}
	for line := range bytes.Lines(after) {
		account, _, _ := bytes.Cut(line, []byte(":"))
		if bytes.Count(line, []byte(":")) != colons || !bytes.HasSuffix(line, []byte("\n")) || len(account) == 0 {
			return errors.New("a line is not of its form")
		}
		names[string(account)] = true
	}
	for line := range bytes.Lines(before) {
		account, _, _ := bytes.Cut(line, []byte(":"))
		if !names[string(account)] {
			return fmt.Errorf("account %q is gone", account)
		}
	}
	return nil
}
