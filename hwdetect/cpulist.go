package hwdetect

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// maxCPUs is more than any kernel is built for (NR_CPUS is at most 8192).
const maxCPUs = 8192

// parseCPUList reads "0-3,8,10-11". Anything odd in it makes it not a list.
func parseCPUList(s string) ([]int, bool) {
	if s == "" {
		return nil, false
	}
	var cpus []int
	for _, part := range strings.Split(s, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.Atoi(low)
		last := first
		if err == nil && isRange {
			last, err = strconv.Atoi(high)
		}
		if err != nil || first < 0 || last < first || last >= maxCPUs {
			return nil, false
		}
		for n := first; n <= last; n++ {
			cpus = append(cpus, n)
		}
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), true
}

// parseCPUMask reads "00000000,00000f03": groups of 32 bits, highest first.
func parseCPUMask(s string) ([]int, bool) {
	groups := strings.Split(s, ",")
	if s == "" || len(groups) > maxCPUs/32 {
		return nil, false
	}
	var cpus []int
	for i, g := range groups {
		v, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(g), "0x"), 16, 32)
		if err != nil {
			return nil, false
		}
		for v != 0 {
			cpus = append(cpus, (len(groups)-1-i)*32+bits.TrailingZeros64(v))
			v &= v - 1
		}
	}
	slices.Sort(cpus)
	return cpus, true
}
