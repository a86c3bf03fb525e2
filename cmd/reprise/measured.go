package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"reprise/initrd/blockdev"
	"reprise/installer"
	"reprise/installer/latency"
	"reprise/internal/atomicfile"
)

// A keeper is where measurements are kept from one start of a machine to the
// next: in a file, or on the sticks that answers may lie on as well.
type keeper struct {
	name string // of a file; "" when there is none
	// disk is the medium's, "sdb", when sticks are looked for.
	disk   string
	sticks bool
}

// keeper says where this machine keeps what is measured.
func (a *app) keeper(output string) (keeper, error) {
	if output != "" {
		info, err := os.Stat(filepath.Dir(output))
		if err == nil && !info.IsDir() {
			err = unix.ENOTDIR
		}
		return keeper{name: output}, err
	}
	if os.Geteuid() != 0 {
		return keeper{}, nil
	}
	if m, err := mediumOf("", ""); err == nil {
		return mediumKeeper(m.Disk), nil
	}
	dir := "/" + installer.ConfigurationDir
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return keeper{name: filepath.Join(dir, latency.FileName)}, nil
	}
	return keeper{}, nil
}

// mediumKeeper keeps on sticks, and in memory until the machine goes down.
func mediumKeeper(disk string) keeper {
	return keeper{name: filepath.Join(installDir, latency.FileName), disk: strings.TrimPrefix(disk, "/dev/"), sticks: true}
}

// read returns what is kept. What is on a stick and cannot be read does not
// count.
func (k keeper) read() ([]latency.Result, error) {
	var kept []latency.Result
	if k.sticks {
		devices, _ := listDevices() // no disk, no stick
		for _, d := range sticks(devices, k.disk) {
			if data, err := readFrom(d, latency.FileName); err == nil {
				found, _ := latency.Decode(latency.FileName, data)
				kept = join(kept, found)
			}
		}
	}
	if k.name == "" {
		return kept, nil
	}
	info, err := os.Stat(k.name)
	if errors.Is(err, fs.ErrNotExist) {
		return kept, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > latency.MaxFile) {
		err = fmt.Errorf("it is no file of at most %d bytes", latency.MaxFile)
	}
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(k.name)
	if err != nil {
		return nil, err
	}
	found, err := latency.Decode(k.name, data)
	return join(kept, found), err
}

// join adds measurements; the later one of a kernel and machine stays.
func join(kept, more []latency.Result) []latency.Result {
	for _, r := range more {
		if !slices.ContainsFunc(kept, func(o latency.Result) bool {
			return o.Machine == r.Machine && o.Kernel == r.Kernel && o.When.After(r.When)
		}) {
			kept = latency.Keep(kept, r)
		}
	}
	return kept
}

// keep writes what is kept and says where; "" when that is nowhere.
func (k keeper) keep(kept []latency.Result) (place string, err error) {
	data, err := latency.Encode(kept)
	if err != nil || k.name == "" {
		return "", err
	}
	if k.sticks {
		if err := os.MkdirAll(filepath.Dir(k.name), 0o700); err != nil {
			return "", err
		}
	}
	if err := atomicfile.WriteBytes(k.name, 0o644, data); err != nil {
		return "", err
	}
	if !k.sticks {
		return "in " + k.name, nil
	}
	devices, _ := listDevices()
	for _, d := range sticks(devices, k.disk) {
		if writeOn(d, latency.FileName, data) == nil {
			return fmt.Sprintf("on /dev/%s (%s), as %s", d.Name, d.Label, latency.FileName), nil
		}
	}
	return "in memory, until the machine goes down: there is no file system " + installer.DataLabel + " that can be written", nil
}

func listDevices() ([]blockdev.Device, error) {
	system := blockdev.System{Sys: os.DirFS("/sys"), Open: func(name string) (blockdev.Disk, error) { return os.Open("/dev/" + name) }}
	return system.List(true)
}

// readFrom reads one file of the file system of a device, which stays as it is.
func readFrom(d blockdev.Device, name string) (data []byte, err error) {
	_, err = installer.Within(d, false, func(dir string) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.Size() > latency.MaxFile {
			return fmt.Errorf("%q is no file of at most %d bytes", name, latency.MaxFile)
		}
		data, err = root.ReadFile(name)
		return err
	})
	return data, err
}
