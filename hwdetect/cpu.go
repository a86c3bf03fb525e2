package hwdetect

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

const cpuDir = "sys/devices/system/cpu"

// readCPU reads the processors. Topology files of a CPU that is offline are
// not there: only CPUs that are online count.
func (t *tree) readCPU() CPU {
	c := CPU{Isolated: t.text(cpuDir, "isolated")}
	online := t.onlineCPUs()
	if len(online) > 0 {
		c.Threads = Is(len(online))
	}
	t.readCPUInfo(&c)
	threads := make([]thread, 0, len(online))
	for _, n := range online {
		threads = append(threads, t.readThread(n))
	}
	c.Core = cores(threads)
	if len(c.Core) > 0 {
		c.Cores = Is(len(c.Core))
		packages := map[int]bool{}
		for _, core := range c.Core {
			packages[core.Package] = true
		}
		c.Packages = Is(len(packages))
		t.classify(&c, threads)
	}
	c.SMT.Control = t.text(cpuDir, "smt/control")
	c.SMT.Active = t.flag(cpuDir, "smt/active")
	if !c.SMT.Active.Known() && len(c.Core) > 0 {
		c.SMT.Active = Is(slices.ContainsFunc(c.Core, func(k Core) bool { return len(k.Threads) > 1 }))
	}
	t.readScaling(&c, online)
	t.readIdle(&c, online)
	const weak = cpuDir + "/vulnerabilities"
	for _, name := range t.list(weak) {
		if state, ok := t.text(weak, name).Get(); ok {
			// "Vulnerable", "Vulnerable: …", and "KVM: Vulnerable".
			c.Vulnerabilities = append(c.Vulnerabilities, Vulnerability{clean(name), state, strings.Contains(state, "Vulnerable")})
		}
	}
	return c
}

func (t *tree) onlineCPUs() []int {
	if cpus, ok := parseCPUList(t.text(cpuDir, "online").Or("")); ok {
		return cpus
	}
	var cpus []int
	for _, name := range t.list(cpuDir) {
		rest, ok := strings.CutPrefix(name, "cpu")
		n, err := strconv.Atoi(rest)
		if ok && err == nil && n >= 0 && n < maxCPUs && t.text(cpuDir, name, "online").Or("1") != "0" {
			cpus = append(cpus, n)
		}
	}
	return cpus
}

// readCPUInfo takes what only /proc/cpuinfo has, from its first processor.
func (t *tree) readCPUInfo(c *CPU) {
	data, _ := t.data("proc/cpuinfo")
	first := map[string]string{}
	count := 0
	for _, line := range lines(data) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		key, value = clean(key), clean(value)
		if key == "processor" {
			count++
		}
		if _, seen := first[key]; !seen {
			first[key] = value
		}
	}
	if !c.Threads.Known() && count > 0 {
		c.Threads = Is(count)
	}
	c.Vendor = some(first["vendor_id"])
	if _, arm := first["CPU implementer"]; arm && !c.Vendor.Known() {
		c.Vendor = Is("ARM")
	}
	for _, key := range []string{"model name", "Processor", "cpu model", "cpu"} {
		if c.Model = some(strings.Join(strings.Fields(first[key]), " ")); c.Model.Known() {
			break
		}
	}
	if n, err := strconv.Atoi(first["cpu family"]); err == nil {
		c.Family = Is(n)
	}
	// Zen is AMD's family 17h (23) and all after it; Hygon makes the same cores.
	family, known := c.Family.Get()
	switch vendor, ok := c.Vendor.Get(); {
	case ok && vendor != "AuthenticAMD" && vendor != "HygonGenuine":
		c.Zen = Is(false)
	case ok && known:
		c.Zen = Is(family >= 0x17)
	}
}

// A thread is one CPU as the kernel counts them.
type thread struct {
	number, pkg, core int
	siblings          []int // of the same core, itself with them
	capacity          Known[int]
	maxKHz            Known[int]
	l2                int // CPUs that share its second-level cache, 0 when not known
	caches            int // levels of cache that are told of
	hasL3             bool
}

func (t *tree) readThread(n int) thread {
	dir := path.Join(cpuDir, "cpu"+strconv.Itoa(n))
	th := thread{number: n, pkg: t.number(dir, "topology/physical_package_id").Or(0)}
	core, known := t.number(dir, "topology/core_id").Get()
	th.core = core
	if !known {
		th.core = -1
	}
	for _, name := range []string{"core_cpus_list", "thread_siblings_list"} {
		if th.siblings == nil {
			th.siblings, _ = parseCPUList(t.text(dir, "topology", name).Or(""))
		}
	}
	if th.siblings == nil {
		th.siblings, _ = parseCPUMask(t.text(dir, "topology/thread_siblings").Or(""))
	}
	if !slices.Contains(th.siblings, n) {
		th.siblings = nil
	}
	th.capacity = t.number(dir, "cpu_capacity")
	th.maxKHz = t.number(dir, "cpufreq/cpuinfo_max_freq")
	for _, index := range t.list(path.Join(dir, "cache")) {
		cache := path.Join(dir, "cache", index)
		level, ok := t.number(cache, "level").Get()
		if !ok {
			continue
		}
		th.caches = max(th.caches, level)
		th.hasL3 = th.hasL3 || level == 3
		if level == 2 {
			shared, ok := parseCPUList(t.text(cache, "shared_cpu_list").Or(""))
			if !ok {
				shared, _ = parseCPUMask(t.text(cache, "shared_cpu_map").Or(""))
			}
			th.l2 = len(shared)
		}
	}
	return th
}

// cores joins threads to physical cores. Without any topology there are none.
func cores(threads []thread) []Core {
	type key struct{ pkg, core, first int }
	at := map[key]int{}
	var all []Core
	for _, th := range threads {
		if th.core < 0 && th.siblings == nil {
			continue
		}
		k := key{th.pkg, th.core, -1}
		if len(th.siblings) > 0 {
			// Numbers of cores repeat between dies; the list of siblings does not.
			k.first = th.siblings[0]
		}
		i, seen := at[k]
		if !seen {
			i = len(all)
			at[k] = i
			all = append(all, Core{Package: th.pkg, ID: th.core, Kind: Uniform})
		}
		all[i].Threads = append(all[i].Threads, th.number)
	}
	return all
}

func (t *tree) readScaling(c *CPU, online []int) {
	for _, n := range online {
		dir := path.Join(cpuDir, "cpu"+strconv.Itoa(n), "cpufreq")
		if !t.has(dir, "scaling_governor") && !t.has(dir, "scaling_driver") {
			continue
		}
		c.Scaling = Scaling{
			Driver:     t.text(dir, "scaling_driver"),
			Governor:   t.text(dir, "scaling_governor"),
			Governors:  strings.Fields(t.text(dir, "scaling_available_governors").Or("")),
			Preference: t.text(dir, "energy_performance_preference"),
		}
		return
	}
}

func (t *tree) readIdle(c *CPU, online []int) {
	c.Idle.Driver = t.text(cpuDir, "cpuidle/current_driver")
	if c.Idle.Driver.Or("") == "none" {
		c.Idle.Driver = Known[string]{}
	}
	c.Idle.Governor = t.text(cpuDir, "cpuidle/current_governor")
	if !c.Idle.Governor.Known() {
		c.Idle.Governor = t.text(cpuDir, "cpuidle/current_governor_ro")
	}
	for _, n := range online {
		dir := path.Join(cpuDir, "cpu"+strconv.Itoa(n), "cpuidle")
		for _, state := range t.list(dir) {
			if name, ok := t.text(dir, state, "name").Get(); ok {
				c.Idle.States = append(c.Idle.States, IdleState{name, t.number(dir, state, "latency"), t.flag(dir, state, "disable")})
			}
		}
		if len(c.Idle.States) > 0 {
			return
		}
	}
}
