package vm

import (
	"cmp"
	"context"
	"fmt"
	"strings"
)

// Plug puts a disk that was to come later, or that was pulled out, into the
// machine: the index counts Options.Disks. What was written to a disk without
// Keep before it was pulled out is gone. Plug and Unplug are not called at once.
func (m *Machine) Plug(ctx context.Context, index int) error {
	d := m.disks[index]
	if d.Bus != USB || !d.Later && !m.pulled[index] {
		return fmt.Errorf("plug in disk %d: it is no USB disk that was to come later or is out", index)
	}
	id := diskID(index)
	if m.pulled[index] {
		// QEMU forgets the content with the device.
		var said string
		err := m.command(ctx, "human-monitor-command", map[string]string{"command-line": "drive_add 0 " + d.drive(index)}, &said)
		if err == nil && strings.TrimSpace(said) != "OK" {
			err = fmt.Errorf("qemu says %q", said)
		}
		if err != nil {
			return fmt.Errorf("plug in disk %d: %w", index, err)
		}
	}
	err := m.command(ctx, "device_add", map[string]any{
		"driver": "usb-storage", "id": id + "device", "bus": id + "usb.0", "drive": id, "bootindex": index + 1,
		"serial": cmp.Or(d.Serial, fmt.Sprintf("reprise-%d", index)), "removable": d.Removable,
	}, nil)
	if err != nil {
		return fmt.Errorf("plug in disk %d: %w", index, err)
	}
	delete(m.pulled, index)
	return nil
}

// Unplug pulls a USB disk out, whatever the guest does with it.
func (m *Machine) Unplug(ctx context.Context, index int) error {
	d := m.disks[index]
	if d.Bus != USB || d.Log != "" || len(d.Bad) > 0 {
		return fmt.Errorf("pull out disk %d: it is no USB disk, or one with a log or bad sectors", index)
	}
	if err := m.command(ctx, "device_del", map[string]string{"id": diskID(index) + "device"}, nil); err != nil {
		return fmt.Errorf("pull out disk %d: %w", index, err)
	}
	m.pulled[index] = true
	return nil
}
