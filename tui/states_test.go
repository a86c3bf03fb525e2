package tui

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/installer"
	"reprise/installer/plan"
	"reprise/internal/progress"
)

// states are screens beside the straight way, at 80 by 24, each on a model of
// its own.
func states(t *testing.T) map[string]*rig {
	t.Helper()
	all := map[string]*rig{}
	at := func(name, step string, keys ...string) *rig {
		r := newRig(t, laptop)
		r.to(step)
		r.press(keys...)
		all[name] = r
		return r
	}
	at("leave", stepDisk, "ctrl+c")
	at("network-fixed", stepNetwork, "down", "enter", "'enp3s0", "enter", "'192.168.7.2", "enter")
	at("search", stepZone, "ctrl+u", "'new y")
	at("disk-not-chosen", stepDisk, "enter")
	at("disk-too-small", stepDisk, "down", "down", "enter")
	at("disk-member", stepDisk, "down", "down", "down", "enter")
	at("passphrase-weak", stepEncryption, "enter", "down", "enter", "'studio123")
	at("passphrase-differs", stepEncryption, "enter", "down", "enter", "'correct horse", "enter", "'correct house")
	at("person-wrong", stepPerson, "ctrl+u", "'not a host", "enter")
	at("keys-wrong", stepPerson, "down", "down", "down", "down", "down", "'ssh-rsa nonsense", "enter")
	at("serial-wrong", stepConfirm, "'WD-1", "enter")
	at("editor", stepReview, "h")
	at("editor-drop", stepReview, "h", "'x", "esc")

	none := newRig(t, laptop)
	none.disks = none.disks[3:]
	none.do(none.m.look())
	none.to(stepDisk)
	all["disk-none"] = none

	wrong := newRig(t, laptop)
	wrong.m.s.Actions.CheckFiles = func(context.Context, map[string][]byte) error {
		return errors.New("hardware.jsonnet:12:5: boot.kernelParams is \"quiet\"\n  want: a list of texts\n  do:   write ['quiet']")
	}
	wrong.to(stepReview)
	wrong.press("h", "'x", "backspace", "'// ", "ctrl+s")
	all["editor-wrong"] = wrong

	failing := func(name string, err error, keys ...string) {
		r := newRig(t, laptop)
		r.run = func(context.Context, Order, progress.Sink, func(plan.Name, installer.Status)) (*installer.Result, error) {
			return nil, err
		}
		r.m.s.Actions.Report = func(string) (string, error) {
			return "in /run/reprise/install/report.txt and on /dev/sdc3 (REPRISEDATA), as reprise.report.txt", nil
		}
		r.to(stepConfirm)
		r.press("'S4EWNX0R", "enter")
		r.press(keys...)
		all[name] = r
	}
	failing("failed", &installer.StepError{Step: plan.CopyStore, Device: "/dev/nvme0n1", Err: errors.New("read: input/output error"), Do: "look at the cable", Log: "/run/reprise/install/install.log"})
	failing("failed-report", &installer.StepError{Step: plan.CopyStore, Device: "/dev/nvme0n1", Err: errors.New("read: input/output error"), Do: "look at the cable", Log: "/run/reprise/install/install.log"}, "down", "down", "enter")
	failing("stopped", context.Canceled)

	for _, name := range []string{"running", "running-leave"} {
		r := newRig(t, laptop)
		r.to(stepConfirm)
		w := newWatch(func() time.Time { return noon })
		w.report(plan.CheckMedium, installer.Done)
		w.report(plan.MakePartitions, installer.Started)
		r.m.mode, r.m.watch, r.m.far = running, w, w.snapshot()
		if name == "running-leave" {
			r.press("esc")
		}
		all[name] = r
	}

	looks := newRig(t, laptop)
	looks.to(stepMachine)
	looks.m.s.Facts = nil
	all["looking"] = looks

	waits := newRig(t, laptop)
	waits.to(stepZone)
	waits.m.Update(key("enter"))
	all["waiting"] = waits
	return all
}

// TestStates holds the screens beside the straight way at two sizes.
func TestStates(t *testing.T) {
	all := states(t)
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(all)) {
			r := all[name]
			r.size(size[0], size[1])
			r.fits()
			fmt.Fprintf(&b, "==== %s\n%s", name, r.screen())
		}
		golden(t, fmt.Sprintf("states.%dx%d.txt", size[0], size[1]), b.String())
	}
}
