package vm

import (
	"cmp"
	"context"
	"fmt"
)

// Plug puts a disk that was to come later into the machine: the index counts
// Options.Disks.
func (m *Machine) Plug(ctx context.Context, index int) error {
	d := m.disks[index]
	if !d.Later || d.Bus != USB {
		return fmt.Errorf("plug in disk %d: it is no USB disk that was to come later", index)
	}
	id := fmt.Sprintf("disk%d", index)
	err := m.command(ctx, "device_add", map[string]any{
		"driver": "usb-storage", "bus": id + "usb.0", "drive": id, "serial": cmp.Or(d.Serial, fmt.Sprintf("reprise-%d", index)), "removable": d.Removable,
	}, nil)
	if err != nil {
		return fmt.Errorf("plug in disk %d: %w", index, err)
	}
	return nil
}
