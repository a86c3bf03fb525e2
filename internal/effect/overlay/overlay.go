// Package overlay runs programs in a root file system that is made of layers
// for the time of the run: an overlay mount in a user and mount namespace of
// its own, so it needs no privilege and copies no file.
//
//	caller ─ Runner.Run ─▶ /proc/self/exe builder overlay   (new namespaces)
//	            │ order, JSON, fd 3 ▶   │ tmpfs; overlay of the layers; chroot
//	            │                       ├─▶ program, program, …
//	            ◀──── changed files ────┘ copied to Root.Changes
//
// Inside, / is the merge of the layers with a memory file system above them;
// /nix/store is the caller's, read-only; /dev has null, zero, full, random and
// urandom; /proc is not there: no program that we run needs it. The program is
// root of a namespace with one user and can gain nothing by it.
//
// It is made to work inside the sandbox of a build, ours or Nix's: it takes
// nothing but nested user and mount namespaces and overlayfs in them, which
// Linux has had since 5.11.
package overlay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"reprise/internal/effect"
)

// Argument is what the program that calls Run must recognise as its last
// arguments, and call Main for.
var Argument = [2]string{"builder", "overlay"}

// mostLayers is OVL_MAX_STACK of fs/overlayfs/super.c, Linux 5.11 and later.
const mostLayers = 500

// Runner is the effect.Runner that this package is for.
type Runner struct {
	// Program is what is run again; "" for /proc/self/exe.
	Program string
}

// order is what the second process is told.
type order struct {
	Lower    []string
	Store    string // physical store directory to be seen at /nix/store; "" for none
	Work     string // a directory to mount on
	Binds    []effect.Bind
	Collect  []string
	Changes  string
	Commands []command
}

type command struct {
	Argv, Env []string
	Dir       string
	Stdin     []byte
	Stdout    string // file, outside
}

// Run runs the commands one after the other in one root.
func (r Runner) Run(ctx context.Context, root *effect.Root, commands ...effect.Command) error {
	if len(root.Lower) == 0 || len(root.Lower) > mostLayers {
		return fmt.Errorf("overlay: %d layers, want 1 to %d", len(root.Lower), mostLayers)
	}
	o := order{Lower: root.Lower, Store: root.Store, Work: root.Work, Binds: root.Binds, Collect: root.Collect, Changes: root.Changes}
	for _, c := range commands {
		if c.Env == nil {
			c.Env = effect.Environ()
		}
		o.Commands = append(o.Commands, command{c.Argv, c.Env, c.Dir, c.Stdin, c.Stdout})
	}
	// Root may mount without a user namespace where the kernel grants none.
	err := r.start(ctx, o, true)
	if err != nil && os.Geteuid() == 0 && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINVAL)) {
		err = r.start(ctx, o, false)
	}
	return err
}

func (r Runner) start(ctx context.Context, o order, userNamespace bool) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close()
	program := r.Program
	if program == "" {
		program = "/proc/self/exe"
	}
	cmd := exec.CommandContext(ctx, program, Argument[:]...)
	cmd.Args[0] = "reprise"
	cmd.Env = []string{}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.ExtraFiles = []*os.File{reader}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if userNamespace {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	// The kernel sends Pdeathsig when the thread ends that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		writer.Close()
		return fmt.Errorf("overlay: %w", err)
	}
	_, writeErr := writer.Write(text)
	writer.Close()
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("overlay: %s: %w", o.Commands[0].Argv[0], err)
	}
	return writeErr
}
