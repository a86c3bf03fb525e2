package hwdetect

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"reprise/initrd/kmod"
)

// A resolver says which modules answer to a device.
type resolver struct {
	index *kmod.Index
	seen  map[string][]string
}

func newResolver(x *kmod.Index) resolver { return resolver{x, map[string][]string{}} }

// known says whether there is anything to ask.
func (r resolver) known() bool { return r.index != nil }

// modules returns the modules that answer to a modalias, in the order of the
// index; none when there is no index.
func (r resolver) modules(modalias string) []string {
	if r.index == nil || modalias == "" {
		return nil
	}
	if names, ok := r.seen[modalias]; ok {
		return names
	}
	names, _ := r.index.Resolve(modalias)
	r.seen[modalias] = names
	return names
}

type pciModalias struct {
	id, sub ID
	class   uint32
}

var pciModaliasForm = regexp.MustCompile(`^pci:v([0-9A-F]{8})d([0-9A-F]{8})sv([0-9A-F]{8})sd([0-9A-F]{8})bc([0-9A-F]{2})sc([0-9A-F]{2})i([0-9A-F]{2})$`)

// parsePCIModalias reads "pci:v00008086d000051C8sv000017AAsd000022E7bc04sc03i80".
func parsePCIModalias(s string) (pciModalias, bool) {
	f := pciModaliasForm.FindStringSubmatch(s)
	if f == nil {
		return pciModalias{}, false
	}
	var n [7]uint32
	for i := range n {
		v, err := strconv.ParseUint(f[i+1], 16, 32)
		if err != nil || i < 4 && v > 0xffff {
			return pciModalias{}, false
		}
		n[i] = uint32(v)
	}
	return pciModalias{ID{uint16(n[0]), uint16(n[1])}, ID{uint16(n[2]), uint16(n[3])}, n[4]<<16 | n[5]<<8 | n[6]}, true
}

func formatHex(v, d, sv, sd, bc, sc, i uint32) string {
	return fmt.Sprintf("pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", v, d, sv, sd, bc, sc, i)
}

var fireWireModaliasForm = regexp.MustCompile(`^ieee1394:ven([0-9A-F]{8})mo([0-9A-F]{8})sp([0-9A-F]{8})ver([0-9A-F]{8})$`)

// parseFireWireModalias reads "ieee1394:ven00001564mo00000006sp0000A02Dver00010001".
// A model of 0 may also mean that there is none.
func parseFireWireModalias(s string) (vendor, model, specifier, version Hex, ok bool) {
	f := fireWireModaliasForm.FindStringSubmatch(s)
	if f == nil {
		return 0, 0, 0, 0, false
	}
	var n [4]Hex
	for i := range n {
		v, err := strconv.ParseUint(f[i+1], 16, 32)
		if err != nil {
			return 0, 0, 0, 0, false
		}
		n[i] = Hex(v)
	}
	return n[0], n[1], n[2], n[3], true
}

func fireWireModalias(vendor, model, specifier, version Hex) string {
	return fmt.Sprintf("ieee1394:ven%08Xmo%08Xsp%08Xver%08X", uint32(vendor), uint32(model), uint32(specifier), uint32(version))
}

// parseUevent reads "KEY=value" lines. The first of a key counts.
func parseUevent(data []byte) map[string]string {
	out := map[string]string{}
	for _, line := range lines(data) {
		key, value, ok := strings.Cut(line, "=")
		if !ok || key == "" {
			continue
		}
		if _, seen := out[key]; !seen {
			out[key] = clean(value)
		}
	}
	return out
}
