package stage1

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"reprise/initrd/blockdev"
	"reprise/initrd/kmod"
)

// Defaults of the kernel line.
const (
	defaultWait    = 20 * time.Second // for the root partition: a USB hub and a disk that spins up
	defaultTimeout = 30 * time.Second // before a machine that cannot start is rebooted
	longest        = time.Duration(math.MaxInt64)
)

// A Line is what stage 1 takes from the kernel's command line:
//
//	root=PARTUUID=…          the root partition (also PARTLABEL=, UUID=, LABEL=, /dev/…)
//	rootwait=SECONDS         how long to wait for it; without a number: for ever
//	reprise.system=PATH      the system to start; the disk's profile without it
//	reprise.timeout=SECONDS  reboot so long after a failure; 0: never
//	reprise.rescue           give a shell before anything is mounted
//	reprise.medium=LABEL=…   start from the installation medium with this volume id (also /dev/…)
//	reprise.id=GUID          the disk GUID of the medium: tells it from others of the same name
//	reprise.mode=MODE        what for: install, live, check or rescue
//	ro                       mount the disk read-only and change nothing on it
//	init=PATH                start this instead of systemd
//	modprobe.blacklist=A,B   do not load these for a device
//	module.blacklist=…       the same
//	NAME.PARAMETER=VALUE     parameters of modules
//	rootfstype=TYPE          the root's file system, where its superblock does not tell
//	rd.luks.name=UUID=NAME   the name of an encrypted device in /dev/mapper
//	rd.luks.options=A,B      discard; timeout=SECONDS without a key before it is given up
//
// Words after "--" are the system's. Everything else is left to others.
type Line struct {
	Root     blockdev.Ref // its Key is "" when the line has none
	System   string       // a store path; "" when the line has none
	Init     string       // absolute; "" when the line has none
	Rescue   bool
	ReadOnly bool
	Wait     time.Duration
	Timeout  time.Duration     // 0: never reboot
	Panic    bool              // the line says itself what a kernel panic leads to
	Options  map[string]string // module → parameters, as finit_module takes them
	Refused  map[string]bool   // modules not to load for a device
	Medium   blockdev.Ref      // its Key is "" when the machine starts from its own disk
	MediumID string            // GUID of the medium's GPT, lower case; "" when the line has none
	Mode     Mode              // what the medium was started for; "" without a medium
	RootType string            // the root's file system; "" when the line has none
	LUKS     []NamedLUKS       // names for encrypted devices
	Discard  bool              // encrypted devices are told what is not in use
	Patience time.Duration     // how long to wait for a key of a passphrase; 0: for ever
}

// A NamedLUKS gives an encrypted device a name in /dev/mapper.
type NamedLUKS struct{ UUID, Name string }

// luksName is the name of an encrypted device in /dev/mapper.
func (l *Line) luksName(uuid string) string {
	for _, n := range l.LUKS {
		if n.UUID == uuid {
			return n.Name
		}
	}
	return "luks-" + uuid
}

// A Mode is what an installation medium was started for.
type Mode string

// The modes, as the kernel line has them.
const (
	ModeInstall Mode = "install" // the installer, on every console
	ModeLive    Mode = "live"    // a system of the medium, with its state in memory
	ModeCheck   Mode = "check"   // read the whole medium and compare
	ModeRescue  Mode = "rescue"  // a shell, with the medium mounted
)

var modes = []Mode{ModeInstall, ModeLive, ModeCheck, ModeRescue}

// parseLine reads a kernel command line. What cannot be understood is left at
// its default, and told in problems: a machine should rather start.
func parseLine(text string) (l Line, problems []error) {
	l = Line{Wait: defaultWait, Timeout: defaultTimeout, Options: map[string]string{}, Refused: map[string]bool{}}
	seconds := func(key, value string, into *time.Duration) {
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s=%q: want a whole number of seconds", key, value))
			return
		}
		*into = time.Duration(n) * time.Second
	}
	for _, word := range splitLine(text) {
		if word == "--" {
			break
		}
		key, value, hasValue := strings.Cut(word, "=")
		switch strings.ReplaceAll(key, "-", "_") {
		case "root":
			ref, err := blockdev.ParseRef(value)
			if err != nil {
				problems = append(problems, fmt.Errorf("root=: %w", err))
			}
			l.Root = ref
		case "rootwait":
			if !hasValue {
				l.Wait = longest
				continue
			}
			seconds(key, value, &l.Wait)
		case "reprise.system":
			l.System = value
			if !isStorePath(value) {
				problems = append(problems, fmt.Errorf("reprise.system=%q is not a store path", value))
			}
		case "reprise.timeout":
			seconds(key, value, &l.Timeout)
		case "reprise.rescue":
			l.Rescue = !hasValue || value != "0"
		case "reprise.medium":
			ref, err := blockdev.ParseRef(value)
			if err != nil {
				problems = append(problems, fmt.Errorf("reprise.medium=: %w", err))
			}
			l.Medium = ref
		case "reprise.id":
			l.MediumID = strings.ToLower(value)
		case "reprise.mode":
			l.Mode = Mode(value)
			if !slices.Contains(modes, l.Mode) {
				problems = append(problems, fmt.Errorf("reprise.mode=%q: want one of %q", value, modes))
				l.Mode = ModeRescue // changes nothing on any disk
			}
		case "rootfstype":
			l.RootType = value
		case "rd.luks.name":
			uuid, name, _ := strings.Cut(value, "=")
			if uuid == "" || name == "" || strings.Contains(name, "/") {
				problems = append(problems, fmt.Errorf("rd.luks.name=%q: want UUID=NAME", value))
				continue
			}
			l.LUKS = append(l.LUKS, NamedLUKS{strings.ToLower(uuid), name})
		case "rd.luks.options":
			l.luksOptions(value, func(value string) { seconds("rd.luks.options=timeout", value, &l.Patience) })
		case "ro":
			l.ReadOnly = true
		case "rw":
			l.ReadOnly = false
		case "init":
			if !strings.HasPrefix(value, "/") {
				problems = append(problems, fmt.Errorf("init=%q is not an absolute path", value))
				continue
			}
			l.Init = value
		case "panic":
			l.Panic = true
		case "modprobe.blacklist", "module_blacklist":
			for name := range strings.SplitSeq(value, ",") {
				l.Refused[kmod.Name(name)] = true
			}
		default:
			l.option(key, value, hasValue)
		}
	}
	switch {
	case l.Medium.Key == "":
		l.Mode = ""
	case l.Mode == "":
		l.Mode = ModeInstall
	}
	return l, problems
}

// luksOptions reads options as crypttab(5) has them, for one device (UUID=…) or
// for all. Those that are not known concern other programs.
func (l *Line) luksOptions(value string, timeout func(string)) {
	if before, after, ok := strings.Cut(value, "="); ok && len(before) == 36 {
		value = after
	}
	for option := range strings.SplitSeq(value, ",") {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "discard":
			l.Discard = true
		case "timeout":
			timeout(strings.TrimSuffix(value, "s"))
		}
	}
}

// option keeps "usbcore.autosuspend=-1" for the module usbcore. Our own words
// and systemd's are no modules.
func (l *Line) option(key, value string, hasValue bool) {
	module, parameter, ok := strings.Cut(key, ".")
	if !ok || module == "" || parameter == "" || module == "reprise" || module == "systemd" || module == "rd" {
		return
	}
	if hasValue {
		if strings.ContainsAny(value, " \t") {
			value = `"` + value + `"`
		}
		parameter += "=" + value
	}
	name := kmod.Name(module)
	l.Options[name] = strings.TrimSpace(l.Options[name] + " " + parameter)
}

// splitLine splits at white space outside of double quotes, and takes the
// quotes away, as the kernel's next_arg does.
func splitLine(text string) []string {
	var words []string
	var word strings.Builder
	quoted, begun := false, false
	for _, c := range []byte(text) {
		switch {
		case c == '"':
			quoted, begun = !quoted, true
		case !quoted && (c == ' ' || c >= '\t' && c <= '\r'):
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}

// isStorePath says whether s is "/nix/store/<32 characters>-<name>" and
// nothing below it. Only that form is joined to the disk's own path.
func isStorePath(s string) bool {
	base, ok := strings.CutPrefix(s, "/nix/store/")
	if !ok || len(base) < 34 || base[32] != '-' || strings.ContainsAny(base, "/\x00") {
		return false
	}
	for _, c := range base[:32] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
