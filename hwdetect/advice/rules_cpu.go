package advice

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reprise/hwdetect"
)

// ruleKernel chooses PREEMPT_RT, unless NVIDIA's modules stand against it or
// the machine is a guest, whose lateness is its host's.
func ruleKernel(m *machine, a *adding) {
	const option = "musnix.kernel.realtime"
	switch m.kernel {
	case realtimeKernel:
		a.set(option, true, "No hardware of "+m.Machine+" stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency measurement compares both.")
	case stockKernel:
		stock := PackagesFor(Setting{Option: option, Value: false})
		if !m.carried(stock) {
			a.withoutStock(stock)
			return
		}
		why := nvidia(m.f) + ": the maker's own modules refuse to be built for PREEMPT_RT, so the stock kernel is the default, with preempt=full and threadirqs."
		free := "With the free driver nouveau the PREEMPT_RT kernel runs, too: musnix.kernel.realtime true brings it back."
		a.set(option, false, why, free)
		a.add("boot.kernelParams", "preempt=full", "Preemption almost as with PREEMPT_RT, for the stock kernel that "+nvidia(m.f)+" asks for.")
		a.add("boot.kernelParams", "threadirqs", "Interrupt threads with priorities, for the stock kernel that "+nvidia(m.f)+" asks for.")
		a.conflict(why+" "+free, nvidia(m.f))
	}
}

// withoutStock leaves the PREEMPT_RT kernel where it is the only one at hand:
// everything but the maker's own modules runs with it. What else the stock
// kernel wants is offered together with it.
func (a *adding) withoutStock(packages []string) {
	name := nvidia(a.m.f)
	why := name + ": the maker's own modules refuse to be built for PREEMPT_RT, so this machine should have the stock kernel. Only the PREEMPT_RT kernel is at hand, and stays: the free driver nouveau runs with it."
	for _, s := range []Setting{
		{Option: "musnix.kernel.realtime", Value: false},
		{Option: "boot.kernelParams", Value: "preempt=full", Add: true}, {Option: "boot.kernelParams", Value: "threadirqs", Add: true},
	} {
		s.Reasons, s.Offered, s.Risk, s.Lacks = []string{why}, true, lacking(packages), packages
		a.setting(s)
	}
	a.conflict(why, name)
}

// ruleMicrocode has the maker's corrections loaded. A guest has those of its
// host.
func ruleMicrocode(m *machine, a *adding) {
	if m.guest() {
		return
	}
	option := map[string]string{
		"AuthenticAMD": "hardware.cpu.amd.updateMicrocode",
		"GenuineIntel": "hardware.cpu.intel.updateMicrocode",
	}[m.f.CPU.Vendor.Or("")]
	if option != "" {
		a.set(option, true, capital(m.cpuName())+": its maker's corrections (microcode) are loaded before anything else runs. Mainboards often have older ones.")
	}
}

// nvidia names NVIDIA's adapters. One without a display, class 0x0302, counts
// like any other.
func nvidia(f *hwdetect.Facts) string {
	var names []string
	for _, g := range f.GPUs {
		if !g.NVIDIA {
			continue
		}
		name := plain(g.Name.Or(""))
		if !strings.Contains(strings.ToUpper(name), "NVIDIA") {
			name = strings.TrimSpace("NVIDIA " + name)
		}
		if id, ok := g.ID.Get(); ok {
			name += " (" + id.String() + ")"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return list(names)
}

// ruleGuest leaves guests alone.
func ruleGuest(m *machine, a *adding) {
	if !m.guest() {
		return
	}
	by := ""
	if h, ok := m.f.Virtual.Hypervisor.Get(); ok {
		by = " of " + plain(h)
	}
	text := "This is a virtual machine" + by + ": how late it comes is decided by its host."
	if m.kernel == leaveKernel {
		text += " Kernel, clock and sleep of processors stay as the profile has them."
	}
	a.say(text + " PipeWire uses no buffer below 1024 frames here.")
}

// performance are the cores that audio may run on: all of a CPU with one kind.
func performance(f *hwdetect.Facts) []hwdetect.Core {
	var cores []hwdetect.Core
	for _, c := range f.CPU.Core {
		if c.Kind == hwdetect.Performance || c.Kind == hwdetect.Uniform || c.Kind == "" {
			cores = append(cores, c)
		}
	}
	return cores
}

// minCores is where CPUs are set apart: with fewer physical cores the others
// are more in want of what is taken away than audio gains.
const minCores = 4

// ruleHousekeeping sends the interrupts of everything to a few cores, and
// callbacks of the kernel away from the others. Isolating CPUs from tasks, too,
// only helps those who pin their programs, and is offered.
func ruleHousekeeping(m *machine, a *adding) {
	if m.guest() {
		return
	}
	if len(m.f.CPU.Core) == 0 {
		a.unknown("Which threads share a physical core is not known: no CPU is set apart for interrupts.")
		return
	}
	cores := performance(m.f)
	if n, ok := m.f.CPU.Cores.Get(); ok && n < minCores || len(cores) < minCores {
		a.say(fmt.Sprintf("%s: with fewer than %d alike, no CPU is set apart.", count(len(cores), "core"), minCores))
		return
	}
	// The first core has CPU 0, where the kernel's own work is. From eight
	// cores up there is one more to spare.
	n := 1
	if len(cores) >= 2*minCores {
		n = 2
	}
	house, audio := threads(cores[:n]), threads(cores[n:])
	model, extra := capital(m.cpuName()), ""
	if hwdetect.IsTrue(m.f.CPU.Hybrid) {
		for _, c := range m.f.CPU.Core {
			if c.Kind == hwdetect.Efficiency {
				house = append(house, c.Threads...)
				extra = " and the efficiency cores"
			}
		}
		slices.Sort(house)
	}
	a.add("boot.kernelParams", "irqaffinity="+ranges(house),
		fmt.Sprintf("%s has %s: interrupts are served by the first %s%s, the others are left to sound.", model, count(len(cores), "core")+kindWord(m.f), map[int]string{1: "one", 2: "two"}[n], extra))
	a.add("boot.kernelParams", "rcu_nocbs="+ranges(audio),
		fmt.Sprintf("%s: the kernel's deferred work (RCU callbacks) moves away from %s.", model, cpus(audio)))
	last := threads(cores[len(cores)-n:])
	a.offer("boot.kernelParams", "isolcpus=managed_irq,domain,"+ranges(last), true,
		"No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.",
		fmt.Sprintf("%s: %s for nothing but programs that you pin there.", model, cpus(last)))
	a.offer("boot.kernelParams", "nohz_full="+ranges(last), true,
		"Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and nothing else.",
		fmt.Sprintf("%s: no timer tick on %s while one thread alone runs there.", model, cpus(last)))
}

func kindWord(f *hwdetect.Facts) string {
	if hwdetect.IsTrue(f.CPU.Hybrid) {
		return " for performance"
	}
	return ""
}

func (m *machine) cpuName() string {
	if s := plain(m.f.CPU.Model.Or("")); s != "" {
		return s
	}
	return "the processor"
}

// capital begins a sentence.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func threads(cores []hwdetect.Core) []int {
	var all []int
	for _, c := range cores {
		all = append(all, c.Threads...)
	}
	slices.Sort(all)
	return all
}

// cpus is "CPU 3", "CPUs 2-3".
func cpus(numbers []int) string {
	if len(numbers) == 1 {
		return "CPU " + ranges(numbers)
	}
	return "CPUs " + ranges(numbers)
}

// ranges writes CPUs as the kernel reads them: "0-3,8".
func ranges(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		part := strconv.Itoa(numbers[i])
		if j > i {
			part += "-" + strconv.Itoa(numbers[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// ruleHybrid keeps the server off slow cores.
func ruleHybrid(m *machine, a *adding) {
	if m.guest() || !hwdetect.IsTrue(m.f.CPU.Hybrid) {
		return
	}
	fast := threads(performance(m.f))
	if len(fast) < 2 || len(fast) == len(threads(m.f.CPU.Core)) {
		return
	}
	slow := "efficiency cores"
	if slices.ContainsFunc(m.f.CPU.Core, func(c hwdetect.Core) bool { return c.Kind == hwdetect.LowPower }) {
		slow += ", and never on its low-power ones"
	}
	unit := map[Server]string{JACK: "jackd.service", PipeWire: "pipewire.service"}[m.Wants.Server]
	if unit == "" {
		a.say(fmt.Sprintf("%s is a hybrid: sound belongs on its performance cores (CPUs %s), not on its %s.", capital(m.cpuName()), ranges(fast), slow))
		return
	}
	a.set("systemd.user.units"+key(unit+".d/cores.conf"), map[string]any{"text": "[Service]\nCPUAffinity=" + ranges(fast) + "\n"},
		fmt.Sprintf("%s is a hybrid: the sound server runs on its performance cores (CPUs %s), not on its %s.", capital(m.cpuName()), ranges(fast), slow))
}

// ruleRisky offers what costs safety or half of the threads.
func ruleRisky(m *machine, a *adding) {
	if m.guest() {
		return
	}
	var mitigated []string
	for _, v := range m.f.CPU.Vulnerabilities {
		if strings.HasPrefix(v.State, "Mitigation") {
			mitigated = append(mitigated, plain(v.Name))
		}
	}
	if len(mitigated) > 0 {
		a.offer("boot.kernelParams", "mitigations=off", true,
			"Programs, and pages in a browser, can then read what other programs keep in memory. For a machine that never meets the network.",
			fmt.Sprintf("%s: the kernel works around %s (%s), which costs time at every entry into the kernel.", capital(m.cpuName()), weaknesses(len(mitigated)), strings.Join(mitigated, ", ")))
	}
	if hwdetect.IsTrue(m.f.CPU.SMT.Active) {
		a.offer("boot.kernelParams", "nosmt", true,
			"Half of the threads are gone, so less runs at once. Only for spikes that were measured.",
			capital(m.cpuName())+" runs two threads on a core: one can hold up the other at high load.")
	}
}

func weaknesses(n int) string {
	if n == 1 {
		return "a weakness"
	}
	return strconv.Itoa(n) + " weaknesses"
}

// ruleGovernor holds the clock up, on battery only as far as wanted.
func ruleGovernor(m *machine, a *adding) {
	s := m.f.CPU.Scaling
	driver, ok := s.Driver.Get()
	if m.guest() {
		return
	}
	if !ok {
		a.unknown("What chooses the clock of the processor is not known: the profile's governor stays.")
		return
	}
	if len(s.Governors) > 0 && !slices.Contains(s.Governors, "performance") {
		a.unknown(fmt.Sprintf("The clock's driver %s has no governor \"performance\": it stays as it is.", plain(driver)))
		return
	}
	laptop, known := m.laptop()
	why := fmt.Sprintf("The clock of %s (driver %s) stays high: going up takes longer than a small buffer.", m.cpuName(), plain(driver))
	a.set("powerManagement.cpuFreqGovernor", "performance", why)
	if !known {
		a.unknown("Whether this is a laptop is not known: the clock is treated as that of a machine on mains power.")
	}
	if !laptop || len(m.f.Power.Batteries) == 0 {
		return
	}
	if hwdetect.IsTrue(m.f.Power.OnBattery) {
		a.hand("This laptop runs on its battery now: plug it in before you measure or play.")
	}
	// intel_pstate and amd-pstate-epp call "powersave" what others call
	// schedutil: a clock that follows the load.
	want := []string{"schedutil", "ondemand", "conservative"}
	if driver == "intel_pstate" || driver == "amd-pstate-epp" {
		want = []string{"powersave"}
	}
	for _, g := range want {
		if slices.Contains(s.Governors, g) {
			a.set("powerManagement.cpuFreqGovernorOnBattery", g,
				fmt.Sprintf("This is a laptop with a battery (%s): there the clock follows the load. Plug it in to play.", plain(m.f.Power.Batteries[0].Name)))
			return
		}
	}
}

// Idle states that take longer than these to leave are left out on mains
// power. Half a buffer of 64 frames at 48 kHz is 667 µs; waking comes before
// each buffer. Boxes that are held or have no fan get the longer bound.
const (
	deskLatency = 50  // microseconds; C1E of Intel and C2 of AMD stay
	warmLatency = 200 // microseconds; the deepest states of a package go
)

func ruleIdle(m *machine, a *adding) {
	if m.guest() {
		return
	}
	form := m.f.Chassis.Form.Or("")
	laptop, known := m.laptop()
	bound, what := deskLatency, "on mains power heat is carried off"
	if laptop || slices.Contains([]hwdetect.Form{hwdetect.FormTablet, hwdetect.FormThin, hwdetect.FormMini, hwdetect.FormEmbedded}, form) {
		bound, what = warmLatency, "a small box must not get hot, so only the deepest go, and on battery none"
	}
	var deep []string
	told := false
	for _, s := range m.f.CPU.Idle.States {
		if micros, ok := s.LatencyMicros.Get(); ok {
			told = true
			if micros > bound && !hwdetect.IsTrue(s.Disabled) {
				deep = append(deep, fmt.Sprintf("%s %d µs", plain(s.Name), micros))
			}
		}
	}
	switch {
	case !told:
		a.unknown("How long the processor takes to wake up is not known: its idle states stay as they are.")
	case !known && form == "":
		a.unknown("Whether this box can stand heat is not known: the processor's idle states stay as they are.")
	case len(deep) > 0:
		a.set("powerManagement.maxIdleLatency", bound,
			fmt.Sprintf("%s sleeps in states that take long to leave (%s): %s.", capital(m.cpuName()), strings.Join(deep, ", "), what))
	}
}

// ruleDisks writes back early and little where a disk rotates.
func ruleDisks(m *machine, a *adding) {
	if m.guest() { // their disks say what they like
		return
	}
	for _, d := range m.f.Disks {
		if hwdetect.IsTrue(d.Rotates) && !hwdetect.IsTrue(d.Removable) {
			why := fmt.Sprintf("%s (%s) rotates: what is written goes to it early and in small pieces, because long writes cause dropouts.", plain(d.Model.Or("The disk")), d.Name)
			a.set("boot.kernel.sysctl"+key("vm.dirty_bytes"), 50<<20, why)
			a.set("boot.kernel.sysctl"+key("vm.dirty_background_bytes"), 16<<20, why)
			return
		}
	}
}
