package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"reprise/internal/diag"
	"reprise/internal/recipe"
	"reprise/internal/toolbox"
	"reprise/internal/vm"
)

var accels = []string{string(vm.Auto), string(vm.HW), string(vm.TCG)}

// minMemoryMiB is what firmware, kernel and initrd do not start below.
const minMemoryMiB = 64

func (a *app) runCommand() *cobra.Command {
	var o vm.Options
	var bios, secure, keep bool
	var accel string
	c := &cobra.Command{
		Use:   "run IMAGE",
		Short: "try an image in QEMU",
		Long: `Boot an image in QEMU from the store. The serial console is this terminal; Ctrl-]
leaves it and ends the machine. ssh is forwarded on a port of this machine that
is printed first. The image itself is not changed unless --keep is given. An
installation medium (.iso) lies in a CD drive.

With --json the event "machine" tells the port, and the serial console is on
standard error.`,
		Example: "  reprise run live-rig.img\n  reprise run --bios --window live-rig.img",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Firmware, o.Accel = vm.UEFI, vm.Accel(accel)
			switch {
			case bios && secure:
				return misused(cmd, "--bios and --secure-boot exclude each other", "leave one of them out")
			case !slices.Contains(accels, accel):
				return misused(cmd, fmt.Sprintf("--accel is %q", accel), "give one of "+strings.Join(accels, ", "))
			case o.MemoryMiB < minMemoryMiB || o.CPUs < 1:
				return misused(cmd, fmt.Sprintf("--memory is %d MiB and --cpus %d", o.MemoryMiB, o.CPUs), fmt.Sprintf("give --memory %d and --cpus 1 at least", minMemoryMiB))
			case o.SSHPort < 0 || o.SSHPort > 65535:
				return misused(cmd, fmt.Sprintf("--ssh-port is %d", o.SSHPort), "give a port from 1 to 65535, or leave it out")
			case bios:
				o.Firmware = vm.BIOS
			case secure:
				o.Firmware = vm.SecureBoot
			}
			if isMedium(args[0]) {
				o.ISO = args[0]
			} else {
				o.Disks = []vm.Disk{{Path: args[0], Keep: keep}}
			}
			return a.runImage(cmd.Context(), args[0], o)
		},
	}
	f := c.Flags()
	f.BoolVar(&bios, "bios", false, "start with a BIOS instead of UEFI")
	f.BoolVar(&secure, "secure-boot", false, "start with UEFI that enforces Secure Boot")
	f.BoolVar(&o.Window, "window", false, "show the screen in a window")
	f.BoolVar(&keep, "keep", false, "write changes to the image")
	f.StringVar(&accel, "accel", "auto", "how to run: auto, kvm or tcg")
	f.IntVar(&o.MemoryMiB, "memory", 1024, "memory in `MiB`")
	f.IntVar(&o.CPUs, "cpus", 2, "processors")
	f.IntVar(&o.SSHPort, "ssh-port", 0, "`port` on 127.0.0.1 that leads to the machine's ssh (default: a free one)")
	f.StringVar(&o.LogFile, "log", "", "keep what the serial console says in this `file`")
	c.RegisterFlagCompletionFunc("accel", cobra.FixedCompletions(accels, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) runImage(ctx context.Context, image string, o vm.Options) error {
	info, err := os.Stat(image)
	if err == nil && info.IsDir() {
		err = errors.New("it is a directory")
	}
	if err != nil {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: image, Got: "cannot be started: " + reason(err),
			Want: "an image that reprise build wrote", Do: "name it, or make one: reprise build live-rig --authorize auto -o live-rig.img"}}
	}
	packages := []string{"ovmf", "qemu-system-x86", "seabios"}
	if o.Window {
		packages = append(packages, "qemu-system-gui")
	}
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer s.store.Close()
	root, err := s.archiveTools(ctx, toolSet(packages), packages...)
	if err != nil {
		return err
	}
	m, err := vm.Start(ctx, o, vmTools{root})
	if err != nil {
		return err
	}
	defer m.Close()
	a.endProgress()
	host, port, err := net.SplitHostPort(m.SSHAddr())
	if err != nil {
		return err
	}
	if a.json {
		number, err := strconv.Atoi(port)
		if err != nil {
			return err
		}
		if err := a.emit("machine", fields{"image": image, "sshHost": host, "sshPort": number}); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stderr, "log in:  ssh -p %s USER@%s, such as rig of the live-rig; Ctrl-] ends the machine\n", port, host)
	}
	in, inOK := a.stdin.(*os.File)
	out, outOK := a.childOutput().(*os.File)
	if !inOK || !outOK {
		return m.Wait(ctx)
	}
	if err := m.Attach(ctx, in, out); err != nil && !errors.Is(err, vm.ErrDetached) {
		return err
	}
	return nil
}

// archiveTools opens packages of the archive as a root of programs that belong
// to no image: QEMU here, outside judges in tests. Their lock is kept in the
// store's state, so later runs ask the mirror for nothing.
func (s *session) archiveTools(ctx context.Context, set string, packages ...string) (*toolbox.Root, error) {
	sets := recipe.ToolSets(set, packages...)
	file := filepath.Join(s.store.StateDir("tools"), filepath.Base(set)+".lock")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	l, err := readLock(file)
	if err != nil {
		return nil, err
	}
	if !serves(l, sets) {
		if l, err = s.resolved(ctx, nil, sets, l, nil); err != nil {
			return nil, err
		}
	}
	run := s.realiser.Start(ctx)
	defer run.Close()
	paths, err := s.unpacked(ctx, nil, l, run, nil, set)
	if isGone(err) {
		// Versions move on; tools need not be the same ones for ever.
		if l, err = s.resolved(ctx, nil, sets, l, []string{"*"}); err != nil {
			return nil, err
		}
		paths, err = s.unpacked(ctx, nil, l, run, nil, set)
	}
	if err != nil {
		return nil, err
	}
	if err := run.Wait(); err != nil {
		return nil, err
	}
	if err := writeLock(file, l); err != nil {
		return nil, err
	}
	return s.tools(ctx, l, set, paths)
}
