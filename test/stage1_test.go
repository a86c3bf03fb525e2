package test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reprise/initrd/stage1/boottest"
	"reprise/internal/vm"
	"reprise/store/storepath"
)

// TestStage1 boots this very program as stage 1, with the kernel, the modules
// and the activation of the live-rig, from every kind of disk and into every
// way of going wrong.
func TestStage1(t *testing.T) {
	boottest.Run(t, stage1Tools(t))
}

// stage1Tools takes the kernel, its modules and the activation from the
// live-rig, and QEMU and mke2fs from the archive.
func stage1Tools(t *testing.T) boottest.Tools {
	t.Helper()
	system := storeDir(t, liveRig(t).system)
	var boot struct {
		KernelVersion string `json:"kernelVersion"`
	}
	if err := json.Unmarshal(read(t, filepath.Join(system, "boot.json")), &boot); err != nil {
		t.Fatalf("boot.json of %q: %v", system, err)
	}
	link, err := os.Readlink(filepath.Join(system, "kernel"))
	if err != nil {
		t.Fatal(err)
	}
	owner, rest, ok := storepath.In(link)
	if !ok {
		t.Fatalf("the kernel of %q is %q, want a place in the store", system, link)
	}
	kernel := storeDir(t, string(owner))
	tools := boottest.Tools{
		Kernel:     filepath.Join(kernel, rest),
		Version:    boot.KernelVersion,
		Trees:      []fs.FS{os.DirFS(kernel), os.DirFS(storeDir(t, modulesIndex(t, system)))},
		Binary:     program,
		Activation: read(t, filepath.Join(system, "activation.json")),
		Ext4:       makeExt4,
		Start:      startStage1,
	}
	tools.BadActivation = otherVersion(t, tools.Activation)
	// The first runs fetch the programs, which is no part of a boot.
	must(t, buildLimit, "tool", "-q", "-p", "ovmf,qemu-system-x86,seabios", "--", "qemu-system-x86_64", "--version")
	must(t, buildLimit, "tool", "-q", "-p", "e2fsprogs", "--", "mke2fs", "-V")
	return tools
}

// storeDir is where a store path lies on this machine.
func storeDir(t *testing.T, path string) string {
	t.Helper()
	return strings.TrimSpace(must(t, toolLimit, "store", "path", path))
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// modulesIndex finds the layer with depmod's index in the closure of a system.
func modulesIndex(t *testing.T, system string) string {
	t.Helper()
	for line := range strings.Lines(string(read(t, filepath.Join(system, "closure")))) {
		if path := strings.TrimSpace(line); strings.HasSuffix(path, "-kernel-modules-index") {
			return path
		}
	}
	t.Fatalf("the closure of %q has no kernel-modules-index", system)
	return ""
}

// otherVersion is an activation.json as a later reprise could write it: all
// of it is well but the version.
func otherVersion(t *testing.T, activation []byte) []byte {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(activation, &fields); err != nil {
		t.Fatal(err)
	}
	fields["version"] = json.RawMessage("99")
	changed, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// makeExt4 is boottest.Tools.Ext4 with mke2fs of the archive, which sees
// whoever runs the tests as root.
func makeExt4(ctx context.Context, dir, out string, sizeMiB int) error {
	// The sandbox shows files that are there.
	if err := os.WriteFile(out, nil, 0o644); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, program, "--store", store, "tool", "-q", "-p", "e2fsprogs",
		"--bind", dir+":/content", "--bind", out+":/out:rw", "--",
		"mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", "/content", "/out", fmt.Sprintf("%dM", sizeMiB))
	if said, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("mke2fs: %w: %s", err, bytes.TrimSpace(said))
	}
	return nil
}

// buses are the names that package vm has for them. It knows no virtio-scsi:
// see directQEMU.
var buses = map[boottest.Bus]vm.Bus{
	boottest.VirtioBlock: vm.Virtio,
	boottest.VirtioSCSI:  vm.Virtio,
	boottest.AHCI:        vm.SATA,
	boottest.NVMe:        vm.NVMe,
	boottest.USB:         vm.USB,
}

// startStage1 is boottest.Tools.Start: QEMU hands over kernel and initramfs
// itself, with no boot loader between.
func startStage1(ctx context.Context, o boottest.Options) (boottest.Machine, error) {
	var disks []vm.Disk
	if o.Disk != "" {
		bus, ok := buses[o.Bus]
		if !ok {
			return nil, fmt.Errorf("bus %q is not known", o.Bus)
		}
		disks = []vm.Disk{{Path: o.Disk, Bus: bus}}
	}
	const kernel, initrd = "/kernel", "/initrd"
	m, err := vm.Start(ctx, vm.Options{
		Disks: disks, ISO: o.CD, Firmware: vm.BIOS, Accel: vm.TCG, MemoryMiB: cmp.Or(o.MemoryMiB, 512), NoReboot: true,
		Args: []string{"-kernel", kernel, "-initrd", initrd, "-append", o.Append},
	}, directQEMU{
		scsi:  o.Bus == boottest.VirtioSCSI,
		binds: []vm.Bind{{Source: o.Kernel, Target: kernel}, {Source: o.Initrd, Target: initrd}},
	})
	if err != nil {
		return nil, err
	}
	return stage1Machine{m}, nil
}

// directQEMU is QEMU of the archive that sees more files, and with scsi its
// virtio disk as a SCSI disk on a virtio controller.
type directQEMU struct {
	archiveQEMU
	scsi  bool
	binds []vm.Bind
}

func (q directQEMU) Run(ctx context.Context, c vm.Command) error {
	c.Binds = append(c.Binds, q.binds...)
	if q.scsi {
		var argv []string
		for _, arg := range c.Argv {
			if rest, ok := strings.CutPrefix(arg, "virtio-blk-pci,"); ok {
				argv = append(argv, "virtio-scsi-pci", "-device")
				arg = "scsi-hd," + rest
			}
			argv = append(argv, arg)
		}
		c.Argv = argv
	}
	return q.archiveQEMU.Run(ctx, c)
}

// stage1Machine is a machine as boottest wants it.
type stage1Machine struct{ *vm.Machine }

func (m stage1Machine) Log() string { return m.Text() }
func (m stage1Machine) Stop()       { m.Close() }

func (m stage1Machine) Wait(most time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), most, fmt.Errorf("the machine has not ended after %s", most))
	defer cancel()
	return m.Machine.Wait(ctx)
}
