package latency

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FileName is what kept measurements are called: beside a machine's
// configuration, and on a stick.
const FileName = "reprise.measured.json"

// Version is the version of that file.
const Version = 1

// MaxKept bounds how many measurements a file keeps: the latest.
const MaxKept = 64

// MaxFile bounds the file, in bytes: a core is 4 KiB at most.
const MaxFile = 16 << 20

// The file, as JSON:
//
//	{"version": 1, "measured": [{"when": …, "machine": …, "kernel": {…}, …}]}
type file struct {
	Version  int      `json:"version"`
	Measured []Result `json:"measured"`
}

// Keep adds r to what was kept, in the place of what the same kernel had on the
// same machine.
func Keep(kept []Result, r Result) []Result {
	kept = slices.DeleteFunc(slices.Clone(kept), func(o Result) bool { return o.Machine == r.Machine && o.Kernel == r.Kernel })
	kept = append(kept, r)
	return kept[max(0, len(kept)-MaxKept):]
}

// Encode writes what is kept as a file.
func Encode(kept []Result) ([]byte, error) {
	data, err := json.Marshal(file{Version, kept})
	return append(data, '\n'), err
}

// Decode reads such a file. name is for messages.
func Decode(name string, data []byte) ([]Result, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%q is larger than %d bytes", name, MaxFile)
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read the measurements in %q: %w", name, err)
	}
	if f.Version != Version {
		return nil, fmt.Errorf("the measurements in %q have version %d; want %d", name, f.Version, Version)
	}
	if len(f.Measured) > MaxKept {
		return nil, fmt.Errorf("%q has %d measurements; want %d at most", name, len(f.Measured), MaxKept)
	}
	for i := range f.Measured {
		if err := f.Measured[i].check(); err != nil {
			return nil, fmt.Errorf("measurement %d in %q: %w", i+1, name, err)
		}
	}
	return f.Measured, nil
}

// check holds what the rest of the package relies on.
func (r *Result) check() error {
	if r.Seconds < 0 || r.Wanted < 0 || r.Wanted > MaxSeconds || r.Seconds > r.Wanted || len(r.Cores) > maxCPU {
		return errors.New("its seconds or cores cannot be")
	}
	const most = int64(MaxSeconds) * 1_000_000
	for i, c := range r.Cores {
		if c.CPU < 0 || c.CPU > maxCPU || i > 0 && c.CPU <= r.Cores[i-1].CPU || len(c.Counts) > Bound {
			return fmt.Errorf("core %d cannot be", c.CPU)
		}
		if c.Overruns < 0 || c.Overruns > most || c.Min < 0 || c.Max < c.Min || c.Average < 0 || slices.ContainsFunc(c.Counts, func(n int64) bool { return n < 0 || n > most }) {
			return fmt.Errorf("core %d has figures that cannot be", c.CPU)
		}
	}
	return nil
}

// MachineID tells machines apart by what they say of themselves, without
// telling what that is: serial numbers are nobody else's business.
func MachineID(words ...string) string {
	sum := sha256.Sum256([]byte("reprise machine\x00" + strings.Join(words, "\x00")))
	return hex.EncodeToString(sum[:8])
}
