package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// machines are three that differ in what there is to say: a laptop with a USB
// interface on its battery, FireWire that reboots the machine, no sound at all.
var machines = []string{"usb-motu-m4", "fw-via-asm1083-ryzen3700x-lightbridge", "server-xeon-l5640-no-audio"}

// TestScreens holds every screen at two sizes.
func TestScreens(t *testing.T) {
	for _, machine := range machines {
		for _, size := range [][2]int{{80, 24}, {120, 40}} {
			name := fmt.Sprintf("%s.%dx%d", machine, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				r := newRig(t, machine)
				r.size(size[0], size[1])
				var b strings.Builder
				show := func(what string) {
					screen := r.screen()
					for n, l := range strings.Split(screen, "\n") {
						if ansi.StringWidth(l) > size[0] || n > size[1] {
							t.Errorf("%s: line %d does not fit: %q", what, n+1, l)
						}
					}
					v := r.m.View()
					at := "none"
					if v.Cursor != nil {
						at = fmt.Sprintf("%d,%d", v.Cursor.X, v.Cursor.Y)
					}
					fmt.Fprintf(&b, "==== %s, cursor %s\n%s", what, at, screen)
				}
				show("welcome")
				for _, id := range []string{stepLanguage, stepKeyboard, stepNetwork, stepMachine, stepProfile, stepDisk, stepEncryption, stepPerson, stepZone, stepReview, stepConfirm, "done"} {
					r = newRig(t, machine)
					r.size(size[0], size[1])
					r.to(id)
					show(id)
				}
				golden(t, name+".txt", b.String())
			})
		}
	}
}
