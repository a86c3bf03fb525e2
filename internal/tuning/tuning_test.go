package tuning

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
	"reprise/hwdetect/advice"
	"reprise/internal/config"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	config.EvalMain()
	os.Exit(m.Run())
}

func evaluated(t *testing.T, profile, more string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "configuration.jsonnet")
	if err := os.WriteFile(file, []byte("(import 'reprise/"+profile+".jsonnet') + "+more), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Evaluate(t.Context(), file, config.EvalOptions{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, more)
	}
	return cfg
}

// text is a plan for people.
func (p *Plan) text() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		fmt.Fprintf(&b, "--- %s %04o\n%s", name, p.Files[name].Mode, p.Files[name].Text)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Links)) {
		fmt.Fprintf(&b, "--- %s → %s\n", name, p.Links[name])
	}
	fmt.Fprintf(&b, "=== gone: %q\nrules: %v\nparameters: %v\nstop: %q\nrestart: %q\nof people: %q\n", p.Gone, p.Rules, p.Parameters, p.Stops, p.Units, p.UserUnits)
	for _, w := range p.Waits {
		b.WriteString("waits: " + w + "\n")
	}
	return b.String()
}

// machines are described ones that between them have every kind of advice.
var machines = []string{
	"usb-motu-m4",                           // an interface, by its name
	"fw-via-asm1083-ryzen3700x-lightbridge", // must not be touched
	"fw-rme-fireface802-ryzen3950x",         // FireWire
	"pci-dual-delta1010lt",                  // the bus, and a name that moves
	"gpu-nvidia-4070ti-rt",                  // another kernel
	"laptop-amd-acp-huawei",                 // battery
	"vm-virtualbox",                         // a guest
	"server-xeon-l5640-no-audio",            // no card
	"hda-ryzen1600",                         // a codec that naps
}

// TestGolden tunes the profiles to described machines. There and back again
// nothing is left, and the same twice is nothing at all.
func TestGolden(t *testing.T) {
	for _, profile := range []string{"live-rig", "studio"} {
		plain := evaluated(t, profile, "{}")
		for _, name := range machines {
			data, err := os.ReadFile("../../hwdetect/testdata/machines/" + name + ".golden.json")
			if err != nil {
				t.Fatal(err)
			}
			facts := &hwdetect.Facts{}
			if err := json.Unmarshal(data, facts); err != nil {
				t.Fatal(err)
			}
			t.Run(profile+"/"+name, func(t *testing.T) {
				advised := evaluated(t, profile, string(advice.Advise(facts, advice.ForProfile(profile)).Jsonnet()))
				p, err := Make(plain, advised)
				if err != nil {
					t.Fatal(err)
				}
				golden := "testdata/" + name + "." + profile + ".txt"
				got := p.text()
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", golden, diff)
				}
				if same, err := Make(advised, advised); err != nil || !same.Empty() || len(same.Units)+len(same.Stops)+len(same.Parameters) > 0 {
					t.Errorf("the same configuration: %+v, %v", same, err)
				}
				back, err := Make(advised, plain)
				if err != nil {
					t.Fatal(err)
				}
				for name := range p.Files {
					if _, written := back.Files[name]; !written && !slices.Contains(back.Gone, name) {
						t.Errorf("%s stays when the machine is another one", name)
					}
				}
				for name := range p.Links {
					if !slices.Contains(back.Gone, name) && back.Links[name] == "" {
						t.Errorf("%s stays when the machine is another one", name)
					}
				}
			})
		}
	}
}

// A unit that is there no more is stopped, one that is masked too.
func TestStops(t *testing.T) {
	on := evaluated(t, "live-rig", "{ powerManagement+: { maxIdleLatency: 50 } }")
	for _, off := range []string{"{}", "{ powerManagement+: { maxIdleLatency: 50 }, systemd+: { units+: { 'cpu-latency.service': { enable: false } } } }"} {
		p, err := Make(on, evaluated(t, "live-rig", off))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.Stops, []string{"cpu-latency.service"}) || slices.Contains(p.Units, "cpu-latency.service") {
			t.Errorf("%s: stop %q, start %q", off, p.Stops, p.Units)
		}
	}
}

func TestParameters(t *testing.T) {
	got := parameters("# a comment\noptions snd-hda-intel power_save=10 power_save_controller=Y\noptions snd_hda_intel power_save=0\n" +
		"install x /bin/true\nblacklist y\noptions z\noptions ../z a=b\noptions z ../a=b flag =c d=\n")
	want := []Parameter{{"snd_hda_intel", "power_save_controller", "Y"}, {"snd_hda_intel", "power_save", "0"}, {"z", "d", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
}

func TestUnitOf(t *testing.T) {
	for name, want := range map[string]string{
		"etc/systemd/system/cpu-latency.service":                         "cpu-latency.service",
		"etc/systemd/system/multi-user.target.wants/cpu-latency.service": "cpu-latency.service",
		"etc/systemd/system/jackd.service.d/cores.conf":                  "jackd.service",
		"etc/systemd/system/getty@.service.d/autologin.conf":             "",
		"etc/default/rtirq": "",
	} {
		got, ok := unitOf(name, "etc/systemd/system/")
		if ok != (want != "") || ok && got != want {
			t.Errorf("unitOf(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
}
