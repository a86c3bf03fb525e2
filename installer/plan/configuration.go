package plan

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"reprise/installer/answers"
)

// HardwareFile is the name of what hwdetect/advice writes, beside the
// configuration.
const HardwareFile = "hardware.jsonnet"

// A Base is what a machine's own configuration builds on.
type Base struct {
	System *System
	// Users are those of the system's configuration with their numbers.
	Users map[string]int
	// Hardware says that HardwareFile is there.
	Hardware bool
	// LUKS is the encryption of the root; nil when there is none.
	LUKS *LUKS
	// Wired are the MAC addresses of wired interfaces by the names that they have
	// while the medium runs; the machine itself may call them otherwise.
	Wired map[string]string
	// Comment is put at the top, a line each: what was measured, say.
	Comment []string
}

// ProfileDir is where the files of a profile that reprise does not ship lie,
// beside the configuration.
const ProfileDir = "profile"

// Configuration is the Jsonnet text of the machine's own configuration: its
// profile, its hardware, and what the answers say besides.
func Configuration(a answers.Answers, host string, base Base) []byte {
	w := &jsonnet{}
	w.line("// The configuration of %s. Written by the installer, and yours from now on:", host)
	w.line("// sudo reprise switch makes the machine what it says. Every option is in docs/options.md.")
	for _, c := range base.Comment {
		w.line("%s", strings.TrimRight("// "+c, " "))
	}
	profile := "reprise/" + base.System.Configuration + ".jsonnet"
	if base.System.Files != "" {
		profile = path.Join(ProfileDir, base.System.Configuration)
	}
	parts := "(import " + quote(profile) + ")"
	if base.Hardware {
		parts += " + (import " + quote(HardwareFile) + ")"
	}
	w.open("%s + {", parts)
	if base.LUKS != nil || a.FileSystem == answers.Btrfs {
		w.line("// How the disk was made. Without this the machine does not find its root.")
		w.open("boot+: { initrd+: {")
		if a.FileSystem == answers.Btrfs {
			w.line("supportedFilesystems+: ['btrfs'],")
		}
		if l := base.LUKS; l != nil {
			w.line("luks+: { devices+: { %s: { device: %s } } },", quote(l.Name), quote("/dev/disk/by-uuid/"+l.UUID))
		}
		w.close("} },")
	}
	w.open("networking+: {")
	w.line("hostName: %s,", quote(host))
	if n := a.Network; n != nil {
		card := ""
		if mac := base.Wired[n.Interface]; mac != "" {
			card = ", permanentMACAddress: " + quote(mac)
		}
		w.line("interfaces+: { %s: { addresses: [%s]%s } },", quote(n.Interface), quote(n.Address), card)
		if n.Gateway != "" {
			w.line("defaultGateway: %s,", quote(n.Gateway))
		}
		if len(n.NameServers) > 0 {
			w.line("nameservers: %s,", quoteAll(n.NameServers))
		}
	}
	w.close("},")
	for _, o := range []struct{ group, name, value string }{
		{"time", "timeZone", a.TimeZone}, {"i18n", "defaultLocale", a.Locale}, {"console", "keyMap", a.KeyMap},
	} {
		if o.value != "" {
			w.line("%s+: { %s: %s },", o.group, o.name, quote(o.value))
		}
	}
	if a.User != nil {
		w.user(a.User, base.Users)
	}
	w.close("}")
	return []byte(w.text.String())
}

// firstUID is Debian's first number for people.
const firstUID = 1000

func (w *jsonnet) user(u *answers.User, known map[string]int) {
	w.open("users+: {")
	w.open("users+: {")
	w.open("%s+: {", quote(u.Name))
	if u.FullName != "" {
		w.line("description: %s,", quote(u.FullName))
	}
	if _, ok := known[u.Name]; !ok {
		taken := map[int]bool{}
		for _, uid := range known {
			taken[uid] = true
		}
		uid := firstUID
		for taken[uid] {
			uid++
		}
		w.line("uid: %d,", uid)
		w.line("// audio: real-time priority and sound devices; wheel: sudo.")
		w.line("extraGroups: ['audio', 'video', 'wheel'],")
	}
	if len(u.Keys) > 0 {
		w.open("openssh+: { authorizedKeys+: { keys+: [")
		for _, key := range u.Keys {
			w.line("%s,", quote(key))
		}
		w.close("] } },")
	}
	w.close("},")
	w.close("},")
	w.close("},")
}

// jsonnet writes lines with indents.
type jsonnet struct {
	text  strings.Builder
	depth int
}

func (w *jsonnet) line(format string, args ...any) {
	w.text.WriteString(strings.Repeat("  ", w.depth) + fmt.Sprintf(format, args...) + "\n")
}

func (w *jsonnet) open(format string, args ...any) {
	w.line(format, args...)
	w.depth++
}

func (w *jsonnet) close(text string) {
	w.depth--
	w.line("%s", text)
}

// quote writes a Jsonnet string: in single quotes where that needs no escapes.
func quote(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic("a string does not encode: " + err.Error())
	}
	if plain := string(data[1 : len(data)-1]); plain == s && !strings.Contains(s, "'") {
		return "'" + s + "'"
	}
	return string(data)
}

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
