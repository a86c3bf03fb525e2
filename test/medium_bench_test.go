//go:build bench

package test

import (
	"strings"
	"testing"
	"time"

	"reprise/internal/vm"
)

// TestCompareFirstScreen prints how long the medium takes from the kernel's start
// to the installer's first screen, and to the rescue shell, which shows nothing
// but that the medium is mounted. It judges nothing: at most 1.5 times as long is
// wanted on a quiet machine.
func TestCompareFirstScreen(t *testing.T) {
	const times = 3
	iso := installMedium(t)
	took := map[string][]time.Duration{}
	for range times {
		for _, to := range []struct{ what, keys, says string }{
			{"the rescue shell", strings.Repeat(menuDown, 3) + menuEnter, "rescue:/# "},
			{"the installer's first screen", menuEnter, "Install reprise"},
		} {
			m := boot(t, vm.Options{Disks: []vm.Disk{{Path: iso, Bus: vm.USB}}, Firmware: vm.BIOS, Accel: vm.TCG, NoReboot: true})
			wait := func(text string) {
				t.Helper()
				if err := m.Expect(text, bootLimit); err != nil {
					t.Fatal(err)
				}
			}
			wait("Rescue shell")
			if err := m.Send(to.keys); err != nil {
				t.Fatal(err)
			}
			wait("Linux version")
			began := time.Now()
			wait(to.says)
			took[to.what] = append(took[to.what], time.Since(began))
			m.Close()
		}
	}
	shell, screen := median(took["the rescue shell"]), median(took["the installer's first screen"])
	t.Logf("from the kernel's first line to the first screen: %.2f s; to the rescue shell: %.2f s; ratio %.2f, wanted 1.5 at most (medians of %d)",
		screen.Seconds(), shell.Seconds(), screen.Seconds()/shell.Seconds(), times)
}
