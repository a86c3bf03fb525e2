package esp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/bootentry"
	"reprise/internal/progress"
)

var options = bootentry.Options{RootPARTUUID: "1d3cbb3f-bc24-8983-a395-9507cf9c8869", Timeout: 3}

const imageBytes = 3*sector + 7

// content is the image that a letter stands for.
func content(letter string) []byte { return bytes.Repeat([]byte(letter), imageBytes) }

func digest(letter string) string {
	sum := sha256.Sum256(content(letter))
	return hex.EncodeToString(sum[:])
}

// sources puts images where a plan can copy them from.
func sources(t testing.TB, letters string) map[string]Source {
	dir, all := t.TempDir(), map[string]Source{}
	for _, letter := range strings.Split(letters, "") {
		file := filepath.Join(dir, letter)
		if err := os.WriteFile(file, content(letter), 0o600); err != nil {
			t.Fatal(err)
		}
		all[digest(letter)] = Source{file, imageBytes}
	}
	return all
}

// generation has a kernel and an initrd by letters.
func generation(n int, kernel, initrd string) bootentry.Generation {
	return bootentry.Generation{
		Number: n, System: fmt.Sprintf("/nix/store/%032d-system-rig", n), Host: "rig",
		Kernel: digest(kernel), Initrd: digest(initrd), Params: []string{"quiet"},
	}
}

// with is g with another role.
func with(g bootentry.Generation, change func(*bootentry.Generation)) bootentry.Generation {
	change(&g)
	return g
}

func isDefault(g *bootentry.Generation) { g.Default = true }
func onTrial(g *bootentry.Generation)   { g.Tries = 3 }

// disk is an ESP that holds generations as an installer writes it.
func disk(t testing.TB, total int64, generations ...bootentry.Generation) *memory {
	files := map[string][]byte{"EFI/BOOT/BOOTX64.EFI": []byte("shim"), "loader/entries/debian.conf": []byte("linux /vmlinuz\n")}
	list, err := bootentry.Files(generations, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		files[f.Path] = f.Content
	}
	letters := map[string]string{}
	for _, letter := range strings.Split("klmnopqrstuvwxyz", "") {
		letters[digest(letter)] = letter
	}
	for _, g := range generations {
		files[bootentry.KernelPath(g.Kernel)] = content(letters[g.Kernel])
		files[bootentry.InitrdPath(g.Initrd)] = content(letters[g.Initrd])
	}
	return newMemory(total, files)
}

func read(t testing.TB, f FS) State {
	t.Helper()
	s, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t testing.TB, f FS, p Plan) {
	t.Helper()
	if err := Apply(t.Context(), f, p, progress.Discard); err != nil {
		t.Fatal(err)
	}
}

// choices are what the two loaders start; 0 for nothing.
func choices(t testing.TB, m *memory) (uefi, bios int) {
	t.Helper()
	s := read(t, m)
	for _, f := range []struct {
		firmware Firmware
		into     *int
	}{{UEFI, &uefi}, {BIOS, &bios}} {
		c, err := Choose(s, f.firmware)
		if err != nil {
			t.Errorf("%s: %v", f.firmware, err)
			continue
		}
		for _, image := range []string{c.Kernel, c.Initrd} {
			sum := sha256.Sum256(m.now[image])
			if _, hash, _ := strings.Cut(image, "-"); hex.EncodeToString(sum[:16]) != hash {
				t.Errorf("%s would start generation %d with %q, which is not whole", f.firmware, c.Number, image)
			}
		}
		*f.into = c.Number
	}
	return uefi, bios
}

const room = 1 << 20

// A change is something that is done to an ESP.
type change struct {
	name string
	disk func(t testing.TB) *memory
	plan func(s State, from map[string]Source) Plan
	// What the loaders start at the end, and what the following Make asks for.
	want  int
	after []bootentry.Generation
}

var (
	one   = generation(1, "k", "l")
	two   = generation(2, "k", "m")
	three = generation(3, "n", "o")
	four  = generation(4, "n", "p")
)

func changes() []change {
	failed := with(three, func(g *bootentry.Generation) { g.Done = 3 })
	tried := with(three, func(g *bootentry.Generation) { g.Tries, g.Done = 2, 1 })
	good := func(g bootentry.Generation) bootentry.Generation { return with(g, isDefault) }
	makes := func(generations ...bootentry.Generation) func(State, map[string]Source) Plan {
		return func(s State, from map[string]Source) Plan {
			return Make(s, Request{Generations: generations, Options: options, Sources: from})
		}
	}
	holds := func(generations ...bootentry.Generation) func(t testing.TB) *memory {
		return func(t testing.TB) *memory { return disk(t, room, generations...) }
	}
	return []change{
		{"a new one on trial", holds(one, good(two)), makes(one, good(two), with(three, onTrial)), 3, []bootentry.Generation{one, good(two), with(three, onTrial)}},
		{"a new one without trial", holds(good(one)), makes(one, good(three)), 3, []bootentry.Generation{one, good(three)}},
		{"a new one with the same kernel", holds(good(one)), makes(good(one), with(two, onTrial)), 2, []bootentry.Generation{good(one), with(two, onTrial)}},
		{"on trial after one that failed", holds(good(two), failed), makes(good(two), failed, with(four, onTrial)), 4, []bootentry.Generation{good(two), failed, with(four, onTrial)}},
		{"on trial in place of one on trial", holds(good(two), tried), makes(good(two), three, with(four, onTrial)), 4, []bootentry.Generation{good(two), three, with(four, onTrial)}},
		{"old ones go", holds(one, two, good(three)), makes(good(three)), 3, []bootentry.Generation{good(three)}},
		{"one comes, one goes", holds(one, good(two)), makes(good(two), with(three, onTrial)), 3, []bootentry.Generation{good(two), with(three, onTrial)}},
		{"the default goes", holds(one, good(two)), makes(good(one)), 1, []bootentry.Generation{good(one)}},
		{"an older default by Make", holds(one, two, good(three)), makes(good(one), two, three), 1, []bootentry.Generation{good(one), two, three}},
		{"an older default", holds(one, two, good(three)), func(s State, _ map[string]Source) Plan { return SetDefault(s, 1) }, 1, []bootentry.Generation{good(one), two, three}},
		{"a newer default", holds(good(one), two, three), func(s State, _ map[string]Source) Plan { return SetDefault(s, 3) }, 3, []bootentry.Generation{one, two, good(three)}},
		{"back from a trial", holds(one, good(two), tried), func(s State, _ map[string]Source) Plan { return SetDefault(s, 2) }, 2, []bootentry.Generation{one, good(two), three}},
		{"back past the default", holds(one, good(two), tried), func(s State, _ map[string]Source) Plan { return SetDefault(s, 1) }, 1, []bootentry.Generation{good(one), two, three}},
		{"a trial went well", holds(one, good(two), tried), func(s State, _ map[string]Source) Plan { return Bless(s, 3) }, 3, []bootentry.Generation{one, two, good(three)}},
		{"the last try went well", holds(one, good(two), failed), func(s State, _ map[string]Source) Plan { return Bless(s, 3) }, 3, []bootentry.Generation{one, two, good(three)}},
		{"a trial went well on a full ESP", func(t testing.TB) *memory {
			m := disk(t, room, one, good(two), tried)
			space, _ := m.Space()
			m.total -= space.Free
			return m
		}, func(s State, _ map[string]Source) Plan { return Bless(s, 3) }, 3, []bootentry.Generation{one, two, good(three)}},
		{"an older default on a full ESP", func(t testing.TB) *memory {
			m := disk(t, room, one, good(two), tried)
			space, _ := m.Space()
			m.total -= space.Free
			return m
		}, func(s State, _ map[string]Source) Plan { return SetDefault(s, 1) }, 1, []bootentry.Generation{good(one), two, three}},
	}
}

// TestPowerCuts cuts every change off before each of its steps. What lies on
// the disk then must start the old or the new generation, and the same change
// made again must succeed.
func TestPowerCuts(t *testing.T) {
	const tries = 10 // of parts that may have reached the disk
	cuts := 0
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			from := sources(t, "klmnopqr")
			m := c.disk(t)
			oldUEFI, oldBIOS := choices(t, m)
			plan := c.plan(read(t, m), from)
			run(t, m, plan)
			if uefi, bios := choices(t, m); uefi != c.want || bios != c.want {
				t.Fatalf("at the end UEFI starts %d and BIOS %d, want %d", uefi, bios, c.want)
			}
			moments := m.moments
			if len(m.pending) > 0 {
				t.Errorf("not on stable storage at the end: %s of %q", m.pending[0].what, m.pending[0].touched)
			}
			tidied := tidy(t, m, c.after, from)
			for cut, moment := range moments {
				for try := range tries {
					r := rand.New(rand.NewPCG(uint64(cut), uint64(try)))
					if try < 2 {
						r = nil
					}
					left := moment.after(try == 1, r)
					cuts++
					uefi, bios := choices(t, left)
					if uefi != oldUEFI && uefi != c.want || bios != oldBIOS && bios != c.want {
						t.Errorf("UEFI starts %d and BIOS %d, want %d, %d or %d", uefi, bios, oldUEFI, oldBIOS, c.want)
					}
					run(t, left, c.plan(read(t, left), from))
					if uefi, bios := choices(t, left); uefi != c.want || bios != c.want {
						t.Errorf("done again, UEFI starts %d and BIOS %d, want %d", uefi, bios, c.want)
					}
					if tidy(t, left, c.after, from) == tidied {
						if diff := cmp.Diff(settled(m.now), settled(left.now)); diff != "" {
							t.Errorf("done again, files differ (-at once +again):\n%s", diff)
						}
					}
					if t.Failed() {
						t.Fatalf("cut in step %d of %d, part %d of what was in flight", cut, len(moments), try)
					}
				}
			}
		})
	}
	t.Logf("%d cuts", cuts)
}

// tidy makes what the change before has left to the next; on a full ESP it
// does not.
func tidy(t testing.TB, m *memory, generations []bootentry.Generation, from map[string]Source) bool {
	t.Helper()
	plan := Make(read(t, m), Request{Generations: generations, Options: options, Sources: from})
	if len(plan.Problems) == 1 && strings.Contains(plan.Problems[0], "is full") || len(plan.Dropped) > 0 {
		return false
	}
	run(t, m, plan)
	return true
}

// settled is what of an ESP does not depend on the way there: all but which
// menu is in use and the order within menus.
func settled(files map[string][]byte) map[string]string {
	names := map[string]string{}
	for name, content := range files {
		switch {
		case content == nil || strings.HasPrefix(name, "grub/"):
		default:
			names[name] = fmt.Sprintf("%.2000s", content)
		}
	}
	return names
}

// TestFullESP makes generations until there is no more room, and further on.
func TestFullESP(t *testing.T) {
	letters := "klmnopqrstuvwxyz"
	from := sources(t, letters)
	// Text files, reserve and five images.
	m := disk(t, 0, with(generation(1, "k", "l"), isDefault))
	space, _ := m.Space()
	m.total = -space.Free + (reserveClusters+5+8)*cluster
	generations := []bootentry.Generation{generation(1, "k", "l")}
	for n := 2; n <= 10; n++ {
		s := read(t, m)
		generations = append(s.Carry(generations), with(generation(n, "k", letters[n:n+1]), onTrial))
		plan := Make(s, Request{Generations: generations, Options: options, Sources: from, Running: n - 1})
		run(t, m, plan)
		space, _ := m.Space()
		if space.Free < reserveClusters*cluster {
			t.Errorf("generation %d: %d bytes are free, want a reserve of %d", n, space.Free, reserveClusters*cluster)
		}
		t.Logf("generation %d: need %d of %d, dropped %v, %d bytes free", n, plan.Need, plan.Free, plan.Dropped, space.Free)
		if !slices.IsSorted(plan.Dropped) || slices.Contains(plan.Dropped, n) || slices.Contains(plan.Dropped, n-1) {
			t.Errorf("dropped %v for %d", plan.Dropped, n)
		}
		generations = slices.DeleteFunc(generations, func(g bootentry.Generation) bool { return slices.Contains(plan.Dropped, g.Number) })
		run(t, m, Bless(read(t, m), n))
		if uefi, bios := choices(t, m); uefi != n || bios != n {
			t.Errorf("UEFI starts %d, BIOS %d, want %d", uefi, bios, n)
		}
	}
	if len(generations) > 8 {
		t.Errorf("%d generations have their place: it was not full", len(generations))
	}
	// Without room for even one more beside the default, nothing is begun.
	space, _ = m.Space()
	m.total -= space.Free
	before := m.steps
	s := read(t, m)
	plan := Make(s, Request{Generations: append(s.Carry(generations), with(generation(11, "y", "z"), onTrial)), Options: options, Sources: from})
	if len(plan.Problems) != 1 || !strings.Contains(plan.Problems[0], "are needed, even without the old generations") {
		t.Errorf("problems %q", plan.Problems)
	}
	if err := Apply(t.Context(), m, plan, progress.Discard); err == nil || m.steps != before {
		t.Errorf("applied with error %v and %d steps", err, m.steps-before)
	}
	run(t, m, SetDefault(s, s.Numbers()[0]))
	if uefi, bios := choices(t, m); uefi != s.Numbers()[0] || bios != uefi {
		t.Errorf("back on a full ESP: UEFI starts %d, BIOS %d", uefi, bios)
	}
}

// TestDamage reads ESPs that something went wrong with, and makes them whole.
func TestDamage(t *testing.T) {
	good, trial := with(two, isDefault), with(three, func(g *bootentry.Generation) { g.Tries, g.Done = 2, 1 })
	want := []bootentry.Generation{one, good, trial}
	entry := func(name string) string { return bootentry.EntryDir + "/" + name }
	for name, c := range map[string]struct {
		harm       func(files map[string][]byte)
		uefi, bios int
		says       func(s State) any
		want       any
	}{
		"half-written temporary file": {func(f map[string][]byte) { f[entry(tempName)] = []byte("sort") }, 3, 3,
			func(s State) any { return s.Unfinished }, []string{entry(tempName)}},
		"torn entry": {func(f map[string][]byte) { f[entry("reprise-3+2-1.conf")] = f[entry("reprise-3+2-1.conf")][:200] }, 2, 3,
			func(s State) any { return s.Entries[2].Problem }, "it names no kernel"},
		"empty entry": {func(f map[string][]byte) { f[entry("reprise-3+2-1.conf")] = []byte{} }, 2, 3,
			func(s State) any { return s.Entries[2].Problem }, "it names no kernel"},
		"kernel that is not there": {func(f map[string][]byte) { delete(f, bootentry.KernelPath(three.Kernel)) }, 2, 2,
			func(s State) any { return s.Entries[2].Problem }, fmt.Sprintf("%q is not there", bootentry.KernelPath(three.Kernel))},
		"entry twice, both counted": {func(f map[string][]byte) { f[entry("reprise-3+1-2.conf")] = f[entry("reprise-3+2-1.conf")] }, 3, 3,
			func(s State) any { left, done := s.Tries(3); return [2]int{left, done} }, [2]int{1, 2}},
		"menu in use torn": {func(f map[string][]byte) { f["grub/menu-a.cfg"] = f["grub/menu-a.cfg"][:300] }, 3, 3,
			func(s State) any { return len(s.Menus) }, 1},
		"both menus lost": {func(f map[string][]byte) { delete(f, "grub/menu-a.cfg"); delete(f, "grub/menu-b.cfg") }, 3, 0,
			func(s State) any { return len(s.Menus) }, 0},
		"grubenv lost":       {func(f map[string][]byte) { delete(f, "grub/grubenv") }, 3, 2, func(s State) any { return s.EnvProblem != "" }, true},
		"grubenv of zeros":   {func(f map[string][]byte) { f["grub/grubenv"] = make([]byte, 1024) }, 3, 2, func(s State) any { return s.EnvProblem != "" }, true},
		"loader.conf lost":   {func(f map[string][]byte) { delete(f, "loader/loader.conf") }, 3, 3, func(s State) any { return s.Default() }, 2},
		"everything lost":    {func(f map[string][]byte) { clear(f); f["."] = nil }, 0, 0, func(s State) any { return len(s.Entries) }, 0},
		"half-written image": {func(f map[string][]byte) { f["reprise/kernel-"+strings.Repeat("0", 32)] = []byte("MZ") }, 3, 3, func(s State) any { return len(s.Images) }, 6},
		"files of others": {func(f map[string][]byte) {
			f["reprise/notes.txt"], f["loader/entries/x/y"], f["loader/entries/x"] = []byte("x"), []byte("y"), nil
		}, 3, 3,
			func(s State) any { return s.Foreign }, []string{"loader/entries/debian.conf", "loader/entries/x", "reprise/notes.txt"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := disk(t, room, want...)
			whole := maps.Clone(m.now)
			c.harm(m.now)
			m.stable = maps.Clone(m.now)
			foreign := maps.Clone(m.now)
			s := read(t, m)
			if diff := cmp.Diff(c.want, c.says(s)); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
			for firmware, want := range map[Firmware]int{UEFI: c.uefi, BIOS: c.bios} {
				if got, err := Choose(s, firmware); got.Number != want || (err == nil) != (want != 0) {
					t.Errorf("%s starts %d, %v, want %d", firmware, got.Number, err, want)
				}
			}
			run(t, m, Make(s, Request{Generations: want, Options: options, Sources: sources(t, "klmno")}))
			if uefi, bios := choices(t, m); uefi != 3 || bios != 3 {
				t.Errorf("mended, UEFI starts %d and BIOS %d, want 3", uefi, bios)
			}
			for name, content := range whole {
				_, was := foreign[name]
				if !was && !strings.HasPrefix(name, "reprise/") && !strings.HasPrefix(name, "grub") && !strings.HasPrefix(name, "loader") {
					continue // not ours to bring back
				}
				if name != "loader/entries/debian.conf" && !bytes.Equal(m.now[name], content) && name != "grub/grubenv" {
					t.Errorf("mended, %q differs: %.60q, want %.60q", name, m.now[name], content)
				}
			}
			for name, content := range m.now {
				if _, ours := whole[name]; !ours && (!bytes.Equal(foreign[name], content) || isImage.MatchString(filepath.Base(name))) {
					t.Errorf("mended, %q is there", name)
				}
			}
			if again := Make(read(t, m), Request{Generations: want, Options: options}); !again.Empty() {
				t.Errorf("mended again: %+v", again)
			}
		})
	}
}

// TestBlessAgain interrupts systemd-boot and Bless.
func TestBlessAgain(t *testing.T) {
	tried := with(three, func(g *bootentry.Generation) { g.Tries, g.Done = 2, 1 })
	m := disk(t, room, one, with(two, isDefault), tried)
	run(t, m, Bless(read(t, m), 3))
	if plan := Bless(read(t, m), 3); !plan.Empty() {
		t.Errorf("blessed again: %+v", plan)
	}
	// The entry with the count is there too.
	m.now["loader/entries/reprise-3+2-1.conf"] = disk(t, room, one, with(two, isDefault), tried).now["loader/entries/reprise-3+2-1.conf"]
	run(t, m, Bless(read(t, m), 3))
	if _, ok := m.now["loader/entries/reprise-3+2-1.conf"]; ok {
		t.Error("the entry with the count stayed")
	}
	if uefi, bios := choices(t, m); uefi != 3 || bios != 3 {
		t.Errorf("UEFI starts %d, BIOS %d", uefi, bios)
	}
	if c, err := Choose(read(t, m), UEFI); err != nil || c.Trial {
		t.Errorf("UEFI starts %+v, %v", c, err)
	}
	// One that was never on trial does not become the default by it.
	if plan := Bless(read(t, m), 1); !plan.Empty() {
		t.Errorf("blessing one that is not on trial: %+v", plan)
	}
	for _, plan := range []Plan{SetDefault(read(t, m), 9), Bless(State{Env: bootentry.Env{Trial: 9}}, 9)} {
		if len(plan.Problems) != 1 || !strings.Contains(plan.Problems[0], "generation 9 has no boot entry") {
			t.Errorf("plan %+v", plan)
		}
	}
}

// TestFailedTrialNeverWins counts down as the loaders do.
func TestFailedTrialNeverWins(t *testing.T) {
	m := disk(t, room, one, with(two, isDefault), with(three, onTrial))
	for _, name := range []string{"reprise-3+3.conf", "reprise-3+2-1.conf", "reprise-3+1-2.conf", "reprise-3+0-3.conf", "reprise-3+0-4.conf"} {
		for from := range m.now {
			if strings.HasPrefix(from, "loader/entries/reprise-3") {
				m.now["loader/entries/"+name] = m.now[from]
				if from != "loader/entries/"+name {
					delete(m.now, from)
				}
				break
			}
		}
		entry, _ := bootentry.ParseEntryName(name)
		left := entry.Left
		m.now[bootentry.GRUBEnv] = bootentry.Env{Menu: "a", Good: 2, Trial: 3, Left: left}.Encode()
		want := 3
		if left == 0 {
			want = 2
		}
		if uefi, bios := choices(t, m); uefi != want || bios != want {
			t.Errorf("%s: UEFI starts %d, BIOS %d, want %d", name, uefi, bios, want)
		}
	}
	// What was on trial is taken over as failed, and stays so beside new ones.
	s := read(t, m)
	carried := s.Carry([]bootentry.Generation{one, two, three})
	if !carried[2].Failed() || !carried[1].Default {
		t.Errorf("carried: %+v", carried)
	}
	run(t, m, Make(s, Request{Generations: append(carried, with(four, onTrial)), Options: options, Sources: sources(t, "klmnop")}))
	m.now["loader/entries/reprise-4+0-3.conf"] = m.now["loader/entries/reprise-4+3.conf"]
	delete(m.now, "loader/entries/reprise-4+3.conf")
	env := read(t, m).Env
	env.Left = 0
	m.now[bootentry.GRUBEnv] = env.Encode()
	if uefi, bios := choices(t, m); uefi != 2 || bios != 2 {
		t.Errorf("after two that failed UEFI starts %d and BIOS %d, want 2", uefi, bios)
	}
}

// TestCarryChangesNothing holds that what is read can be asked for again.
func TestCarryChangesNothing(t *testing.T) {
	tried := with(three, func(g *bootentry.Generation) { g.Tries, g.Done = 1, 2 })
	failed := with(four, func(g *bootentry.Generation) { g.Done = 3 })
	for _, list := range [][]bootentry.Generation{{one}, {one, with(two, isDefault), tried}, {with(one, isDefault), two, failed}} {
		m := disk(t, room, list...)
		s := read(t, m)
		bare := slices.Clone(list)
		for i := range bare {
			bare[i].Default, bare[i].Tries, bare[i].Done = false, 0, 0
		}
		if plan := Make(s, Request{Generations: s.Carry(bare), Options: options}); !plan.Empty() {
			t.Errorf("%+v: steps %+v, problems %q", list, plan.Steps, plan.Problems)
		}
	}
}

func TestApplyStops(t *testing.T) {
	m := disk(t, room, with(one, isDefault))
	from := sources(t, "klno")
	request := Request{Generations: []bootentry.Generation{with(one, isDefault), with(three, onTrial)}, Options: options, Sources: from}
	plan := Make(read(t, m), request)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Apply(ctx, m, plan, progress.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := os.WriteFile(from[digest("n")].Path, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Apply(t.Context(), m, plan, progress.Discard); err == nil || !strings.Contains(err.Error(), "has SHA-256") {
		t.Errorf("another content: %v", err)
	}
	m.fail = errors.New("read-only file system")
	if err := Apply(t.Context(), m, plan, progress.Discard); err == nil || !strings.HasPrefix(err.Error(), `change the EFI system partition: `) {
		t.Errorf("read-only: %v", err)
	}
	request.Sources = nil
	if plan := Make(read(t, m), request); len(plan.Problems) != 2 || !strings.Contains(plan.Problems[0], "nothing says where to copy it from") {
		t.Errorf("problems %q", plan.Problems)
	}
	request.Generations = nil
	if plan := Make(read(t, m), request); len(plan.Problems) == 0 || !strings.Contains(plan.Problems[0], "nothing could be booted") {
		t.Errorf("problems %q", plan.Problems)
	}
}
