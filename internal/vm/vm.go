// Package vm runs a disk image in QEMU, for people (reprise run) and for
// tests that boot what was built.
//
// QEMU and its firmware come from a tree of unpacked packages and run in a
// sandbox, reached through [Tools]. Everything has an end: the machine lives
// no longer than the context given to [Start], every wait takes a time limit,
// and only the process that was started is ended.
//
// An image is tried without being changed: writes go to a temporary overlay
// unless Disk.Keep is set.
//
// The serial line is QEMU's standard input and output. All that it says is
// kept: in the log file, and in memory for [Machine.Expect], which sees the
// text without escape sequences.
package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Tools runs programs of a tree that holds QEMU and its firmware (Debian
// packages qemu-system-x86, seabios, ovmf), with the network of the machine,
// since the forwarded ssh port is opened there.
type Tools interface {
	// Run runs c to its end, or until ctx ends and the program with it. Its
	// error holds what the program said last on standard error.
	Run(ctx context.Context, c Command) error
}

// A Command is one run of a program.
type Command struct {
	Argv          []string // Argv[0] is a path in the tree
	Env           []string // all of it
	Stdin, Stdout *os.File
	Binds         []Bind
}

// A Bind shows a file or directory of the machine to the program. Device is
// set for device nodes.
type Bind struct {
	Source, Target   string
	Writable, Device bool
}

// Firmware is what starts the machine.
type Firmware string

const (
	BIOS       Firmware = "bios"
	UEFI       Firmware = "uefi"
	SecureBoot Firmware = "secure-boot" // UEFI that starts only what Microsoft's keys vouch for
)

// Bus is what a disk hangs on.
type Bus string

const (
	Virtio Bus = "virtio"
	NVMe   Bus = "nvme"
	SATA   Bus = "sata"
	USB    Bus = "usb"
	SCSI   Bus = "scsi" // of a CD drive alone
)

// A Disk is a raw image as a disk of the machine.
type Disk struct {
	Path   string
	Bus    Bus    // "" means Virtio
	Serial string // what the disk says its serial number is; "" for a default
	Keep   bool   // writes reach Path; else they are gone with the machine

	Removable bool // it says so of itself, as a USB stick does; on bus USB alone
	Later     bool // it is not there before [Machine.Plug]; on bus USB alone

	// Bad are sectors of 512 bytes: a write that touches one of them is an
	// input/output error. With Keep alone, and without Log.
	Bad []int64

	// Log is a file that gets every write and every flush in their order, with
	// Keep alone; see [ReadWriteLog]. "" for none. It is made anew.
	Log string
}

// Accel is how the machine's instructions are run.
type Accel string

const (
	Auto Accel = "auto" // KVM where a guest really runs in it, else TCG; see KVM
	TCG  Accel = "tcg"  // QEMU's own translation: works everywhere, about ten times slower
	HW   Accel = "kvm"
)

// Options describe a machine. The zero value of a field means the default.
type Options struct {
	Disks     []Disk   // the first one is booted
	Firmware  Firmware // default UEFI
	Accel     Accel    // default TCG
	MemoryMiB int      // default 1024
	CPUs      int      // default 2
	SSHPort   int      // TCP port on 127.0.0.1 that leads to port 22; 0 for a free one, see Machine.SSHAddr
	Window    bool     // show a window with the screen; else there is a screen that nobody sees
	NoReboot  bool     // a reboot ends the machine
	LogFile   string   // where the serial line is kept; "" for serial.log in a temporary directory that Close removes
	Args      []string // further arguments of QEMU
	ISO       string   // a medium in a CD drive, read-only, booted after the disks; "" for none
	ISOBus    Bus      // of the CD drive: SATA, the default, or SCSI
	ISOFirst  bool     // the medium in the CD drive is booted before the disks
}

// A Machine is a running guest.
type Machine struct {
	LogFile string // the serial log
	Argv    []string

	dir     string
	cancel  context.CancelFunc
	done    chan struct{} // closed when QEMU has ended
	err     error         // how QEMU ended; read after done
	input   *os.File
	console *console
	sshPort int
	disks   []Disk
	pulled  map[int]bool // by Unplug, and not back yet
}

// inside is where the machine's working directory is seen in the sandbox.
const inside = "/vm"

// Start starts a machine. It returns once QEMU runs; nothing is booted yet.
// The caller must call Close.
func Start(ctx context.Context, o Options, tools Tools) (started *Machine, err error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Accel == Auto {
		o.Accel = TCG
		if KVM(ctx, tools) == nil {
			o.Accel = HW
		}
	}
	// Short, since the name of a socket has 107 bytes at most.
	dir, err := os.MkdirTemp("", "reprise-vm-")
	if err != nil {
		return nil, fmt.Errorf("start machine: %w", err)
	}
	m := &Machine{dir: dir, LogFile: o.LogFile, done: make(chan struct{}), disks: o.Disks, pulled: map[int]bool{}}
	defer func() {
		if err != nil {
			m.Close()
			err = fmt.Errorf("start machine: %w", err)
		}
	}()
	if m.LogFile == "" {
		m.LogFile = filepath.Join(dir, "serial.log")
	}
	log, err := os.Create(m.LogFile)
	if err != nil {
		close(m.done)
		return nil, err
	}
	m.console = newConsole(log)
	guestInput, input, err := os.Pipe()
	if err != nil {
		log.Close()
		close(m.done)
		return nil, err
	}
	output, guestOutput, err := os.Pipe()
	if err != nil {
		guestInput.Close()
		input.Close()
		log.Close()
		close(m.done)
		return nil, err
	}
	m.input = input
	argv, binds := o.command(dir)
	m.Argv = argv

	var run context.Context
	run, m.cancel = context.WithCancel(ctx)
	var ends sync.WaitGroup
	ends.Go(func() { m.console.readFrom(output) })
	go func() {
		err := tools.Run(run, Command{
			Argv: argv, Env: o.environment(), Binds: binds,
			Stdin: guestInput, Stdout: guestOutput,
		})
		guestInput.Close()
		guestOutput.Close()
		ends.Wait()
		output.Close()
		log.Close()
		m.err = err
		m.console.end()
		close(m.done)
	}()
	if m.sshPort, err = m.forwardedPort(ctx, o.SSHPort); err != nil {
		return nil, err
	}
	return m, nil
}

// Done is closed when the machine has ended.
func (m *Machine) Done() <-chan struct{} { return m.done }

// Wait waits for the machine's end. It returns nil when the guest was
// switched off, or rebooted with NoReboot.
func (m *Machine) Wait(ctx context.Context) error {
	select {
	case <-m.done:
		return m.ended()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ended tells how QEMU ended.
func (m *Machine) ended() error {
	if m.err == nil {
		return nil
	}
	return fmt.Errorf("qemu: %w", m.err)
}

// Kill ends the machine at once, as a power cut does.
func (m *Machine) Kill() {
	if m.cancel != nil {
		m.cancel()
		<-m.done
	}
}

// Shutdown presses the power button and waits, for limit at most, until the
// guest has switched itself off; then it pulls the plug and returns an error.
func (m *Machine) Shutdown(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the guest did not switch off within %s", limit))
	defer cancel()
	if err := m.command(ctx, "system_powerdown", nil, nil); err != nil {
		select {
		case <-m.done: // it was switching off by itself
			return m.ended()
		default:
		}
		m.Kill()
		return fmt.Errorf("press the power button: %w", err)
	}
	if err := m.Wait(ctx); err != nil {
		m.Kill()
		return err
	}
	return nil
}

// Reset resets the machine, as its button does.
func (m *Machine) Reset(ctx context.Context) error { return m.command(ctx, "system_reset", nil, nil) }

// Close ends the machine if it runs and removes its temporary files, a log
// without a name of its own among them.
func (m *Machine) Close() error {
	m.Kill()
	var err error
	if m.input != nil {
		err = m.input.Close()
	}
	return errors.Join(err, os.RemoveAll(m.dir))
}
