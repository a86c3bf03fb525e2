package hwdetect

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"reprise/hwdetect/systree"
)

// secretFiles have a serial number or the like for their whole content.
var secretFiles = []string{"serial", "product_serial", "board_serial", "chassis_serial", "serial-number", "wwid", "cid", "unique_id"}

var (
	uuidForm = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)
	macForm  = regexp.MustCompile(`\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}\b`)
	guidForm = regexp.MustCompile(`\b(?:0x)?[0-9a-fA-F]{16}\b`)
	// Makers put serial numbers into the names of cards and devices.
	inNames = regexp.MustCompile(`[0-9]{6,}|(?i:S/N|serial)[ :#]*(?:0x)?[0-9A-Za-z]{4,}`)
	// Answers and scripts are fetched from places nobody else need know.
	urls = regexp.MustCompile(`[a-z+]+://\S+`)
)

// A masker gives every secret one mask, the same wherever it stands.
type masker struct {
	masks map[string]string
	count map[string]int
}

func (m *masker) mask(kind, secret string, make func(n int) string) string {
	if known, ok := m.masks[secret]; ok {
		return known
	}
	m.count[kind]++
	m.masks[secret] = make(m.count[kind])
	return m.masks[secret]
}

func (m *masker) uuid(s string) string {
	if strings.Trim(s, "0-") == "" {
		return s
	}
	return m.mask("uuid", strings.ToLower(s), func(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) })
}

// mac keeps the maker's half.
func (m *masker) mac(s string) string {
	s = strings.ToLower(s)
	if strings.Trim(s, "0:") == "" || strings.Trim(s, "f:") == "" {
		return s
	}
	return m.mask("mac", s, func(n int) string { return s[:9] + fmt.Sprintf("%02x:%02x:%02x", n>>16&0xff, n>>8&0xff, n&0xff) })
}

// guid keeps the maker's 24 bits. The same GUID is written with and without 0x.
func (m *masker) guid(s string) string {
	digits := strings.TrimPrefix(strings.ToLower(s), "0x")
	switch {
	case strings.Trim(digits, "0") == "":
		return s
	case len(digits) != 16 || strings.Trim(digits, "0123456789abcdef") != "":
		return m.serial(s)
	}
	masked := m.mask("guid", digits, func(n int) string { return digits[:6] + fmt.Sprintf("%010x", n) })
	return s[:len(s)-len(digits)] + masked
}

// serial keeps the length, which tells makers' schemes apart.
func (m *masker) serial(s string) string {
	if strings.Trim(s, "0 -") == "" {
		return s
	}
	return m.mask("serial", s, func(n int) string {
		const word = "MASKED"
		if len(s) < len(word)+2 {
			return fmt.Sprintf("%0*d", len(s), n)
		}
		return fmt.Sprintf("%s%0*d", word, len(s)-len(word), n)
	})
}

// mask replaces what names one single machine.
func mask(t *systree.Tree) {
	m := &masker{map[string]string{}, map[string]int{}}
	names := t.Names()
	// First the files that are secrets, so that they are known where they
	// stand in a text.
	for _, name := range names {
		data, ok := content(t, name)
		if !ok {
			continue
		}
		text := clean(string(data))
		switch base := path.Base(name); {
		case base == "config_rom":
			t.Replace(name, maskROM(m, data))
		case base == "vpd_pg80" && len(data) > 4:
			serial := string(data[4:])
			trimmed := strings.Trim(serial, " \x00")
			t.Replace(name, []byte(string(data[:4])+strings.Replace(serial, trimmed, m.serial(trimmed), 1)))
		case base == "guid" && text != "":
			t.Replace(name, []byte(m.guid(text)+"\n"))
		case slices.Contains(secretFiles, base) && text != "":
			masked := text
			if macForm.MatchString(text) || uuidForm.MatchString(text) {
				masked = m.forms(text)
			}
			if masked == text {
				masked = m.serial(text)
			}
			t.Replace(name, []byte(masked+"\n"))
		}
	}
	for _, name := range names {
		if data, ok := content(t, name); ok && len(data) > 0 && !binaryFile(name) {
			t.Replace(name, []byte(m.text(name, string(data))))
		}
	}
}

func content(t *systree.Tree, name string) ([]byte, bool) {
	info, err := fs.Lstat(t, name)
	if err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	data, err := fs.ReadFile(t, name)
	return data, err == nil
}

func binaryFile(name string) bool {
	base := path.Base(name)
	return base == "config_rom" || base == "vpd_pg80" || strings.HasPrefix(name, efiDir)
}

func (m *masker) forms(s string) string {
	s = uuidForm.ReplaceAllStringFunc(s, m.uuid)
	return macForm.ReplaceAllStringFunc(s, m.mac)
}

// text masks what stands inside a text file: UUIDs and MAC addresses
// everywhere, serial numbers where names and messages are.
func (m *masker) text(name, s string) string {
	base := path.Base(name)
	types := strings.HasPrefix(name, udevDir)
	if types {
		// Types of partitions are UUIDs that name no machine.
		var out []string
		for _, line := range strings.Split(s, "\n") {
			if !strings.HasPrefix(line, "E:ID_PART_ENTRY_TYPE=") {
				line = m.known(m.forms(line))
			}
			out = append(out, line)
		}
		return strings.Join(out, "\n")
	}
	s = m.forms(s)
	sound := strings.HasPrefix(name, asoundDir) || base == "id" || base == "product" || base == "interface"
	switch {
	case name == logFile:
		s = m.known(guidForm.ReplaceAllStringFunc(s, m.guid))
	case sound:
		// Rates, sizes and addresses in other files of ALSA are numbers too.
		if base == "cards" || base == "id" || base == "product" {
			s = inNames.ReplaceAllStringFunc(s, m.named)
		}
		s = m.known(s)
	case name == "proc/cmdline":
		s = urls.ReplaceAllString(m.known(s), "…")
	}
	return s
}

// named masks the part of a name that is a serial number.
func (m *masker) named(s string) string {
	i := len(s)
	for i > 0 && isAlnum(s[i-1]) {
		i--
	}
	if strings.Trim(s, "0123456789") == "" {
		i = 0
	}
	digits := strings.TrimPrefix(s[i:], "0x")
	return s[:len(s)-len(digits)] + m.mask("named", digits, func(n int) string { return fmt.Sprintf("%0*d", len(digits), n) })
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// known replaces secrets that other files gave away. Short ones are words.
func (m *masker) known(s string) string {
	const shortest = 6
	for _, secret := range slices.Sorted(keysOf(m.masks)) {
		if len(secret) >= shortest {
			s = strings.ReplaceAll(s, secret, m.masks[secret])
		}
	}
	return s
}

// maskROM masks the GUID in a configuration ROM. The checksum of the bus
// information is left as it was: nobody checks it here.
func maskROM(m *masker, b []byte) []byte {
	guid, _, ok := parseConfigROM(b)
	g, known := guid.Get()
	if !ok || !known {
		return b
	}
	var masked uint64
	if _, err := fmt.Sscanf(m.guid(fmt.Sprintf("%016x", g)), "%x", &masked); err != nil {
		return b
	}
	out := slices.Clone(b)
	var order binary.ByteOrder = binary.LittleEndian
	if string(b[4:8]) == "1394" {
		order = binary.BigEndian
	}
	order.PutUint32(out[12:], uint32(masked>>32))
	order.PutUint32(out[16:], uint32(masked))
	return out
}

// trimMounts keeps of the mounts those of block devices, and of mount points
// that people chose only the beginning, unless people is given.
func trimMounts(t *systree.Tree, people bool) {
	const name = "proc/self/mountinfo"
	data, ok := content(t, name)
	if !ok {
		return
	}
	var out strings.Builder
	for _, line := range lines(data) {
		for _, m := range parseMountInfo([]byte(line)) {
			if !strings.HasPrefix(m.source, "/dev/") {
				continue
			}
			point := m.point
			for _, private := range []string{"/home/", "/media/", "/run/media/", "/mnt/", "/srv/", "/root/"} {
				if !people && strings.HasPrefix(point, private) {
					point = private + "…"
				}
			}
			fmt.Fprintf(&out, "0 0 %s / %s rw - auto %s rw\n", m.number, escape(point), escape(m.source))
		}
	}
	t.Replace(name, []byte(out.String()))
}

func escape(s string) string {
	return strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(s)
}
