package blockdev

import (
	"fmt"
	"strings"
)

// A Ref names one device: by what is written in its partition table or
// superblock, or by its node.
type Ref struct {
	Key   string // "PARTUUID", "PARTLABEL", "UUID", "LABEL" or "/dev"
	Value string // for "/dev": the name, such as "vda3"
}

// ParseRef reads "PARTUUID=…", "PARTLABEL=…", "UUID=…", "LABEL=…" or "/dev/…".
func ParseRef(s string) (Ref, error) {
	if name, ok := strings.CutPrefix(s, "/dev/"); ok && name != "" {
		return Ref{"/dev", name}, nil
	}
	key, value, ok := strings.Cut(s, "=")
	switch {
	case !ok || value == "":
	case key == "PARTUUID" || key == "UUID":
		return Ref{key, strings.ToLower(value)}, nil
	case key == "PARTLABEL" || key == "LABEL":
		return Ref{key, value}, nil
	}
	return Ref{}, fmt.Errorf("device %q: want PARTUUID=…, PARTLABEL=…, UUID=…, LABEL=… or /dev/…", s)
}

// String prints the Ref as ParseRef reads it.
func (r Ref) String() string {
	if r.Key == "/dev" {
		return "/dev/" + r.Value
	}
	return r.Key + "=" + r.Value
}

// Contents says whether superblocks must be read to match the Ref.
func (r Ref) Contents() bool { return r.Key == "UUID" || r.Key == "LABEL" }

// Find returns the devices that the Ref names. More than one means that a disk
// has been copied: the caller must not guess.
func (r Ref) Find(devices []Device) []Device {
	var found []Device
	for _, d := range devices {
		if r.Value == "" {
			continue
		}
		var is bool
		switch r.Key {
		case "/dev":
			is = d.Name == r.Value
		case "PARTUUID":
			is = d.PartUUID == r.Value
		case "PARTLABEL":
			is = d.PartLabel == r.Value
		case "UUID":
			is = strings.EqualFold(d.UUID, r.Value)
		case "LABEL":
			is = d.Label == r.Value
		}
		if is {
			found = append(found, d)
		}
	}
	return found
}

// Table prints devices for a person: name, size, what it holds, and the names
// that a Ref can use. It is what the machine shows when its root is missing.
func Table(devices []Device) string {
	if len(devices) == 0 {
		return "  no disk at all\n"
	}
	var b strings.Builder
	for _, d := range devices {
		fmt.Fprintf(&b, "  %-14s %9s", "/dev/"+d.Name, size(d.SizeBytes))
		for _, f := range []struct{ name, value string }{
			{"", d.Type}, {"LABEL=", d.Label}, {"PARTLABEL=", d.PartLabel}, {"PARTUUID=", d.PartUUID}, {"", d.Model},
		} {
			if f.value != "" {
				b.WriteString("  " + f.name + f.value)
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func size(bytes int64) string {
	value, unit := float64(bytes), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, u
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}
