package tui

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
	"reprise/hwdetect/advice"
	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/latency"
	"reprise/installer/plan"
	"reprise/internal/config"
	"reprise/internal/progress"
	"reprise/store/storepath"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	config.EvalMain()
	os.Exit(m.Run())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func storePath(t testing.TB, name string) storepath.Path {
	t.Helper()
	p, err := storepath.MakeText(name, []byte(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func medium(t testing.TB) *plan.Medium {
	libc, rig, studio := storePath(t, "libc6"), storePath(t, "system-live-rig"), storePath(t, "system-studio")
	m := &plan.Medium{
		Version: plan.MediumVersion, Label: "REPRISE",
		Systems: []plan.System{
			{Name: "studio", Title: "a desktop with Ardour, Guitarix and PipeWire", Configuration: "studio", Path: studio, Host: "studio", KernelVersion: "6.12.57+deb13-rt-amd64", Realtime: true, Closure: []storepath.Path{libc, studio}},
			{Name: "live-rig", Title: "a box for the stage, without a screen", Configuration: "live-rig", Path: rig, Host: "live-rig", KernelVersion: "6.12.57+deb13-amd64", Closure: []storepath.Path{libc, rig}},
		},
		Paths: []plan.Path{{Path: libc, Size: 600 << 20}, {Path: rig, Size: 5 << 20, Refs: []storepath.Path{libc}}, {Path: studio, Size: 3 << 30, Refs: []storepath.Path{libc}}},
	}
	slices.SortFunc(m.Paths, func(a, b plan.Path) int { return storepath.Compare(a.Path, b.Path) })
	return m
}

// facts are those of a machine that package hwdetect describes.
func facts(t testing.TB, name string) *hwdetect.Facts {
	t.Helper()
	data, err := os.ReadFile("../hwdetect/testdata/machines/" + name + ".golden.json")
	if err != nil {
		t.Fatal(err)
	}
	f := &hwdetect.Facts{}
	if err := json.Unmarshal(data, f); err != nil {
		t.Fatal(err)
	}
	return f
}

const gib = 1 << 30

// links are what package network says of a machine with one cable.
var links = []string{"eth0 (52:54:00:12:34:56): address 192.168.7.20/24", "eth1 (52:54:00:12:34:57): no cable is in"}

func disks() []plan.Disk {
	return []plan.Disk{
		{Path: "/dev/nvme0n1", Model: "Samsung SSD 980", Serial: "S4EWNX0R", SizeBytes: 500107862016, SectorBytes: 512, Bus: "nvme", Partitions: []plan.Partition{
			{Path: "/dev/nvme0n1p1", SizeBytes: 100 << 20, Holds: "vfat", Label: "SYSTEM", Windows: true},
			{Path: "/dev/nvme0n1p2", SizeBytes: 400 * gib, Holds: "ntfs", Label: "Windows"},
		}},
		{Path: "/dev/sda", Model: "Old disk", Serial: "WD-1", SizeBytes: 2 * gib, SectorBytes: 512},
		{Path: "/dev/sdb", Model: "Member", Serial: "WD-2", SizeBytes: 1000 * gib, SectorBytes: 512, Holds: "LVM2_member"},
		{Path: "/dev/sdc", Model: "Stick", Serial: "4C53", SizeBytes: 16 * gib, SectorBytes: 512, Removable: true, Medium: true},
	}
}

// A rig drives a model by keys. Only what writes to disks is made up.
type rig struct {
	t     testing.TB
	m     *Model
	disks []plan.Disk
	run   func(context.Context, Order, progress.Sink, func(plan.Name, installer.Status)) (*installer.Result, error)
	ran   []Order
	plans []answers.Answers

	measure func(ctx context.Context, profile string, watch func(latency.Result)) (Measured, error)
}

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func newRig(t testing.TB, machine string) *rig {
	r := &rig{t: t, disks: disks()}
	known := facts(t, machine)
	carried := medium(t)
	r.run = func(_ context.Context, o Order, _ progress.Sink, report func(plan.Name, installer.Status)) (*installer.Result, error) {
		for _, s := range o.Plan.Steps {
			report(s.Name, installer.Started)
			report(s.Name, installer.Done)
		}
		return &installer.Result{Generation: 1}, nil
	}
	r.measure = func(_ context.Context, _ string, watch func(latency.Result)) (Measured, error) {
		half := measuredRig(15)
		watch(*half)
		return Measured{Result: measuredRig(30), Kept: []latency.Result{measuredStock()}}, nil
	}
	o := Options{Medium: carried, Ends: []End{Reboot, PowerOff, Shell}, Log: "/run/reprise/install.log", Links: func() []string { return links }}
	o.Actions = Actions{
		Look: func(context.Context) (Looked, error) {
			return Looked{known, r.disks, map[string][]string{"live-rig": {"rig"}}}, nil
		},
		Plan: func(_ context.Context, a answers.Answers) (*plan.Plan, error) {
			r.plans = append(r.plans, a)
			return plan.Make(plan.Request{Answers: a, Machine: plan.Machine{MemoryBytes: 8 * gib, Now: noon, UEFI: true}, Disks: r.disks, Medium: carried, KernelBytes: 12 << 20, InitrdBytes: 40 << 20})
		},
		Files: func(_ context.Context, p *plan.Plan) (map[string][]byte, error) {
			return map[string][]byte{
				plan.HardwareFile:           advice.Advise(known, advice.ForProfile(p.System)).Jsonnet(),
				installer.ConfigurationFile: plan.Configuration(p.Answers, p.Host, plan.Base{System: carried.System(p.System), Hardware: true}),
				"reprise.lock":              []byte("{}\n"),
			}, nil
		},
		Run: func(ctx context.Context, o Order, sink progress.Sink, report func(plan.Name, installer.Status)) (*installer.Result, error) {
			r.ran = append(r.ran, o)
			return r.run(ctx, o, sink, report)
		},
		Measure: func(ctx context.Context, profile string, watch func(latency.Result)) (Measured, error) {
			return r.measure(ctx, profile, watch)
		},
		Keyboard: func(context.Context, string) error { return nil },
		Hash:     func(password string) (string, error) { return "$6$saltsalt$" + strings.Repeat("x", 86), nil },
	}
	r.m = New(context.Background(), o)
	r.m.now = func() time.Time { return noon }
	r.do(r.m.Init())
	r.m.Update(linksMsg(links))
	r.size(80, 24)
	return r
}

func (r *rig) size(width, height int) { r.m.Update(tea.WindowSizeMsg{Width: width, Height: height}) }

// do carries commands out, but the ticks of a screen.
func (r *rig) do(cmd tea.Cmd) {
	for cmd != nil {
		msg := cmd()
		if batch, ok := msg.(tea.BatchMsg); ok {
			msg = batch[0]()
		}
		_, cmd = r.m.Update(msg)
	}
}

var codes = map[string]rune{
	"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
	"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace, "delete": tea.KeyDelete,
	"f2": tea.KeyF2, "f3": tea.KeyF3, "f4": tea.KeyF4, "f5": tea.KeyF5,
}

// key is the message of a key by its name, or of a letter.
func key(name string) tea.KeyPressMsg {
	if rest, ok := strings.CutPrefix(name, "ctrl+"); ok {
		if code, ok := codes[rest]; ok {
			return tea.KeyPressMsg{Code: code, Mod: tea.ModCtrl}
		}
		return tea.KeyPressMsg{Code: []rune(rest)[0], Mod: tea.ModCtrl}
	}
	if name == "shift+tab" {
		return tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift}
	}
	if code, ok := codes[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// press presses keys; a word in quotes is typed letter by letter.
func (r *rig) press(keys ...string) {
	r.t.Helper()
	for _, k := range keys {
		if word, ok := strings.CutPrefix(k, "'"); ok {
			for _, l := range word {
				_, cmd := r.m.Update(key(string(l)))
				r.do(cmd)
			}
			continue
		}
		_, cmd := r.m.Update(key(k))
		r.do(cmd)
	}
}

// screen is what a terminal without colours shows, with the place of the cursor.
func (r *rig) screen() string {
	v := r.m.View()
	var b strings.Builder
	for _, l := range strings.Split(ansi.Strip(v.Content), "\n") {
		b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	return b.String()
}

// at is the step that is asked.
func (r *rig) at() string {
	p, ok := r.m.screen()
	if !ok {
		return map[mode]string{waiting: "waiting", editing: "editing", running: "running", measuring: "measuring"}[r.m.mode]
	}
	return p.id
}

func (r *rig) want(step string) {
	r.t.Helper()
	if got := r.at(); got != step {
		r.t.Fatalf("at %q, want %q:\n%s", got, step, r.screen())
	}
}

// to answers everything up to a step.
func (r *rig) to(step string) {
	r.t.Helper()
	for _, s := range []struct {
		id   string
		keys []string
	}{
		{stepWelcome, []string{"enter"}},
		{stepLanguage, []string{"'german (ge", "enter"}},
		{stepKeyboard, []string{"'de-latin1", "enter"}},
		{stepNetwork, []string{"enter"}},
		{stepMachine, []string{"enter"}},
		{stepProfile, []string{"enter"}},
		{stepDisk, []string{"down", "enter"}},
		{stepEncryption, []string{"enter", "down", "enter", "'correct horse", "enter", "'correct horse", "enter"}},
		{stepPerson, []string{"enter", "ctrl+u", "'ada", "enter", "'Ada L", "enter", "'secret", "enter", "'secret", "enter", "enter"}},
		{stepZone, []string{"'berlin", "enter"}},
		{stepReview, []string{"enter"}},
		{stepConfirm, []string{"'S4EWNX0R", "enter"}},
		{"done", nil},
	} {
		r.want(s.id)
		if s.id == step {
			return
		}
		r.press(s.keys...)
	}
	r.t.Fatalf("no step %q", step)
}
