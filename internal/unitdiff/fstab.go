package unitdiff

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A mountLine is one line of fstab(5).
type mountLine struct {
	what, where, kind, options string
}

// parseFstab reads fstab: the unit that systemd-fstab-generator(8) makes of a
// line → the line. Lines that make none are passed over.
func parseFstab(text string) map[string]mountLine {
	all := map[string]mountLine{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || strings.HasPrefix(words[0], "#") {
			continue
		}
		for i := range words {
			words[i] = unquote(words[i])
		}
		m := mountLine{what: words[0], where: path.Clean(words[1]), kind: words[2]}
		if len(words) > 3 {
			m.options = words[3]
		}
		switch {
		case m.kind == "swap":
			all[escape(device(m.what))+".swap"] = m
		case strings.HasPrefix(m.where, "/"):
			all[escape(m.where)+".mount"] = m
		}
	}
	return all
}

// unquote reads the octal escapes of fstab(5).
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// device is the node that stands for UUID= and the like.
func device(what string) string {
	tag, value, ok := strings.Cut(what, "=")
	dir, known := map[string]string{"UUID": "by-uuid", "LABEL": "by-label", "PARTUUID": "by-partuuid", "PARTLABEL": "by-partlabel", "ID": "by-id"}[tag]
	if !ok || !known {
		return what
	}
	return "/dev/disk/" + dir + "/" + encode(strings.Trim(value, `"`))
}

// encode writes a label as udev names its link.
func encode(label string) string {
	var b strings.Builder
	for i := range len(label) {
		c := label[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || strings.IndexByte("#+-.:=@_", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, `\x%02x`, c)
	}
	return b.String()
}

func (m mountLine) has(option string) bool {
	return slices.Contains(strings.Split(m.options, ","), option)
}

// fileSystems decides for what fstab stands for: its units are made while the
// machine runs and are in no view.
func (p *planner) fileSystems() error {
	var lines [2]map[string]mountLine
	for i, f := range []*files{p.oldFiles, p.newFiles} {
		if _, ok := f.regular("etc/fstab"); !ok {
			continue
		}
		text, err := f.text("etc/fstab")
		if err != nil {
			return err
		}
		lines[i] = parseFstab(text)
	}
	old, new := lines[0], lines[1]
	for _, name := range slices.Sorted(maps.Keys(old)) {
		was, u := old[name], p.have[name]
		now, stays := new[name]
		if !u.runs() || stays && was == now {
			continue
		}
		isSwap := kind(name) == ".swap"
		switch {
		case !stays && isSwap:
			p.leave(name, "it is no longer in /etc/fstab", "memory may be in it", true)
		case !stays && held(was.where):
			p.leave(name, "it is no longer in /etc/fstab", "what runs lies on it", true)
		case !stays:
			p.set(Decision{Unit: name, Action: Stop, Reason: "it is no longer in /etc/fstab"})
		case isSwap:
			p.leave(name, "its options in /etc/fstab have changed", "it is in use", true)
		default:
			options := was.what == now.what && was.kind == now.kind
			reason := fmt.Sprintf("its options in /etc/fstab have changed (%s, was %s)", now.options, was.options)
			if !options {
				reason = fmt.Sprintf("/etc/fstab has something else for it (%s, was %s)", now.what, was.what)
			}
			p.mount(name, reason, options)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(new)) {
		now := new[name]
		if _, was := old[name]; was || p.have[name].runs() || now.has("noauto") || now.has("x-systemd.automount") {
			continue
		}
		if now.kind != "swap" && held(now.where) {
			p.leave(name, "it is new in /etc/fstab", "what runs lies there", true)
			continue
		}
		if node := device(now.what); strings.HasPrefix(node, "/dev/") && now.has("nofail") && !p.have[escape(node)+".device"].runs() {
			p.leave(name, "it is new in /etc/fstab", fmt.Sprintf("%s is not there now", now.what), false)
			continue
		}
		p.set(Decision{Unit: name, Action: Start, Reason: "it is new in /etc/fstab"})
	}
	return nil
}
