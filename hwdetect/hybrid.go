package hwdetect

import (
	"slices"
)

// notable is how much slower a core must be to be of another kind: cores of
// one kind differ by a few per cent where the maker sorts out the best ones
// (Intel's Turbo Boost Max 3.0, AMD's preferred cores), big and little ones by
// a third and more.
const notable = 0.8

// classify sorts the cores into kinds, by the first of these that tells:
// the kernel's own lists of hybrid Intels, the capacities of the scheduler
// (ARM always, x86 from Linux 6.12), the highest clock, and which cores share
// a second-level cache: four small ones do, where a big one has its own.
func (t *tree) classify(c *CPU, threads []thread) {
	kinds, evidence := t.kindsByPMU()
	if kinds == nil {
		kinds, evidence = kindsBySpeed(threads, func(th thread) Known[int] { return th.capacity }), "cpu_capacity"
	}
	if kinds == nil {
		kinds, evidence = kindsBySpeed(threads, func(th thread) Known[int] { return th.maxKHz }), "cpufreq/cpuinfo_max_freq"
	}
	if kinds == nil {
		kinds, evidence = kindsByCache(threads, c.Core), "cache/index*/shared_cpu_map"
	}
	if kinds == nil {
		evidence = "nothing tells the cores apart"
	} else {
		lowPower(kinds, threads)
	}
	byNumber := map[int]thread{}
	for _, th := range threads {
		byNumber[th.number] = th
	}
	classes := map[CoreKind]*CoreClass{}
	for i := range c.Core {
		core := &c.Core[i]
		if k, ok := kinds[core.Threads[0]]; ok {
			core.Kind = k
		}
		class := classes[core.Kind]
		if class == nil {
			class = &CoreClass{Kind: core.Kind, Evidence: evidence}
			classes[core.Kind] = class
		}
		class.Cores++
		class.Threads = append(class.Threads, core.Threads...)
		for _, n := range core.Threads {
			th := byNumber[n]
			if khz, ok := th.maxKHz.Get(); ok {
				class.MaxMHz = Is(max(khz/1000, class.MaxMHz.Or(0)))
			}
			if capacity, ok := th.capacity.Get(); ok {
				class.Capacity = Is(max(capacity, class.Capacity.Or(0)))
			}
		}
	}
	for _, kind := range []CoreKind{Performance, Uniform, Efficiency, LowPower} {
		if class := classes[kind]; class != nil {
			slices.Sort(class.Threads)
			c.Classes = append(c.Classes, *class)
		}
	}
	c.Hybrid = Is(len(c.Classes) > 1)
}

// kindsByPMU reads the lists that hybrid Intels have beside their performance
// counters. Source: tools/perf/Documentation/intel-hybrid.txt.
func (t *tree) kindsByPMU() (map[int]CoreKind, string) {
	kinds := map[int]CoreKind{}
	found := 0
	for _, group := range []struct {
		dir  string
		kind CoreKind
	}{{"cpu_core", Performance}, {"cpu_atom", Efficiency}, {"cpu_lowpower", LowPower}} {
		cpus, ok := parseCPUList(t.text("sys/devices", group.dir, "cpus").Or(""))
		if !ok {
			continue
		}
		found++
		for _, n := range cpus {
			kinds[n] = group.kind
		}
	}
	if found < 2 {
		return nil, ""
	}
	return kinds, "/sys/devices/cpu_core and cpu_atom"
}

// kindsBySpeed sorts by a measure of speed; nil when all are about as fast, or
// one has no measure.
func kindsBySpeed(threads []thread, measure func(thread) Known[int]) map[int]CoreKind {
	fastest := 0
	for _, th := range threads {
		v, ok := measure(th).Get()
		if !ok || v <= 0 {
			return nil
		}
		fastest = max(fastest, v)
	}
	kinds := map[int]CoreKind{}
	slow := 0
	for _, th := range threads {
		kinds[th.number] = Performance
		if v, _ := measure(th).Get(); float64(v) < notable*float64(fastest) {
			kinds[th.number] = Efficiency
			slow++
		}
	}
	if slow == 0 {
		return nil
	}
	return kinds
}

// kindsByCache: a core with one thread whose second-level cache four such
// cores share is an efficiency core, if others keep theirs to themselves.
func kindsByCache(threads []thread, all []Core) map[int]CoreKind {
	single := map[int]bool{}
	for _, core := range all {
		if len(core.Threads) == 1 {
			single[core.Threads[0]] = true
		}
	}
	kinds := map[int]CoreKind{}
	small, big := 0, 0
	for _, th := range threads {
		switch {
		case th.l2 == 0:
			return nil
		case th.l2 == 4 && single[th.number]:
			kinds[th.number] = Efficiency
			small++
		case th.l2 <= 2:
			kinds[th.number] = Performance
			big++
		default:
			return nil
		}
	}
	if small == 0 || big == 0 {
		return nil
	}
	return kinds
}

// lowPower finds the efficiency cores on their own island: they have no
// third-level cache where the performance cores have one, and other
// efficiency cores are beside them or they are all there are of them.
func lowPower(kinds map[int]CoreKind, threads []thread) {
	bigL3 := slices.ContainsFunc(threads, func(th thread) bool { return kinds[th.number] == Performance && th.hasL3 })
	if !bigL3 {
		return
	}
	for _, th := range threads {
		if kinds[th.number] == Efficiency && th.caches > 0 && !th.hasL3 {
			kinds[th.number] = LowPower
		}
	}
}
