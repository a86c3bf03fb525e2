package advice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reprise/hwdetect"
	"reprise/internal/config"
)

// setsApart are parameters that take CPUs away from something.
var setsApart = []string{"isolcpus", "nohz_full", "irqaffinity", "rcu_nocbs"}

// risky are parameters that only people choose.
var risky = []string{"mitigations", "nosmt", "isolcpus", "nohz_full", "idle", "pcie_aspm", "audit"}

// check holds what is true of advice on any machine.
func check(t *testing.T, f *hwdetect.Facts, want Wants) {
	t.Helper()
	before := mustJSON(t, f)
	a := Advise(f, want)
	text := a.Jsonnet()
	if after := mustJSON(t, f); after != before {
		t.Fatalf("Advise changed the facts")
	}
	if again := Advise(f, want); !bytes.Equal(again.Jsonnet(), text) || again.Text() != a.Text() || mustJSON(t, again) != mustJSON(t, a) {
		t.Errorf("the same facts gave two kinds of advice")
	}
	if strings.Contains(mustJSON(t, a), `:null`) {
		t.Errorf("a list is null in JSON: %s", mustJSON(t, a))
	}
	threads := map[int]bool{}
	for _, c := range f.CPU.Core {
		for _, n := range c.Threads {
			threads[n] = true
		}
	}
	house := map[int]bool{}
	for _, s := range a.Settings {
		if len(s.Reasons) == 0 || slices.Contains(s.Reasons, "") || s.Rule == "" || s.Source == "" {
			t.Errorf("no reason, rule or source: %+v", s)
		}
		if e, ok := EffectOf(s); !ok || e.Where == "" {
			t.Errorf("nobody knows where %s acts", s.Option)
		}
		if s.Offered == (s.Risk == "") {
			t.Errorf("an offer has a risk, and nothing else has one: %+v", s)
		}
		param, _ := s.Value.(string)
		if s.Option != "boot.kernelParams" {
			continue
		}
		name, value, _ := strings.Cut(param, "=")
		if !s.Offered && slices.Contains(risky, name) {
			t.Errorf("%s is chosen", param)
		}
		if !slices.Contains(setsApart, name) {
			continue
		}
		if n := len(performance(f)); n < minCores || f.CPU.Cores.Or(n) < minCores {
			t.Errorf("%s with %d cores", param, n)
		}
		value = strings.TrimPrefix(value, "managed_irq,domain,")
		for _, n := range parseRanges(t, value) {
			if !threads[n] {
				t.Errorf("%s names CPU %d, which is not there", param, n)
			}
			switch name {
			case "irqaffinity":
				house[n] = true
			case "rcu_nocbs", "isolcpus", "nohz_full":
				if house[n] {
					t.Errorf("%s names CPU %d, which serves interrupts", param, n)
				}
			}
		}
	}
	studios := 0
	for i, s := range a.Starts {
		if s.Studio {
			if studios++; i != 0 {
				t.Errorf("the studio card is number %d", i)
			}
		}
		if s.Rate <= 0 || s.Period <= 0 || s.Period&(s.Period-1) != 0 || s.Periods < 2 || len(s.Why) == 0 {
			t.Errorf("start value %+v", s)
		}
		if s.unit != nil && s.Periods < 3 {
			t.Errorf("FireWire with %d periods", s.Periods)
		}
	}
	for line := range strings.Lines(string(text)) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "//") && runes(strings.TrimSuffix(line, "\n")) > columns && !strings.HasPrefix(line, "// + ") && strings.Count(trimmed, " ") > 1 {
			t.Errorf("a comment is longer than %d columns: %s", columns, line)
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func parseRanges(t *testing.T, s string) []int {
	t.Helper()
	var all []int
	for part := range strings.SplitSeq(s, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		a, err1 := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || a > b {
			t.Errorf("%q is no list of CPUs", s)
			return nil
		}
		for n := a; n <= b; n++ {
			all = append(all, n)
		}
	}
	return all
}

// hostile are names that devices may give themselves.
var hostile = []string{"", "X", "\n}\n", "'; error 'x", "\"%s\"", "it's \\ odd", "\x00\x1b[31m", "日本語", strings.Repeat("long ", 60), "a\u2028b", "*/ //", "$(reboot)", "\xff\xfe"}

// random makes a machine that nobody has.
func random(r *rand.Rand) *hwdetect.Facts {
	pick := func(names []string) string { return names[r.IntN(len(names))] }
	maybe := func() bool { return r.IntN(2) == 0 }
	f := &hwdetect.Facts{}
	for _, kind := range []hwdetect.CoreKind{hwdetect.Uniform, hwdetect.Performance, hwdetect.Efficiency, hwdetect.LowPower} {
		if maybe() {
			cores(f, kind, r.IntN(10), 1+r.IntN(2))
		}
	}
	if maybe() {
		f.CPU.Cores = is(r.IntN(12))
	}
	f.CPU.Model = is(pick(hostile))
	if maybe() {
		f.CPU.Scaling = hwdetect.Scaling{Driver: is(pick([]string{"intel_pstate", "acpi-cpufreq", "amd-pstate-epp", pick(hostile)})), Governors: []string{"performance", pick([]string{"powersave", "schedutil", "ondemand"})}}
	}
	for range r.IntN(4) {
		f.CPU.Idle.States = append(f.CPU.Idle.States, hwdetect.IdleState{Name: pick(hostile), LatencyMicros: is(r.IntN(1000))})
	}
	f.CPU.Vulnerabilities = []hwdetect.Vulnerability{{Name: pick(hostile), State: pick([]string{"Mitigation: x", "Not affected", "Vulnerable"})}}
	if maybe() {
		f.Virtual.Guest = is(maybe())
		f.Virtual.Hypervisor = is(pick(hostile))
	}
	if maybe() {
		f.Power = hwdetect.Power{Laptop: is(maybe()), OnBattery: is(maybe()), Batteries: []hwdetect.Battery{{Name: pick(hostile)}}}
	}
	f.Chassis = hwdetect.Chassis{Vendor: is(pick(hostile)), Product: is(pick(hostile))}
	if maybe() {
		f.GPUs = []hwdetect.GPU{{Name: is(pick(hostile)), NVIDIA: maybe()}}
	}
	if maybe() {
		f.Disks = []hwdetect.Disk{{Name: "sda", Model: is(pick(hostile)), Rotates: is(maybe())}}
	}
	for i := range 1 + r.IntN(3) {
		xhci(f, fmt.Sprintf("0000:%02x:00.0", i+1), r.IntN(7))
	}
	for i := range r.IntN(5) {
		d := scarlett(fmt.Sprintf("1-%d", i+1))
		d.ID = hwdetect.ID{Vendor: uint16(r.IntN(1 << 16)), Product: uint16(r.IntN(4))}
		d.Manufacturer, d.Product = is(pick(hostile)), is(pick(hostile))
		d.Role = []hwdetect.USBRole{hwdetect.USBInterface, hwdetect.USBWebcam, hwdetect.USBOnboard, hwdetect.USBMIDI, hwdetect.USBOther}[r.IntN(5)]
		d.SpeedMbps = is([]float64{12, 480, 5000}[r.IntN(3)])
		plug(f, f.USBControllers[r.IntN(len(f.USBControllers))].Name, d)
		if maybe() {
			c := usbCard(f, i, pick(append(hostile, "USB", "USB_1", "Pro24012345")), f.USB[len(f.USB)-1], []hwdetect.CardRole{hwdetect.RoleInterface, hwdetect.RoleWebcam, hwdetect.RoleMIDI, hwdetect.RoleUnusable}[r.IntN(4)], 44100, 48000+r.IntN(3)*48000)
			c.Twin = maybe()
			f.Cards = append(f.Cards, c)
		}
	}
	if maybe() {
		f.PCI = append(f.PCI, hwdetect.PCIDevice{Address: "0002:07:06.0", Conventional: maybe(), Removable: maybe(), Sound: hwdetect.SoundCard, Name: is(pick(hostile)), ID: hwdetect.ID{Vendor: 0x1412}})
	}
	if maybe() {
		ids := []string{"104c:823f", "1106:3044", "1180:e832", "197b:2380", "dead:beef"}
		c := firewire(f, "0000:05:00.0", pick(ids), pick(hostile), unit(pick([]string{"snd_dice", "snd_bebob", "snd_oxfw"}), pick(hostile), pick(hostile), pick(hostile), 1, 2, 3))
		if maybe() {
			c.Bridge, c.RebootsOnCycleTimer = is(asm1083), hwdetect.Known[bool]{}
		}
		if maybe() {
			c.IRQs = []hwdetect.CardIRQ{{Number: 19, Shared: []string{pick(hostile)}}}
		}
	}
	f.MissingFirmware = []hwdetect.MissingFirmware{{File: pick(hostile)}}
	f.Silent = []hwdetect.Silent{{Device: "1-1", Name: is(pick(hostile)), Reason: hwdetect.NoModule}}
	return f
}

func TestProperties(t *testing.T) {
	all := machines()
	maps.Copy(all, facts(t))
	for name, f := range all {
		for _, server := range []Server{JACK, PipeWire, NoServer} {
			t.Run(name+" "+string(server), func(t *testing.T) { check(t, f, Wants{Server: server}) })
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 1500 {
		f := random(r)
		want := Wants{Server: []Server{JACK, PipeWire, NoServer}[i%3]}
		if i%4 == 0 {
			want.Carried = []string{"pciutils"}
		}
		t.Run(fmt.Sprint("random ", i), func(t *testing.T) { check(t, f, want) })
	}
}

// Output always evaluates, whatever devices call themselves, and the offers
// do, too, once the slashes before them are gone.
func TestRandomMachinesEvaluate(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 36 {
		server := []Server{JACK, PipeWire, NoServer}[i%3]
		a := Advise(random(r), Wants{Server: server})
		text := string(a.Jsonnet())
		if _, err := evaluate(t, server, text, strings.ReplaceAll(text, "\n// + {", "\n+ {")); err != nil {
			t.Errorf("random %d with %q: %v\n%s", i, server, err, text)
		}
	}
}

// effective is what is built of a configuration: the options that modules have
// turned into others are left out.
func effective(c *config.Config) string {
	e := *c
	e.Musnix, e.PowerManagement, e.Hardware = config.Musnix{}, config.PowerManagement{}, config.Hardware{}
	e.Services.Jack, e.Services.Pipewire = config.Jack{}, config.Pipewire{}
	e.Boot.BlacklistedKernelModules, e.Boot.ExtraModprobeConfig = nil, ""
	return string(e.Canonical()) + strings.Join(c.Roots(), " ")
}

// Without any one of the settings that are chosen, another system is built: on
// a configuration that tunes nothing, or on the profile. That all of this
// reaches the machine is held by internal/effect/machine.
func TestEverySettingHasAnEffect(t *testing.T) {
	bare := map[Server]string{
		JACK:     "{ services: { jack: { jackd: { enable: true } } }, users: { users: { rig: { extraGroups: ['audio'] } } } }",
		PipeWire: "{ services: { pipewire: { enable: true } } }",
	}
	old := maps.Clone(base)
	defer func() { maps.Copy(base, old) }()
	seen := map[string]bool{}
	for name, f := range machines() {
		for _, server := range []Server{JACK, PipeWire} {
			a := Advise(f, Wants{Server: server})
			for i, s := range a.Settings {
				key := string(server) + s.Option + compact(s.Value)
				if s.Offered || seen[key] {
					continue
				}
				seen[key] = true
				without := a
				without.Settings = slices.Delete(slices.Clone(a.Settings), i, i+1)
				acts := false
				for _, program := range []string{bare[server], old[server]} {
					base[server] = program
					with, err := evaluate(t, server, string(a.Jsonnet()))
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					// A contradiction without it is an effect, too.
					rest, err := evaluate(t, server, string(without.Jsonnet()))
					if acts = err != nil || effective(with) != effective(rest); acts {
						break
					}
				}
				if !acts {
					t.Errorf("%s: %s: %v does nothing", name, s.Option, s.Value)
				}
			}
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d settings were tried", len(seen))
	}
}

// Every option that advice knows of is an option of package config.
func TestEffectsAreOptions(t *testing.T) {
	names := map[string]bool{}
	for _, o := range config.Options() {
		name, _, _ := strings.Cut(o.Name, ".<")
		names[name] = true
	}
	for _, e := range Effects() {
		if !names[e.Option] {
			t.Errorf("%s is no option", e.Option)
		}
	}
	// Packages of options are those that the options bring.
	for _, e := range Effects() {
		for _, v := range []any{true, false} {
			for _, p := range PackagesFor(Setting{Option: e.Option, Value: v}) {
				if !slices.Contains(Packages(), p) {
					t.Errorf("%s of %s is not among all packages", p, e.Option)
				}
			}
		}
	}
}

func TestPackagesAreThoseOfTheOptions(t *testing.T) {
	for option, value := range map[string]any{
		"hardware.enableRedistributableFirmware": true, "musnix.ffado.enable": true, "musnix.rtirq.enable": true,
		"musnix.soundcardPciId": "0000:03:04.0", "musnix.kernel.realtime": true,
		"hardware.cpu.amd.updateMicrocode": true, "hardware.cpu.intel.updateMicrocode": true,
	} {
		s := Setting{Option: option, Value: value, Reasons: []string{"x"}}
		plain, err := evaluate(t, NoServer, "{}")
		if err != nil {
			t.Fatal(err)
		}
		got, err := evaluate(t, NoServer, string(Advice{Settings: []Setting{s}}.Jsonnet()))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got.Roots() {
			if !slices.Contains(plain.Roots(), p) && !slices.Contains(PackagesFor(s), p) {
				t.Errorf("%s brings %s, and PackagesFor does not say so", option, p)
			}
		}
	}
}

func TestPath(t *testing.T) {
	for option, want := range map[string][]string{
		"musnix.enable":                                   {"musnix", "enable"},
		`boot.kernel.sysctl["vm.swappiness"]`:             {"boot", "kernel", "sysctl", "vm.swappiness"},
		`a["b c"]["d"].e`:                                 {"a", "b c", "d", "e"},
		`services.x["90-hardware"]["context.properties"]`: {"services", "x", "90-hardware", "context.properties"},
	} {
		if got := Path(option); !slices.Equal(got, want) {
			t.Errorf("Path(%s) = %q, want %q", option, got, want)
		}
	}
}

// FuzzAdvise holds the properties for any facts at all.
func FuzzAdvise(f *testing.F) {
	for _, m := range machines() {
		data, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "jack")
		f.Add(data, "pipewire")
	}
	f.Fuzz(func(t *testing.T, data []byte, server string) {
		var facts hwdetect.Facts
		if len(data) > 1<<16 || json.Unmarshal(data, &facts) != nil {
			return
		}
		check(t, &facts, Wants{Server: Server(server)})
	})
}
