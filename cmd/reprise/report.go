package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"reprise/hwdetect/advice"
	"reprise/initrd/blockdev"
	"reprise/installer"
	"reprise/internal/atomicfile"
)

// Places of the report of an installation that has failed: in memory, and on a
// stick that can be written.
const (
	installReport = installDir + "/report.txt"
	stickReport   = "reprise.report.txt"
)

// keepReport writes a report with the log behind it, and says where.
func (i *installation) keepReport(text string) (place string, err error) {
	if log, err := os.ReadFile(installLog); err == nil {
		text += "\nLog\n" + string(log)
	}
	if err := os.MkdirAll(installDir, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(installReport, []byte(text), 0o600); err != nil {
		return "", err
	}
	place = "in " + installReport
	system := blockdev.System{Sys: os.DirFS("/sys"), Open: func(name string) (blockdev.Disk, error) { return os.Open("/dev/" + name) }}
	devices, err := system.List(true)
	if err != nil {
		return place + ", in memory", nil
	}
	for _, d := range sticks(devices, strings.TrimPrefix(i.medium.Disk, "/dev/")) {
		if err := writeOn(d, stickReport, []byte(text)); err == nil {
			return place + fmt.Sprintf(" and on /dev/%s (%s), as %s", d.Name, d.Label, stickReport), nil
		}
	}
	return place + ", in memory: no stick can be written", nil
}

// tellReport keeps a report of a failed installation that nobody attends, and
// says where it is.
func (i *installation) tellReport(out io.Writer, failure error) {
	var b strings.Builder
	fmt.Fprintf(&b, "reprise: a report of an installation that failed\n\n%v\n\n", failure)
	if i.facts.Load() != nil {
		b.WriteString(advice.Advise(i.facts.Load(), advice.Wants{}).Text())
		if err := i.facts.Load().WritePage(&b); err != nil {
			fmt.Fprintf(&b, "%v\n", err)
		}
	}
	place, err := i.keepReport(b.String())
	if err != nil {
		fmt.Fprintf(out, "reprise: no report can be kept: %v\n", err)
		return
	}
	fmt.Fprintf(out, "reprise: a report is %s\n", place)
}

// sticks are the file systems that a report may be written to: further ones
// of the medium's own disk, and those with the label of answers. No other disk
// is written to. The medium's own partitions are 1 and 2.
func sticks(devices []blockdev.Device, disk string) []blockdev.Device {
	var list []blockdev.Device
	for _, d := range devices {
		own := d.Disk == disk && disk != "" && d.Number > 2
		if slices.Contains([]string{"vfat", "exfat", "ext4"}, d.Type) && (own || strings.EqualFold(d.Label, installer.DataLabel)) {
			list = append(list, d)
		}
	}
	return list
}

// writeOn writes one file to the file system of a device that is not mounted.
func writeOn(d blockdev.Device, name string, data []byte) error {
	_, err := installer.Within(d, true, func(dir string) error {
		return atomicfile.WriteBytes(filepath.Join(dir, name), 0o644, data)
	})
	return err
}
