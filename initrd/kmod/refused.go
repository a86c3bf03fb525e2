package kmod

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// RefusedFile is where the initramfs leaves the modules that are not to be
// loaded on this machine; see Refused.
const RefusedFile = "/run/reprise/refused-modules"

// Refused are modules that are not to be loaded, by name, each with the reason
// in words; "" where none is known. Its file has a line for each: the name, and
// the reason behind a space.
type Refused map[string]string

// ErrRefused says that a module is not to be loaded.
var ErrRefused = errors.New("refused")

// ParseRefused reads what Encode wrote. A line without a name is left out.
func ParseRefused(data []byte) Refused {
	r := Refused{}
	for line := range strings.Lines(string(data)) {
		if words := strings.Fields(line); len(words) > 0 {
			r[words[0]] = strings.Join(words[1:], " ")
		}
	}
	return r
}

// Encode writes the list, sorted.
func (r Refused) Encode() []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(r)) {
		b.WriteString(strings.TrimSpace(name+" "+strings.Join(strings.Fields(r[name]), " ")) + "\n")
	}
	return b.Bytes()
}

// names are those that a Loader is given.
func (r Refused) names() map[string]bool {
	names := map[string]bool{}
	for name := range r {
		names[name] = true
	}
	return names
}

// ReadRefused reads RefusedFile. Where it is not there, nothing is refused.
func ReadRefused() Refused {
	data, err := os.ReadFile(RefusedFile)
	if err != nil {
		return nil
	}
	return ParseRefused(data)
}

// check says why nothing that answers to wanted is to be loaded, nil when
// something is.
func (r Refused) check(x *Index, wanted string) error {
	names, known := x.Resolve(wanted)
	if !known || len(names) == 0 || slices.ContainsFunc(names, func(name string) bool { _, is := r[name]; return !is }) {
		return nil
	}
	why := r[names[0]]
	if why == "" {
		why = "the kernel line or modprobe.d has it among the modules that are not to be loaded, or an installer is better off without"
	}
	return fmt.Errorf("%s is %w: %s. modprobe -f %s loads it all the same", names[0], ErrRefused, why, names[0])
}
