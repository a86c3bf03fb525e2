package tui

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/config"
	"reprise/internal/diag"
)

// Names of steps, for going back to one.
const (
	stepWelcome    = "welcome"
	stepLanguage   = "language"
	stepKeyboard   = "keyboard"
	stepNetwork    = "network"
	stepMachine    = "machine"
	stepProfile    = "profile"
	stepDisk       = "disk"
	stepEncryption = "encryption"
	stepPerson     = "person"
	stepZone       = "zone"
	stepReview     = "review"
	stepConfirm    = "confirm"
)

// title is what the first screen says on every console.
const title = "Install reprise"

// steps are the screens in their order, up to the consent.
func steps() []step {
	return []step{
		{id: stepWelcome, title: "Welcome", text: welcomeText,
			hint: "Enter goes on, Esc goes back, Tab and the arrows move. Ctrl-C leaves; it asks first."},
		{id: stepLanguage, title: "Language", text: say("The language and the formats of the installed system. This installer speaks English."),
			fields: func(s *Session) []field {
				return []field{{id: "locale", kind: search, label: "Language", options: s.locales(), value: &s.Said.Locale}}
			}},
		{id: stepKeyboard, title: "Keyboard", text: say("The keyboard of the installed system's text consoles. In this installer the keys stay as they are."),
			fields: func(s *Session) []field {
				return []field{{id: "keyMap", kind: search, label: "Keyboard", options: s.keyMaps(), value: &s.Said.KeyMap}}
			}},
		{id: stepNetwork, title: "Network", fields: networkFields,
			text: say("The installation needs no network: everything is on the medium. This is for the installed system.")},
		{id: stepMachine, title: "This machine", text: machineText, keys: "r look again"},
		{id: stepProfile, title: "Profile", fields: profileFields, text: say("What this machine is to be. The medium carries all of it.")},
		{id: stepDisk, title: "Disk", text: diskText, fields: diskFields, leave: probeDisk, keys: "r look again"},
		{id: stepEncryption, title: "File system and encryption", text: keysText("The passphrase is typed on an American keyboard, here and at each start."), fields: encryptionFields, keys: "Ctrl-T show or hide"},
		{id: stepPerson, title: "Host and user", text: keysText("The keys of this machine's screen are those of an American keyboard here, and of yours once it is installed: look at a password before you go on."), fields: personFields, leave: hashPassword, keys: "Ctrl-T show or hide"},
		{id: stepZone, title: "Time zone", fields: func(s *Session) []field {
			return []field{{id: "zone", kind: search, label: "Time zone", options: s.zones(), value: &s.Said.Zone}}
		}, leave: makePlan},
		{id: stepReview, title: "Review", text: reviewText, keys: "h hardware   c configuration",
			hint: "Press h to read and edit hardware.jsonnet, c for configuration.jsonnet."},
		{id: stepConfirm, title: "Erase and install", text: confirmText, fields: confirmFields},
	}
}

// say is a text that is always the same.
func say(sentence string) func(*Session, int) string {
	return func(_ *Session, width int) string { return wrap(sentence, width) }
}

// keysText warns those whose keyboard is another one than the installer's.
func keysText(sentence string) func(*Session, int) string {
	return func(s *Session, width int) string {
		if s.Said.KeyMap == "us" {
			return ""
		}
		return wrap(sentence, width)
	}
}

func welcomeText(s *Session, width int) string {
	var b strings.Builder
	b.WriteString(title + "\n\n")
	b.WriteString(wrap("This installs a Linux for musicians on a disk of this machine. You are asked a few questions; then the exact plan is shown. Nothing is written before you have agreed to it.", width))
	b.WriteString("\nThis medium carries:\n\n")
	if s.Medium != nil {
		for _, system := range s.Medium.Systems {
			b.WriteString(hang(fmt.Sprintf("  %-12s ", system.Name), system.Title, width))
		}
	}
	if s.LookErr != nil {
		b.WriteString("\n" + hang("! ", "The machine could not be looked at: "+s.LookErr.Error(), width))
	}
	return b.String()
}

// machineText says what the machine means for sound, and then what it is.
func machineText(s *Session, width int) string {
	if s.Facts == nil {
		return "Looking at the machine ...\n"
	}
	var page strings.Builder
	if err := s.Facts.WritePage(&page); err != nil {
		return err.Error()
	}
	return fit(s.advice().Text()+"\nWHAT WAS FOUND\n\n"+page.String(), width)
}

func profileFields(s *Session) []field {
	f := field{id: "profile", kind: choice, label: "Profile", value: &s.Said.Profile}
	for _, system := range s.Medium.Systems {
		o := option{value: system.Name, label: system.Name}
		if system.Title != "" {
			o.label += ": " + system.Title
		}
		kernel := "kernel " + system.KernelVersion
		if system.Realtime {
			kernel += ", real-time"
		}
		var size int64
		for _, p := range s.Medium.Needed(&system, false) {
			size += p.Size
		}
		o.detail = []string{kernel + "; " + amount(size) + " on the disk"}
		f.options = append(f.options, o)
	}
	return []field{f}
}

func networkFields(s *Session) []field {
	said := &s.Said
	list := []field{{id: "network", kind: choice, label: "Network", value: &said.Network, options: []option{
		{value: netProfile, label: "Automatic: as the profile says, which means DHCP by cable"},
		{value: netFixed, label: "A fixed address"},
	}}}
	if said.Network != netFixed {
		return list
	}
	faces := field{id: "interface", kind: choice, label: "Interface", value: &said.Interface}
	if s.Facts != nil {
		for _, n := range s.Facts.Network {
			if n.Kind != "ethernet" {
				continue
			}
			label := n.Name + ", " + n.Address.Or("address not known")
			if on, ok := n.Carrier.Get(); ok {
				label += map[bool]string{true: ", a cable is in", false: ", no cable"}[on]
			}
			faces.options = append(faces.options, option{value: n.Name, label: label})
		}
	}
	if len(faces.options) == 0 {
		faces.kind, faces.help = text, "No Ethernet interface was found. Its name, such as enp3s0."
	}
	faces.check = func() string {
		return checkOption("networking.interfaces", said.Interface)
	}
	return append(list, faces,
		field{id: "address", kind: text, label: "Address", help: "With the length of the prefix: 192.168.7.2/24", value: &said.Address,
			check: func() string {
				return checkOption("networking.interfaces.<name>.addresses", strings.TrimSpace(said.Address))
			}},
		field{id: "gateway", kind: text, label: "Gateway", help: "May be empty.", value: &said.Gateway, check: func() string { return gatewayComplaint(said.Address, said.Gateway) }},
		field{id: "nameServers", kind: text, label: "Name servers", help: "Addresses with spaces between them; may be empty.", value: &said.NameServers, check: func() string {
			for _, n := range strings.FieldsFunc(said.NameServers, func(r rune) bool { return r == ' ' || r == ',' }) {
				if c := checkOption("networking.nameservers", n); c != "" {
					return c
				}
			}
			return ""
		}})
}

func gatewayComplaint(address, gateway string) string {
	gateway = strings.TrimSpace(gateway)
	if gateway == "" {
		return ""
	}
	if c := checkOption("networking.defaultGateway", gateway); c != "" {
		return c
	}
	prefix, err := netip.ParsePrefix(strings.TrimSpace(address))
	if at, bad := netip.ParseAddr(gateway); err == nil && bad == nil && !prefix.Contains(at) {
		return "is not in " + prefix.Masked().String()
	}
	return ""
}

// checkOption judges a value as the configuration would.
func checkOption(name, value string) string {
	if value == "" {
		return "is not answered"
	}
	p := config.CheckText(name, value)
	if p == nil {
		return ""
	}
	return p.Got + "; want " + p.Want
}

func encryptionFields(s *Session) []field {
	said := &s.Said
	list := []field{
		{id: "fileSystem", kind: choice, label: "File system", value: &said.FileSystem, options: []option{
			{value: answers.Ext4, label: "ext4: the usual one"},
			{value: answers.Btrfs, label: "btrfs: with snapshots and checksums"},
		}},
		{id: "encryption", kind: choice, label: "Encryption", value: &said.Encryption, options: []option{
			{value: answers.NoEncryption, label: "None: the machine starts by itself"},
			{value: answers.LUKS2, label: "LUKS2: a passphrase is asked for at each start"},
		}},
	}
	if said.Encryption != answers.LUKS2 {
		return list
	}
	return append(list,
		field{id: "passphrase", kind: secret, label: "Passphrase", help: "8 characters or more. Without it nobody reads the disk, you included.", value: &said.Passphrase, check: func() string {
			switch n := len([]rune(said.Passphrase)); {
			case n == 0:
				return "is not answered"
			case n < 8:
				return fmt.Sprintf("has %d characters; want 8 or more", n)
			}
			return ""
		}},
		again("passphraseAgain", "Passphrase again", &said.Passphrase, &said.PassphraseAgain))
}

// again asks a second time for a secret, and says at once when it differs.
func again(id, label string, first, second *string) field {
	return field{id: id, kind: secret, label: label, value: second, repeats: true,
		live: func() string {
			if !strings.HasPrefix(*first, *second) {
				return "differs from the first one"
			}
			return ""
		},
		check: func() string {
			switch {
			case *first == *second:
				return ""
			case *second == "":
				return "is not answered"
			}
			return "is shorter than the first one"
		}}
}

func personFields(s *Session) []field {
	said := &s.Said
	trimmed := func(option string, value *string) func() string {
		return func() string { return checkOption(option, strings.TrimSpace(*value)) }
	}
	list := []field{
		{id: "host", kind: text, label: "Host name", help: "The name of this machine on the network.", value: &said.Host, check: trimmed("networking.hostName", &said.Host)},
		{id: "user", kind: text, label: "User", help: "The name to log in with. This user may use sudo.", value: &said.User, check: func() string {
			if strings.TrimSpace(said.User) == "root" {
				return "is root; want the name of a person"
			}
			return checkOption("users.users", strings.TrimSpace(said.User))
		}},
		{id: "fullName", kind: text, label: "Full name", help: "May be empty.", value: &said.FullName, check: func() string {
			if strings.TrimSpace(said.FullName) == "" {
				return ""
			}
			return checkOption("users.users.<name>.description", strings.TrimSpace(said.FullName))
		}},
		{id: "password", kind: secret, label: "Password", help: "May be empty when there is an ssh key; sudo needs one.", value: &said.Password, check: func() string {
			if n := len(said.Password); n > maxPassword {
				return fmt.Sprintf("has %d bytes; want %d at most", n, maxPassword)
			}
			return ""
		}},
		again("passwordAgain", "Password again", &said.Password, &said.PasswordAgain),
		{id: "keys", kind: text, label: "ssh key", help: "A line of a .pub file, to log in over the network. May be empty.", value: &said.Keys, check: func() string {
			for _, key := range keysOf(said.Keys) {
				if p := config.CheckText("users.users.<name>.openssh.authorizedKeys.keys", key); p != nil {
					return p.Got + "; want " + p.Want
				}
			}
			if said.Password == "" && len(keysOf(said.Keys)) == 0 {
				return "is empty, and so is the password: nobody could log in"
			}
			return ""
		}},
	}
	return list
}

// maxPassword is what bcrypt takes, in bytes.
const maxPassword = 72

// hashPassword makes the hash when the password has changed.
func hashPassword(s *Session) func(context.Context) (func(*Session), string) {
	password := s.Said.Password
	if password == s.hashOf && (s.hash == "") == (password == "") {
		return nil
	}
	hash := s.Actions.Hash
	return func(context.Context) (func(*Session), string) {
		if password == "" {
			return func(s *Session) { s.hash, s.hashOf = "", "" }, ""
		}
		made, err := hash(password)
		if err != nil {
			return nil, "The password cannot be used: " + err.Error()
		}
		return func(s *Session) { s.hash, s.hashOf = made, password }, ""
	}
}

// makePlan decides the installation.
func makePlan(s *Session) func(context.Context) (func(*Session), string) {
	a, actions := s.answers(), s.Actions
	return func(ctx context.Context) (func(*Session), string) {
		p, err := actions.Plan(ctx, a)
		if err != nil {
			return nil, complaintOf(err)
		}
		files, err := actions.Files(ctx, p)
		if err != nil {
			return nil, "The configuration cannot be made: " + complaintOf(err)
		}
		return func(s *Session) {
			s.Plan, s.Files, s.Said.Serial = p, files, ""
			s.keepEdits()
		}, ""
	}
}

// complaintOf tells problems to somebody at a screen, who writes no file.
func complaintOf(err error) string {
	var problems diag.Problems
	if !errors.As(err, &problems) {
		return err.Error()
	}
	var lines []string
	for _, p := range problems {
		lines = append(lines, strings.TrimSpace(p.Field+" "+p.Got)+". Wanted: "+p.Want+".")
	}
	return strings.Join(lines, "\n")
}

func reviewText(s *Session, width int) string {
	if s.Plan == nil {
		return ""
	}
	text := s.Plan.Text(width)
	var names []string
	for name := range s.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	return text + "\n" + hang("/etc/reprise: ", strings.Join(names, ", ")+". What was chosen for this machine, and why, stands in hardware.jsonnet.", width)
}

func confirmText(s *Session, width int) string {
	if s.Plan == nil {
		return ""
	}
	disk := plan.Disk{Path: s.Plan.Disk.Path, Model: s.Plan.Disk.Model, Serial: s.Plan.Disk.Serial, SizeBytes: s.Plan.Disk.SizeBytes}
	var b strings.Builder
	b.WriteString(wrap("EVERYTHING ON THIS DISK WILL BE LOST:", width) + "\n")
	b.WriteString(hang("  ", disk.Name(), width))
	if d := s.disk(); d != nil {
		for _, line := range holdings(*d) {
			b.WriteString("    " + line + "\n")
		}
	}
	b.WriteString("\n" + wrap("No other disk is written to. To agree, type "+wordName(disk)+" of the disk as it stands above. After that the installation begins.", width))
	return b.String()
}

func wordName(d plan.Disk) string {
	if d.Serial != "" {
		return "the serial number"
	}
	return "the path"
}

func confirmFields(s *Session) []field {
	if s.Plan == nil {
		return nil
	}
	disk := plan.Disk{Path: s.Plan.Disk.Path, Serial: s.Plan.Disk.Serial}
	name := map[bool]string{true: "Serial number", false: "Path"}[disk.Serial != ""]
	return []field{{id: "serial", kind: text, label: name, value: &s.Said.Serial, check: func() string {
		switch typed := strings.TrimSpace(s.Said.Serial); {
		case typed == "":
			return "is not answered: nothing was written"
		case typed != disk.Word():
			return fmt.Sprintf("is %q, and the disk has %q: nothing was written", typed, disk.Word())
		}
		return ""
	}}}
}

func amount(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
