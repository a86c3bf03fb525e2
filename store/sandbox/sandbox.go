// Package sandbox runs one process in namespaces of its own: it sees a root
// made for it, the directories that were declared, its own processes and no
// network. Derivations are built in it, and programs of the locked archive
// run in it on the machine that builds.
//
// Run starts the running program again (/proc/self/exe) with the one argument
// "sandbox-init". That second process is the first of a new user, mount, pid,
// network, ipc and uts namespace; it makes the root, starts the program that
// was asked for, reaps what is left behind and reports how the program ended.
// So Init has to be the first call of main, and of TestMain in a test that
// runs sandboxes.
//
//	caller ── Run ──▶ sandbox-init (pid 1 inside) ──▶ program (pid 2)
//	   │  order, JSON ──▶  │
//	   ◀── report, JSON ── │        one socket, descriptor 3
//
// # What the program finds
//
//   - / is a small read-only tmpfs. With Spec.Root it holds that tree's
//     top-level entries, bound read-only; without, /etc/passwd, /etc/group and
//     /etc/hosts as Nix writes them, and no program at all.
//   - /proc; /dev with null, zero, full, random, urandom, tty, pts, shm and
//     the links to /proc/self/fd. Device nodes are the host's, bound.
//   - Spec.Tmpfs and Spec.Binds, in order of their targets.
//   - one user: 0:0 with AsRoot, else 1000:100, which is the caller outside.
//     A user namespace made without the setuid helper newuidmap holds exactly
//     one user and one group, so chown to another id is EINVAL inside. Only
//     where the caller is really root can Spec.AllIDs map every id to itself.
//   - no CAP_SYS_ADMIN, so that what is read-only stays so and nothing is
//     unmounted, unless Spec.Nests asks for it.
//   - no way to gain privileges (no_new_privs), no core files, umask 022, no
//     address space randomisation, no controlling terminal.
//
// # What ends it
//
// The program's end, or the end of ctx, or the death of the caller by any
// means: the first process of the pid namespace is killed then, and the
// kernel kills the rest of the namespace with it.
//
// # Without user namespaces
//
// Root needs none: Run does without where the kernel forbids them, and the
// program is then uid 0 with few capabilities left. An ordinary user gets a
// *Forbidden, which names the setting. See Check.
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Bind shows a file or directory of the caller inside the sandbox.
type Bind struct {
	Source   string // absolute; symlinks are followed
	Target   string // absolute and clean, not "/"; made where it is missing and its parent can be written
	Writable bool   // else read-only, submounts included
	Device   bool   // device nodes below it work, such as /dev/kvm
}

// A Spec is one process to run and all it may see.
type Spec struct {
	Root         string   // tree whose top-level entries become those of /; "" for an empty one
	RootWritable bool     // the entries of Root are writable; / itself never is
	Binds        []Bind   // what else is seen
	Tmpfs        []string // absolute paths of empty writable directories in memory
	Program      string   // the program, absolute or found in Env's PATH inside; "" for Argv[0]
	Argv         []string // the program's own name and its arguments
	Env          []string // all of it, "NAME=value"; nothing is inherited
	Dir          string   // working directory inside, "" for /
	Stdin        io.Reader
	Stdout       io.Writer // an *os.File is handed over as it is
	Stderr       io.Writer
	Network      bool   // the host's network, and its resolv.conf where the root has that file; else loopback only
	Hostname     string // "" for localhost
	AsRoot       bool   // uid and gid 0 inside, else 1000 and 100
	AllIDs       bool   // every id is itself inside, AsRoot implied; only for a caller that is root
	Nests        bool   // the program mounts, or makes pid namespaces and mounts /proc in them; for that root keeps CAP_SYS_ADMIN inside, and the guard over /proc/sys is left out: not for a program that is not trusted
	InProcess    bool   // Argv is handed to the function given to Init, with no further exec
}

// An ExitError says how a program that was started ended, when it was not
// with exit status 0.
type ExitError struct {
	Code   int            // exit status; -1 when a signal ended it
	Signal syscall.Signal // 0 when it exited
}

func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("ended by signal %d (%s)", int(e.Signal), unix.SignalName(e.Signal))
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Status is the program's end as shells tell it: the exit status, or 128 and
// the number of the signal.
func (e *ExitError) Status() int {
	if e.Signal != 0 {
		return 128 + int(e.Signal)
	}
	return e.Code
}

// order is what sandbox-init is asked to do.
type order struct {
	Root         string   `json:",omitempty"`
	RootWritable bool     `json:",omitempty"`
	Binds        []Bind   `json:",omitempty"`
	Tmpfs        []string `json:",omitempty"`
	Program      string
	Argv         []string
	Dir          string
	Hostname     string
	Network      bool `json:",omitempty"`
	AsRoot       bool `json:",omitempty"`
	Mounts       bool `json:",omitempty"` // the program keeps CAP_SYS_ADMIN, if it is root
	InProcess    bool `json:",omitempty"`
	Nested       bool `json:",omitempty"` // pid, network, ipc and uts namespace are the caller's
	NoUserNS     bool `json:",omitempty"` // the caller is root and there is no user namespace
	HostRoot     bool `json:",omitempty"` // uid 0 outside: /proc/sys is guarded
	Probe        bool `json:",omitempty"` // only try whether a root can be made
}

// report is what sandbox-init answers.
type report struct {
	Stage  string `json:",omitempty"` // what failed while the sandbox was made
	Errno  int    `json:",omitempty"` // its error number, when it has one
	Code   int    `json:",omitempty"`
	Signal int    `json:",omitempty"`
}

// Run runs one process to its end. It returns nil for exit status 0, an
// *ExitError for another end of the program, ctx's cause when that ended it,
// a *Forbidden where namespaces are forbidden, and another error when the
// sandbox could not be made.
func Run(ctx context.Context, spec Spec) error { return run(ctx, spec, false) }

// Chroot runs one process with another root, from a process that is itself in
// a sandbox, ours or Nix's: a builder that calls a program which expects the
// usual root file system around it. It makes a user and a mount namespace
// only, the rest stays the caller's, so Network and Hostname mean nothing.
// The program is uid 0 with AsRoot and can write below / as far as
// Spec.RootWritable and the binds say. /proc and /dev are there; a caller
// that wants /nix/store binds it.
func Chroot(ctx context.Context, spec Spec) error { return run(ctx, spec, true) }

func run(ctx context.Context, spec Spec, nested bool) error {
	if err := spec.check(); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	o := order{
		Root: spec.Root, RootWritable: spec.RootWritable, Binds: spec.Binds, Tmpfs: spec.Tmpfs,
		Program: spec.Program, Argv: spec.Argv, Dir: spec.Dir, Hostname: spec.Hostname, Network: spec.Network,
		AsRoot: spec.AsRoot || spec.AllIDs, InProcess: spec.InProcess, Nested: nested,
		HostRoot: os.Geteuid() == 0 && !spec.Nests, Mounts: spec.Nests,
	}
	if o.Program == "" {
		o.Program = o.Argv[0]
	}
	if o.Dir == "" {
		o.Dir = "/"
	}
	if o.Hostname == "" {
		o.Hostname = "localhost"
	}
	return launch(ctx, spec, o)
}

// launch starts sandbox-init, without a user namespace if the caller is root
// and none is to be had.
func launch(ctx context.Context, spec Spec, o order) error {
	err := start(ctx, spec, o)
	var refused *refusal
	if !errors.As(err, &refused) {
		return err
	}
	if holdsAdmin() {
		// A build is root then, and calls Chroot, which has to mount.
		o.Mounts = o.Mounts || !o.AsRoot
		o.NoUserNS, o.AsRoot = true, true
		if err = start(ctx, spec, o); !errors.As(err, &refused) {
			return err
		}
	}
	return explain(read(os.DirFS("/"), os.Geteuid()), refused.err)
}

// refusal is a kernel's no to namespaces or to mounting in them.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// start runs sandbox-init with order o to its end.
func start(ctx context.Context, spec Spec, o order) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("sandbox: socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "sandbox"), os.NewFile(uintptr(pair[1]), "sandbox-init")
	defer ours.Close()
	defer theirs.Close()

	cmd := exec.CommandContext(ctx, "/proc/self/exe", initWord)
	cmd.Args[0] = "reprise"
	cmd.Env = append([]string{}, spec.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = spec.Stdin, spec.Stdout, spec.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = attributes(o, spec.AllIDs)
	cmd.WaitDelay = 5 * time.Second // for a descendant in the caller's own pid namespace that keeps a pipe open

	// A parent-death signal follows the thread that forked, so that thread is
	// kept from others until the sandbox has ended.
	started, over := make(chan error), make(chan struct{})
	defer close(over)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		started <- cmd.Start()
		<-over
	}()
	if err := <-started; err != nil {
		if refusing(err) {
			return &refusal{err}
		}
		return fmt.Errorf("sandbox: start: %w", err)
	}
	theirs.Close()
	encoded, err := json.Marshal(o)
	if err == nil {
		_, err = ours.Write(encoded)
	}
	if err == nil {
		err = unix.Shutdown(pair[0], unix.SHUT_WR)
	}
	if err != nil {
		cmd.Process.Kill()
	}
	waitErr := cmd.Wait()
	if cause := context.Cause(ctx); cause != nil && waitErr != nil {
		return cause
	}
	var got report
	answer, readErr := io.ReadAll(ours)
	if readErr == nil && len(answer) > 0 {
		if err := json.Unmarshal(answer, &got); err != nil {
			return fmt.Errorf("sandbox: report of sandbox-init: %w", err)
		}
		return got.err(waitErr)
	}
	if err != nil {
		return fmt.Errorf("sandbox: tell sandbox-init: %w", err)
	}
	return ended(waitErr)
}

// err turns a report into Run's error; waitErr is that of waiting for
// sandbox-init and its pipes.
func (r report) err(waitErr error) error {
	switch {
	case r.Stage != "" && r.Errno != 0:
		err := fmt.Errorf("sandbox: %s: %w", r.Stage, syscall.Errno(r.Errno))
		if r.Stage == stagePrivate && refusing(syscall.Errno(r.Errno)) {
			return &refusal{err}
		}
		return err
	case r.Stage != "":
		return fmt.Errorf("sandbox: %s", r.Stage)
	case r.Signal != 0:
		return &ExitError{Code: -1, Signal: syscall.Signal(r.Signal)}
	case r.Code != 0:
		return &ExitError{Code: r.Code}
	}
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) {
		return fmt.Errorf("sandbox: %w", waitErr)
	}
	return nil
}

// ended is the error for a sandbox-init that ended without a report: killed,
// or the function that Init was given panicked.
func ended(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		if err == nil {
			return errors.New("sandbox: sandbox-init ended without a report: is sandbox.Init the first call of main?")
		}
		return fmt.Errorf("sandbox: %w", err)
	}
	status := exit.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return &ExitError{Code: -1, Signal: status.Signal()}
	}
	return &ExitError{Code: status.ExitStatus()}
}

// attributes are those that the kernel needs to know when sandbox-init is
// made.
func attributes(o order, allIDs bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS,
		Pdeathsig:  unix.SIGKILL,
		Setsid:     true,
	}
	if !o.Nested {
		attr.Cloneflags |= unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
		if !o.Network {
			attr.Cloneflags |= unix.CLONE_NEWNET
		}
	}
	if o.NoUserNS {
		return attr
	}
	attr.Cloneflags |= unix.CLONE_NEWUSER
	if allIDs {
		all := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1<<32 - 1}}
		attr.UidMappings, attr.GidMappings = all, all
		attr.GidMappingsEnableSetgroups = true
		return attr
	}
	uid, gid := 0, 0
	if !o.AsRoot {
		// A user that is not 0 loses its capabilities when it executes a
		// program, unless they are ambient. sandbox-init drops them.
		uid, gid = buildUID, buildGID
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SYS_CHROOT}
	}
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: os.Getegid(), Size: 1}}
	return attr
}

// The ids of a build, as Nix has them.
const (
	buildUID = 1000
	buildGID = 100
)

func (s Spec) check() error {
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return errors.New("no program is named")
	}
	if s.AllIDs && os.Geteuid() != 0 {
		return errors.New("only root can map every user and group into a sandbox")
	}
	if s.Dir != "" && !cleanAbsolute(s.Dir) {
		return fmt.Errorf("working directory %q is not an absolute, clean path", s.Dir)
	}
	if s.Root != "" && !filepath.IsAbs(s.Root) {
		return fmt.Errorf("root %q is not an absolute path", s.Root)
	}
	targets := slices.Clone(s.Tmpfs)
	for _, b := range s.Binds {
		if !filepath.IsAbs(b.Source) {
			return fmt.Errorf("bind of %q: not an absolute path", b.Source)
		}
		targets = append(targets, b.Target)
	}
	for _, target := range targets {
		if !cleanAbsolute(target) || target == "/" {
			return fmt.Errorf("mount at %q: not an absolute, clean path below /", target)
		}
	}
	for _, entry := range slices.Concat(s.Argv, s.Env, targets, []string{s.Program, s.Dir, s.Root, s.Hostname}) {
		if strings.IndexByte(entry, 0) >= 0 {
			return fmt.Errorf("%q holds a zero byte", entry)
		}
	}
	return nil
}

func cleanAbsolute(p string) bool { return filepath.IsAbs(p) && filepath.Clean(p) == p }
