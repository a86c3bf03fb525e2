// Package boottest boots machines with stage 1: the disk found and the system
// started, and each of the ways in which that can go wrong, down to the text
// on the console, the shell, and the reboot when nobody is there. It is for
// tests only. The programs it needs (QEMU, mke2fs) and the kernel come from its
// caller, so that it runs with those of a store.
package boottest

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reprise/initrd/build"
)

// Tools is what the tests need from outside.
type Tools struct {
	Kernel  string  // vmlinuz
	Version string  // of the kernel
	Trees   []fs.FS // as build.Spec.Trees
	// Binary is the program that becomes /init; "" builds testdata/standin.
	Binary string
	// Activation is an activation.json that Binary applies, and BadActivation
	// one that it refuses; nil for those of testdata/standin.
	Activation, BadActivation []byte
	// Ext4 makes an ext4 file system of sizeMiB with the content of dir in the
	// file out, all owned by root (mke2fs -t ext4 -d dir out).
	Ext4 func(ctx context.Context, dir, out string, sizeMiB int) error
	// Start starts a machine that ends when it reboots (-no-reboot), with its
	// serial line as console, and the disk image never written to (-snapshot).
	Start func(ctx context.Context, o Options) (Machine, error)
}

// Options describes one machine.
type Options struct {
	Kernel, Initrd string
	Append         string // the kernel line
	Disk           string // a raw image; "" for none
	Bus            Bus    // how the disk is attached
	CD             string // an image in a CD drive; "" for no drive
	MemoryMiB      int    // 0: 512
}

// Bus is how a disk hangs on the machine.
type Bus string

const (
	VirtioBlock Bus = "virtio-blk"  // -device virtio-blk-pci
	VirtioSCSI  Bus = "virtio-scsi" // -device virtio-scsi-pci -device scsi-hd
	AHCI        Bus = "ahci"        // -device ide-hd on q35's own controller
	NVMe        Bus = "nvme"        // -device nvme
	USB         Bus = "usb"         // -device qemu-xhci -device usb-storage
)

// A Machine is a running one.
type Machine interface {
	// Expect waits for a text on the serial line, after what was expected before.
	Expect(text string, most time.Duration) error
	Send(text string) error        // to the serial line
	Wait(most time.Duration) error // until the machine has ended
	Stop()                         // ends it now; harmless when it has
	Log() string                   // all that the serial line has said
}

// patience is how long a machine may take for one step under emulation on a
// busy host.
const patience = 3 * time.Minute

// Run boots the machines. They share nothing that any of them writes to, so as
// many run at a time as the testing package lets: one for each processor.
func Run(t *testing.T, tools Tools) {
	dir := t.TempDir()
	if tools.Binary == "" {
		tools.Binary = goBuild(t, "standin", dir)
	}
	if tools.Activation == nil {
		tools.Activation, tools.BadActivation = []byte(`{"version":1}`), []byte(`{"version":99}`)
	}
	disk, tree := makeDisk(t, tools, goBuild(t, "sysinit", dir), dir)
	initrd := filepath.Join(dir, "initrd")
	writeInitrd(t, tools, initrd, false)
	runMedia(t, tools, tree, dir)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, tools, Options{Kernel: tools.Kernel, Initrd: initrd, Disk: disk, Bus: VirtioBlock})
		})
	}
}

// A scenario is one boot: what is typed when a text has come.
type scenario struct {
	name   string
	bus    Bus    // VirtioBlock when empty
	line   string // added to the kernel line
	steps  []step
	memory int // MiB; 0 for enough
}

type step struct{ expect, send string }

func (c scenario) run(t *testing.T, tools Tools, o Options) {
	if c.bus != "" {
		o.Bus = c.bus
	}
	o.MemoryMiB = c.memory
	o.Append = strings.Join([]string{"console=ttyS0 panic=1", rootLine, c.line}, " ")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	m, err := tools.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Stop()
	fail := func(err error) {
		t.Helper()
		t.Fatalf("%v\nkernel line: %s\nserial line:\n%s", err, o.Append, m.Log())
	}
	for _, s := range c.steps {
		if s.expect != "" {
			if err := m.Expect(s.expect, patience); err != nil {
				fail(err)
			}
		}
		if s.send != "" {
			if err := m.Send(s.send); err != nil {
				fail(err)
			}
		}
	}
	if err := m.Wait(patience); err != nil {
		fail(err)
	}
}

func writeInitrd(t testing.TB, tools Tools, out string, medium bool) {
	t.Helper()
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	spec := build.Spec{Binary: tools.Binary, Trees: tools.Trees, Kernel: tools.Version, Load: []string{"i6300esb"}, Medium: medium}
	if err := build.Write(t.Context(), w, spec); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// goBuild builds a program of ../testdata, found from the module's root.
func goBuild(t testing.TB, name, dir string) string {
	t.Helper()
	out := filepath.Join(dir, name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
		"-o", out, "reprise/initrd/stage1/testdata/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("build %s: %w\n%s", name, err, text))
	}
	return out
}
