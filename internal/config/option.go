package config

import (
	"encoding/json"
	"slices"
	"strings"

	"reprise/internal/config/program"
)

// An Option is one name that a configuration may set, as it is documented.
type Option struct {
	Name    string // "users.users.<name>.uid"; <…> stands for a name of the user's choice
	Type    string // "list of package names"
	Default string // in Jsonnet, or in words where it is computed
	Unit    string // "MiB", "seconds"; "" for none
	Range   string // "260 to 4096"; "" for none
	Doc     string // sentences, in plain text
	Example string // a value in Jsonnet

	kind     kind
	value    any  // default; nil when there is none, or a computed one
	computed bool // Default is words
}

// Computed says that Default is words: it depends on other options.
func (o Option) Computed() bool { return o.computed }

// Options returns every option, sorted by name: the source of the reference,
// the man page and completion.
func Options() []Option {
	return slices.SortedFunc(slices.Values(options), func(a, b Option) int { return strings.Compare(a.Name, b.Name) })
}

// options is every option there is. The field of Config that one sets has the
// same name.
var options = slices.Concat(machineOptions, userOptions, systemOptions, audioOptions, desktopOptions)

// declare makes an option. example is Jsonnet.
func declare(name string, k kind, value any, example, doc string) Option {
	o := Option{Name: name, Type: k.name(), Example: example, Doc: doc, kind: k, value: value}
	if n, ok := k.(integer); ok {
		o.Unit, o.Range = n.unit, program.Number(float64(n.min))+" to "+program.Number(float64(n.max))
	}
	o.Default = jsonnetLiteral(value)
	return o
}

// computed is declare for an option whose default depends on other options;
// words says how.
func computed(name string, k kind, words, example, doc string) Option {
	o := declare(name, k, nil, example, doc)
	o.Default, o.computed = words, true
	return o
}

// jsonnetLiteral writes a default value the way people write Jsonnet.
func jsonnetLiteral(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "'" + v + "'"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = jsonnetLiteral(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic("default does not encode: " + err.Error())
	}
	return string(text)
}

// none is the empty list as a default.
var none = []any{}

// freeNames says what the names of the user's choice look like, by the option
// they stand under.
var freeNames = map[string]format{
	"boot.initrd.luks.devices": mapperFormat,
	"environment.etc":          etcPathFormat,
	"fileSystems":              absoluteFormat,
	"networking.interfaces":    interfaceFormat,
	"systemd.units":            unitFormat,
	"systemd.user.units":       unitFormat,
	"users.groups":             groupNameFormat,
	"users.users":              userNameFormat,
}

// A hint answers an option that people bring along from NixOS or musnix and
// that has no place here.
type hint struct{ want, do string }

var foreign = map[string]hint{
	"environment.etc.<path>.source":             {"the text of the file", "write text: importstr 'FILE'"},
	"fonts.packages":                            {"a package among environment.systemPackages", "write environment+: { systemPackages+: ['fonts-dejavu'] }"},
	"hardware.pulseaudio":                       {"packages of Debian", "remove it"},
	"imports":                                   {"files joined with +", "write (import 'other.jsonnet') + { … }"},
	"musnix.kernel.packages":                    {"Debian's kernel", "write boot+: { kernelPackages: 'linux-rt' }"},
	"musnix.rtcqs":                              {"a package of Debian trixie; rtcqs is none", "remove it"},
	"musnix.rtirq.nonThreaded":                  {"settings that the kernel still knows", "remove it: the interrupt threads of one driver cannot be switched off any more"},
	"nixpkgs":                                   {"packages of Debian", "remove it"},
	"services.jack.jackd.session":               {"systemd's own bookkeeping", "remove it"},
	"services.openssh.passwordAuthentication":   {"NixOS's present name", "write services+: { openssh+: { settings+: { PasswordAuthentication: false } } }"},
	"services.openssh.permitRootLogin":          {"NixOS's present name", "write services+: { openssh+: { settings+: { PermitRootLogin: 'no' } } }"},
	"services.xserver.autorun":                  {"a display manager, or none", "remove it"},
	"services.xserver.displayManager.autoLogin": {"NixOS's present name", "write services+: { displayManager+: { autoLogin+: { enable: true, user: 'NAME' } } }"},
	"services.xserver.layout":                   {"NixOS's present name", "write services+: { xserver+: { xkb+: { layout: 'de' } } }"},
	"services.xserver.xkbVariant":               {"NixOS's present name", "write services+: { xserver+: { xkb+: { variant: 'nodeadkeys' } } }"},
	"sound":                                     {"nothing: ALSA is there by itself", "remove it"},
	"system":                                    {"nothing: every generation is built anew from this file", "remove it"},
	"systemd.services":                          {"the unit's text", "write systemd+: { units+: { 'NAME.service': { text: …, wantedBy: ['multi-user.target'] } } }"},
	"systemd.user.services":                     {"the unit's text", "write systemd+: { user+: { units+: { 'NAME.service': { text: …, wantedBy: ['default.target'] } } } }"},
	"users.users.<name>.hashedPassword":         {"an ssh key: a password hash in an image is for everybody to read", "write openssh: { authorizedKeys: { keys: ['ssh-ed25519 …'] } }"},
	"users.users.<name>.initialPassword":        {"an ssh key: a password in an image is for everybody to read", "write openssh: { authorizedKeys: { keys: ['ssh-ed25519 …'] } }"},
	"users.users.<name>.password":               {"an ssh key: a password in an image is for everybody to read", "write openssh: { authorizedKeys: { keys: ['ssh-ed25519 …'] } }"},
	"users.users.<name>.isSystemUser":           {"nothing: packages bring their own accounts", "remove it"},
	"users.users.<name>.group":                  {"nothing: every user has a group of the same name", "remove it, or write extraGroups"},
	"users.users.<name>.packages":               {"packages for the whole machine", "write environment+: { systemPackages+: […] }"},
}
