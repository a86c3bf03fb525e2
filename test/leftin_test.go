package test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"reprise/internal/vm"
)

// TestStickStaysIn installs with "then": "reboot" on a machine that starts the
// stick first, and presses Ctrl-S on the serial line: nothing stops. Started from
// the stick again, the machine waits until it is pulled out, and then starts what
// was installed; with UEFI by the boot entry that the installer has written. These
// are guests that only scripts/guests has time for.
func TestStickStaysIn(t *testing.T) {
	if os.Getenv(everyGuest) == "" {
		return
	}
	t.Parallel()
	for _, firmware := range []vm.Firmware{vm.BIOS, vm.UEFI} {
		t.Run(string(firmware), func(t *testing.T) {
			t.Parallel()
			stickStaysIn(t, firmware)
		})
	}
}

func stickStaysIn(t *testing.T, firmware vm.Firmware) {
	m := newBox(t, box{firmware: firmware, usb: true, bus: vm.Virtio}, map[string]any{"then": "reboot"})
	g := m.install(t)
	const xoff = "\x13"
	if err := g.Expect(installPrefix+"step=partition status=done", installLimit); err != nil {
		t.Fatal(err)
	}
	if err := g.Send(xoff); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		installPrefix + "done generation=1", "Rebooting. Take the medium out.", // and the stick is first again
		installPrefix + "done generation=1", "the same answers have installed this machine before", "take the medium out: this machine restarts then",
	} {
		if err := g.Expect(want, installLimit); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Unplug(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := g.Expect(fmt.Sprint(m.answers["host"])+" login:", installLimit); err != nil {
		t.Fatal(err)
	}
	if firmware == vm.BIOS {
		g.Kill()
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	client, err := g.SSH(ctx, "rig", m.signer)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const vendor = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	keeps(ctx, t, client, []rigCheck{
		check("the entry that it was started by", `cd /sys/firmware/efi/efivars && n=$(od -An -tx2 -j4 BootCurrent`+vendor+` | tr -d ' \n' | tr a-f A-F) && tr -d '\0' < Boot$n`+vendor+` | grep -ac 'reprise.*\\EFI\\BOOT\\BOOTX64.EFI'`, "1"),
		check("the first entry", `cd /sys/firmware/efi/efivars && n=$(od -An -tx2 -j4 -N2 BootOrder`+vendor+` | tr -d ' \n' | tr a-f A-F) && tr -d '\0' < Boot$n`+vendor+` | grep -ac reprise`, "1"),
	})
}
