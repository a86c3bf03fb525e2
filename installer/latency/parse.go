package latency

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// MaxOutput bounds what is read of cyclictest, in bytes: a thread is some
// 10 KiB of text.
const MaxOutput = 64 << 20

// maxCPU bounds the number of a CPU. Source: Linux 6.12, NR_CPUS of x86.
const maxCPU = 8192

// The output of cyclictest --json. Source: rt-tests 2.6, write_stats in
// src/cyclictest/cyclictest.c, and rt_write_json in src/lib/rt-utils.c. The
// keys of a histogram are microseconds; those without a wake-up are not there.
type output struct {
	FileVersion int               `json:"file_version"`
	Code        int               `json:"return_code"`
	Threads     map[string]thread `json:"thread"`
}

type thread struct {
	Histogram map[string]int64 `json:"histogram"`
	Cycles    int64            `json:"cycles"`
	Min       int64            `json:"min"`
	Max       int64            `json:"max"`
	Average   float64          `json:"avg"`
	CPU       *int             `json:"cpu"`
}

// Parse reads what cyclictest --json --histogram=400 wrote, and what it says
// on lines behind that is left alone. Cores are in the order of their numbers.
func Parse(data []byte) ([]Core, error) {
	if len(data) > MaxOutput {
		return nil, fmt.Errorf("cyclictest wrote more than %d bytes", MaxOutput)
	}
	var out output
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&out); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return nil, fmt.Errorf("read the output of cyclictest: %w", err)
	}
	switch {
	case out.FileVersion != 1:
		return nil, fmt.Errorf("the output of cyclictest has version %d; want 1", out.FileVersion)
	case out.Code != 0:
		return nil, fmt.Errorf("cyclictest ended with %d", out.Code)
	case len(out.Threads) == 0:
		return nil, errors.New("cyclictest measured no core")
	}
	var cores []Core
	for name, t := range out.Threads {
		core, err := t.core()
		if err != nil {
			return nil, fmt.Errorf("thread %q of cyclictest: %w", name, err)
		}
		if slices.ContainsFunc(cores, func(c Core) bool { return c.CPU == core.CPU }) {
			return nil, fmt.Errorf("cyclictest measured core %d twice", core.CPU)
		}
		cores = append(cores, core)
	}
	slices.SortFunc(cores, func(a, b Core) int { return a.CPU - b.CPU })
	return cores, nil
}

func (t thread) core() (Core, error) {
	if t.CPU == nil || *t.CPU < 0 || *t.CPU > maxCPU {
		return Core{}, errors.New("it does not say which core it ran on")
	}
	c := Core{CPU: *t.CPU}
	var sum int64
	for key, count := range t.Histogram {
		micros, err := strconv.Atoi(key)
		if err != nil || micros < 0 || micros >= Bound || strconv.Itoa(micros) != key {
			return c, fmt.Errorf("its histogram has %q; want microseconds below %d", key, Bound)
		}
		if count < 0 || count > t.Cycles-sum {
			return c, fmt.Errorf("its histogram has more than its %d wake-ups", t.Cycles)
		}
		if count == 0 {
			continue
		}
		for len(c.Counts) <= micros {
			c.Counts = append(c.Counts, 0)
		}
		c.Counts[micros] = count
		sum += count
	}
	if c.Overruns = t.Cycles - sum; t.Cycles < 0 || t.Cycles > math.MaxInt64/MaxSeconds/2 {
		return c, fmt.Errorf("it counts %d wake-ups", t.Cycles)
	}
	if t.Cycles == 0 {
		return c, nil
	}
	if t.Min < 0 || t.Max < t.Min || t.Max > math.MaxInt32 || math.IsNaN(t.Average) || t.Average < 0 || t.Average > math.MaxInt32 {
		return c, fmt.Errorf("its least latency is %d, its average %g, its greatest %d", t.Min, t.Average, t.Max)
	}
	c.Min, c.Max, c.Average = int(t.Min), int(t.Max), t.Average
	return c, nil
}
