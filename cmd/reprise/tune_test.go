package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
	"reprise/hwdetect/advice"
	"reprise/initrd/stage1"
	"reprise/internal/effect/machine"
	"reprise/internal/tuning"
)

// TestSessionOfMachines tunes what a medium carries to described machines: it
// takes no package that the medium lacks, and the card that is played on is one
// that the machine has.
func TestSessionOfMachines(t *testing.T) {
	dir, about := mediumWith(t)
	for _, name := range []string{"usb-motu-m4", "pci-dual-delta1010lt", "gpu-nvidia-4070ti-rt", "server-xeon-l5640-no-audio"} {
		data, err := os.ReadFile("../../hwdetect/testdata/machines/" + name + ".golden.json")
		if err != nil {
			t.Fatal(err)
		}
		facts := &hwdetect.Facts{}
		if err := json.Unmarshal(data, facts); err != nil {
			t.Fatal(err)
		}
		for n := range about.Systems {
			s := &about.Systems[n]
			t.Run(s.Name+"/"+name, func(t *testing.T) {
				i := &installation{medium: stage1.Medium{Dir: dir}, carried: about}
				i.facts.Store(facts)
				advised, err := i.advise(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				plain, err := i.evaluated(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				next, err := i.withHardware(t.Context(), s, advised.Jsonnet())
				if err != nil {
					t.Fatal(err)
				}
				p, err := tuning.Make(plain, next)
				if err != nil {
					t.Fatal(err)
				}
				told := tunedText(advised, p, p, false)
				if strings.Contains(told, "gets the packages") || strings.Contains(told, "takes the place") {
					t.Errorf("of a medium that has them not: %s", told)
				}
				studio, ok := advised.Studio()
				if ok != (name != "server-xeon-l5640-no-audio") || ok && (!hasCard(facts, studio.Device) || !strings.Contains(told, studio.Name)) {
					t.Errorf("studio card %q: %s", studio.Device, told)
				}
				for _, u := range p.Units {
					if strings.HasPrefix(u, "jackd") {
						t.Errorf("%s is none of the system's units", u)
					}
				}
			})
		}
	}
}

func TestHasCard(t *testing.T) {
	facts := &hwdetect.Facts{Cards: []hwdetect.Card{
		{Index: 0, PCI: hwdetect.Is("0000:00:1b.0")}, {Index: 3, USB: hwdetect.Is("1-2"), PCI: hwdetect.Is("0000:00:14.0")}, {Index: 4, FireWire: hwdetect.Is("fw1.0")},
	}}
	for device, want := range map[string]bool{"PCI 0000:00:1b.0": true, "USB 1-2": true, "FireWire fw1.0": true, "card 3": true, "USB 1-3": false, "card 1": false, "": false} {
		if got := hasCard(facts, device); got != want {
			t.Errorf("hasCard(%q) = %v, want %v", device, got, want)
		}
	}
}

// TestWriteSettings writes what is new over what is there, whatever it was, and
// takes away what is no more. Again it is the same.
func TestWriteSettings(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"etc/a", "etc/gone", "etc/was-file"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte("old"), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/null", filepath.Join(dir, "etc/was-link")); err != nil {
		t.Fatal(err)
	}
	p := &tuning.Plan{
		Files: map[string]machine.File{"etc/a": {Mode: 0o600, Text: "new"}, "etc/b/c.conf": {Mode: 0o644, Text: "c"}, "etc/was-link": {Mode: 0o644, Text: "file"}},
		Links: map[string]string{"etc/was-file": "/x", "etc/w.wants/u.service": "/etc/u.service"},
		Gone:  []string{"etc/gone", "etc/never-there"},
	}
	want := map[string]string{"etc/a": "-rw------- new", "etc/b/c.conf": "-rw-r--r-- c", "etc/was-link": "-rw-r--r-- file", "etc/was-file": "→ /x", "etc/w.wants/u.service": "→ /etc/u.service"}
	for range 2 {
		if err := writeSettings(dir, p); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, _ := filepath.Rel(dir, file)
			if target, err := os.Readlink(file); err == nil {
				got[name] = "→ " + target
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			data, err := os.ReadFile(file)
			got[name] = info.Mode().String() + " " + string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestTunedText(t *testing.T) {
	plan := &tuning.Plan{UserUnits: []string{"jackd.service"}, Waits: []string{"The kernel gets the parameters nosmt."}}
	first := tunedText(advice.Advice{}, plan, plan, false)
	again := tunedText(advice.Advice{Starts: []advice.Start{{Studio: true, Name: "X (1:2)"}}}, &tuning.Plan{}, plan, true)
	for _, c := range []struct{ said, want, never string }{
		{first, "An installation changes, besides: The kernel gets the parameters nosmt.\n", "systemctl"},
		{first, "no sound card", "X (1:2)"},
		{again, "systemctl --user restart jackd.service\n", "An installation"},
		{again, "and to X (1:2). ", "no sound card"},
	} {
		if !strings.Contains(c.said, c.want) || strings.Contains(c.said, c.never) {
			t.Errorf("said %q, want %q and not %q", c.said, c.want, c.never)
		}
	}
}
