package unitdiff

import (
	"fmt"
	"strconv"
	"strings"
)

// kind is the suffix of a unit's name, such as ".service".
func kind(name string) string {
	_, suffix := cutSuffix(name)
	return suffix
}

// escape makes a unit's name of a path, as systemd-escape --path does:
// systemd.unit(5), "String Escaping for Inclusion in Unit Names".
func escape(path string) string {
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(parts) == 0 {
		return "-"
	}
	path = strings.Join(parts, "/")
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/':
			b.WriteByte('-')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == ':', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// unescape is the way back, without the slash at the front.
func unescape(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+3 < len(name) && name[i+1] == 'x' {
			if c, err := strconv.ParseUint(name[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		if name[i] == '-' {
			b.WriteByte('/')
			continue
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// mountPoint is where a mount unit mounts.
func mountPoint(name string) string {
	base, _ := cutSuffix(name)
	if base == "-" {
		return "/"
	}
	return "/" + unescape(base)
}
