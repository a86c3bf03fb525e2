package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"reprise/hwdetect"
	"reprise/initrd/kmod"
	"reprise/internal/atomicfile"
	"reprise/internal/diag"
)

type detectOptions struct {
	root, snapshot    string
	serials, contents bool
}

func (a *app) detectCommand() *cobra.Command {
	var o detectOptions
	c := &cobra.Command{
		Use:   "detect",
		Short: "show what this machine is made of",
		Long: `Read what the machine is made of from /sys and /proc, sound first. Nothing is
changed. --snapshot FILE packs the files that were read, without serial numbers,
for a bug report; --root FILE shows what is in such a snapshot.

With --json the facts are one JSON object; what is not known is null.`,
		Example: "  reprise detect\n  reprise detect --snapshot studio.machine\n  reprise detect --root studio.machine --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.serials && o.snapshot == "" {
				return misused(cmd, "--serials is given without --snapshot", "add --snapshot FILE: without it nothing is masked")
			}
			return a.detect(cmd.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.root, "root", "/", "`directory` with sys and proc, or a snapshot, to read in place of this machine")
	f.StringVar(&o.snapshot, "snapshot", "", "pack what was read into this `file`")
	f.BoolVar(&o.serials, "serials", false, "leave serial numbers, addresses and UUIDs in the snapshot")
	f.BoolVar(&o.contents, "contents", false, "look on the disks themselves, which wakes them up and wants root")
	return c
}

func (a *app) detect(ctx context.Context, o detectOptions) error {
	tree, err := openMachine(o.root)
	if err != nil {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: o.root, Got: "cannot be read: " + reason(err),
			Want: "a directory with sys and proc, or a snapshot that reprise detect --snapshot wrote", Do: "name one, or leave --root out to read this machine"}}
	}
	options := hwdetect.Options{Contents: o.contents, PCIIDs: pciIDs(), Modules: moduleIndex(tree)}
	if o.root == "/" {
		options.KernelLog = kernelLog()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.snapshot != "" {
		var packed bytes.Buffer
		if err := hwdetect.Pack(&packed, tree, hwdetect.PackOptions{Options: options, Serials: o.serials}); err != nil {
			return notMachine(o.root, err)
		}
		if err := atomicfile.WriteBytes(o.snapshot, 0o644, packed.Bytes()); err != nil {
			return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: o.snapshot, Got: "cannot be written: " + reason(err),
				Want: "a file in a directory that is there", Do: "name another with --snapshot FILE"}}
		}
	}
	facts, err := hwdetect.Read(tree, options)
	if err != nil {
		return notMachine(o.root, err)
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(facts)
	}
	if err := facts.WritePage(a.stdout); err != nil || o.root != "/" {
		return err
	}
	// In a session from a medium: what it was tuned to.
	told, err := os.ReadFile(tunedMotd)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = fmt.Fprintf(a.stdout, "\n%s", told)
	}
	return err
}

func notMachine(root string, err error) error {
	if !errors.Is(err, hwdetect.ErrNoMachine) {
		return err
	}
	return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: root, Got: "holds neither sys nor proc of a machine",
		Want: "a directory with sys and proc, or a snapshot", Do: "name one, or leave --root out to read this machine"}}
}

// openMachine opens a directory or a snapshot.
func openMachine(name string) (fs.FS, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return os.DirFS(name), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return hwdetect.OpenSnapshot(f)
}

// pciIDs finds this machine's names of PCI devices; "" when it has none.
func pciIDs() string {
	for _, name := range []string{"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids.gz", "/usr/share/pci.ids"} {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	return ""
}

// moduleIndex reads the module index of the kernel that the tree ran, from the
// tree or from this machine, else that of this machine's kernel. Nil when there
// is none: which modules answer to a device is then not known.
func moduleIndex(tree fs.FS) *kmod.Index {
	var releases []string
	if data, err := fs.ReadFile(tree, "proc/sys/kernel/osrelease"); err == nil {
		releases = append(releases, string(bytes.TrimSpace(data)))
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		releases = append(releases, unix.ByteSliceToString(name.Release[:]))
	}
	for _, release := range releases {
		if release == "" || filepath.Base(release) != release {
			continue
		}
		for _, where := range []fs.FS{tree, os.DirFS("/")} {
			for _, dir := range []string{"usr/lib/modules", "lib/modules"} {
				sub, err := fs.Sub(where, dir+"/"+release)
				if err != nil {
					continue
				}
				if x, err := kmod.Read(sub); err == nil {
					return x
				}
			}
		}
	}
	return nil
}

// kernelLog reads what the kernel logged; nil when this user may not.
func kernelLog() []byte {
	const sizeOfBuffer = 10 // SYSLOG_ACTION_SIZE_BUFFER, syslog(2)
	size, err := unix.Klogctl(sizeOfBuffer, nil)
	if err != nil || size <= 0 || size > 64<<20 {
		return nil
	}
	data := make([]byte, size)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, data)
	if err != nil {
		return nil
	}
	return data[:n]
}
