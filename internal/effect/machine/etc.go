package machine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reprise/internal/activation"
	"reprise/internal/config"
	"reprise/internal/effect"
)

// etcSpec is what the effect writes: all but copies of packages' files is in
// the spec itself.
type etcSpec struct {
	Files  map[string]textFile `json:"files"` // by path, "etc/hostname"
	Links  map[string]string   `json:"links"`
	Copies []fileCopy          `json:"copies"`
	Shells []string            `json:"shells"` // packages with shells.d entries
	PAMEnv []string            `json:"pamEnv"` // lines for the end of pam_env.conf
	OS     bool                `json:"os"`     // write our os-release over base-files' own
}

type textFile struct {
	Mode uint32 `json:"mode"` // decimal in JSON
	Text string `json:"text"`
}

type fileCopy struct {
	Package string `json:"package"`
	From    string `json:"from"`
	To      string `json:"to"`
	Mode    uint32 `json:"mode"` // decimal in JSON
}

const (
	shellsBase = "usr/share/debianutils/shells"
	shellsDir  = "usr/share/debianutils/shells.d"
	pamEnvFile = "etc/security/pam_env.conf"
	osRelease  = "usr/lib/os-release"
	sshdConfig = "usr/share/openssh/sshd_config"
)

// realTools is where the programs that the state tool stands for are kept
// under their own names; see internal/passwdtool.
const realTools = "usr/lib/reprise/tools"

// stateTools are programs that write shadow, with their modes. Each becomes a
// call of reprise's state tool; the program itself moves to realTools.
var stateTools = map[string]uint32{
	"usr/bin/passwd": 0o4755, "usr/bin/chage": 0o2755, "usr/sbin/chpasswd": 0o755,
}

// etcFiles writes the files of /etc that come from the configuration, and
// those of which a machine of ours needs its own version.
func etcFiles() effect.Effect {
	return effect.Effect{
		Name:      "etc",
		Overrides: true,
		Needed:    always,
		Reads: func(cfg *config.Config, c *effect.Contents) []string {
			reads := append(c.Below(shellsDir), packagesWith(c, shellsBase, pamEnvFile, osRelease)...)
			for _, copy := range etcCopies(c) {
				reads = append(reads, copy.Package)
			}
			return reads
		},
		Spec:  func(cfg *config.Config, c *effect.Contents) (any, error) { return etcPlan(cfg, c) },
		Build: buildEtc,
	}
}

// etcCopies are files of packages that appear under another name.
func etcCopies(c *effect.Contents) []fileCopy {
	var copies []fileCopy
	if p := c.Owner(sshdConfig); p != nil {
		copies = append(copies, fileCopy{p.Name, sshdConfig, "etc/ssh/sshd_config", 0o644})
	}
	for _, program := range slices.Sorted(maps.Keys(stateTools)) {
		if p := c.Owner(program); p != nil {
			copies = append(copies, fileCopy{p.Name, program, realTools + "/" + program[strings.LastIndexByte(program, '/')+1:], 0o755})
		}
	}
	return copies
}

func etcPlan(cfg *config.Config, c *effect.Contents) (*etcSpec, error) {
	zone := "usr/share/zoneinfo/" + cfg.Time.TimeZone
	if !has(c, zone) {
		return nil, fmt.Errorf("time.timeZone is %q: there is no /%s", cfg.Time.TimeZone, zone)
	}
	p := &etcSpec{
		Files: map[string]textFile{}, Copies: etcCopies(c), Shells: c.Below(shellsDir), OS: has(c, osRelease),
		Links: map[string]string{
			"etc/adjtime":        "/" + activation.StateDir + "/adjtime",
			"etc/default/locale": "../locale.conf",
			"etc/localtime":      "/" + zone,
			"etc/machine-id":     "/" + activation.MachineID,
			"etc/mtab":           "../proc/self/mounts",
			"etc/reprise":        "/" + activation.Configuration,
			"etc/vconsole.conf":  "default/keyboard", // as systemd's tmpfiles.d has it
			"etc/.pwd.lock":      "/run/.pwd.lock",
		},
	}
	text := func(name, content string) { p.Files["etc/"+name] = textFile{0o644, content} }
	text("hostname", cfg.Networking.HostName+"\n")
	text("hosts", hosts(cfg))
	text("networks", "default\t\t0.0.0.0\nloopback\t127.0.0.0\nlink-local\t169.254.0.0\n\n")
	text("timezone", cfg.Time.TimeZone+"\n")
	text("locale.conf", "LANG="+cfg.I18n.DefaultLocale+"\n")
	text("default/keyboard", keyboard(cfg))
	text("issue", "reprise on Debian GNU/Linux 13, \\n \\l\n\n")
	text("issue.net", "reprise on Debian GNU/Linux 13\n")
	text(".updated", "# /etc is made with the generation. Written by reprise.\nTIMESTAMP_NSEC=1000000000\n")
	fstab, err := fileSystems(cfg)
	if err != nil {
		return nil, err
	}
	text("fstab", fstab)
	for name, content := range tunables(cfg) {
		text(name, content)
	}
	variables(cfg, p, text)
	network(cfg, p, text)
	if has(c, sshdConfig) {
		ssh(cfg, text)
	}
	if has(c, "usr/sbin/ifup") { // networking.service fails without
		text("network/interfaces", "# Written by reprise: systemd-networkd has the interfaces.\nsource /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n")
	}
	programs(c, p)
	own, err := ownFiles(cfg)
	if err != nil {
		return nil, err
	}
	for name, f := range own {
		delete(p.Links, "etc/"+name)
		p.Files["etc/"+name] = f
	}
	return p, nil
}

// programs are the links through which the machine's own program answers for
// others, and small files that go with them.
func programs(c *effect.Contents, p *etcSpec) {
	for program := range stateTools {
		if has(c, program) {
			p.Links[program] = "/usr/lib/reprise/state-tool"
		}
	}
}

// keyboard is keyboard(5), with the key map of the console beside it for
// vconsole.conf(5). The X server has it from udev.
func keyboard(cfg *config.Config) string {
	k := cfg.Services.Xserver.Xkb
	return "KEYMAP=" + cfg.Console.KeyMap + "\nXKBMODEL=pc105\nXKBLAYOUT=" + k.Layout + "\nXKBVARIANT=" + k.Variant +
		"\nXKBOPTIONS=" + k.Options + "\nBACKSPACE=guess\n"
}

func withNewline(s string) string {
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

// hosts names this machine by its loopback address: sudo and others want to
// find it.
func hosts(cfg *config.Config) string {
	names := cfg.Networking.HostName
	if cfg.Networking.Domain != "" {
		names = names + "." + cfg.Networking.Domain + " " + names
	}
	return "127.0.0.1\tlocalhost\n127.0.1.1\t" + names +
		"\n::1\t\tlocalhost ip6-localhost ip6-loopback\nff02::1\t\tip6-allnodes\nff02::2\t\tip6-allrouters\n"
}

// fileSystems is /etc/fstab. The ESP has no number that is known here; its
// partition's name is that which image/layout gives. Nofail: the machine runs
// without it, and a copy of the system may lie on a disk that has none. A busy
// machine with a slow disk is given its time to find it.
func fileSystems(cfg *config.Config) (string, error) {
	var b strings.Builder
	b.WriteString("# Written by reprise: fileSystems.\nPARTLABEL=ESP\t/efi\tvfat\tumask=0077,nofail,x-systemd.device-timeout=5min\t0 0\n")
	for _, point := range slices.Sorted(maps.Keys(cfg.FileSystems)) {
		fs := cfg.FileSystems[point]
		options := strings.Join(fs.Options, ",")
		if options == "" {
			options = "defaults"
		}
		for _, word := range []string{fs.Device, point, fs.FSType, options} {
			if word == "" || strings.ContainsAny(word, "\n") {
				return "", fmt.Errorf("fileSystems.%q: %q cannot stand in fstab", point, word)
			}
		}
		escape := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`).Replace
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t0 0\n", escape(fs.Device), escape(point), escape(fs.FSType), escape(options))
	}
	return b.String(), nil
}

func sysctl(cfg *config.Config) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(cfg.Boot.Kernel.Sysctl)) {
		fmt.Fprintf(&b, "%s = %s\n", key, cfg.Boot.Kernel.Sysctl[key])
	}
	return b.String()
}

func limits(cfg *config.Config) string {
	var b strings.Builder
	for _, l := range cfg.Security.PAM.LoginLimits {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", l.Domain, l.Type, l.Item, l.Value)
	}
	return b.String()
}

// variables reach login shells through profile.d, services of users through
// environment.d, and every other session (an ssh command, a display manager)
// through pam_env.
func variables(cfg *config.Config, p *etcSpec, text func(name, content string)) {
	if len(cfg.Environment.Variables) == 0 {
		return
	}
	var profile, environment strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cfg.Environment.Variables)) {
		value := cfg.Environment.Variables[name]
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`").Replace(value)
		fmt.Fprintf(&profile, "export %s=\"%s\"\n", name, quoted)
		fmt.Fprintf(&environment, "%s=\"%s\"\n", name, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value))
		// pam_env.conf(5) has quotes for spaces, and no escape for quotes.
		if strings.ContainsAny(value, " \t") {
			p.PAMEnv = append(p.PAMEnv, name+` DEFAULT="`+strings.ReplaceAll(pamValue(value), `"`, "")+`"`)
		} else {
			p.PAMEnv = append(p.PAMEnv, name+" DEFAULT="+pamValue(value))
		}
	}
	text("profile.d/reprise.sh", profile.String())
	text("environment.d/60-reprise.conf", environment.String())
}

// pamValue writes variables as pam_env.conf(5) has them: the home directory
// is @{HOME}, others are ${NAME}.
func pamValue(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i++
		case s[i] == '@':
			b.WriteString(`\@`)
		case s[i] == '$':
			j := i + 1
			braces := j < len(s) && s[j] == '{'
			if braces {
				j++
			}
			start := j
			for j < len(s) && (s[j] == '_' || s[j] >= '0' && s[j] <= '9' || s[j] >= 'A' && s[j] <= 'Z' || s[j] >= 'a' && s[j] <= 'z') {
				j++
			}
			name := s[start:j]
			if braces && j < len(s) && s[j] == '}' {
				j++
			}
			switch name {
			case "":
				b.WriteString(`\$`)
			case "HOME", "SHELL":
				b.WriteString("@{" + name + "}")
			default:
				b.WriteString("${" + name + "}")
			}
			i = max(j-1, i)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// ssh says where keys are: the machine's own in its state, people's in files
// of root's that nobody but a new generation can change, and in their homes.
func ssh(cfg *config.Config, text func(name, content string)) {
	text("ssh/sshd_config.d/05-reprise-state.conf", "HostKey /"+activation.HostKey+
		"\nAuthorizedKeysFile /etc/ssh/authorized_keys.d/%u .ssh/authorized_keys\n")
	for _, name := range slices.Sorted(maps.Keys(cfg.Users.Users)) {
		if keys := cfg.Users.Users[name].OpenSSH.AuthorizedKeys.Keys; len(keys) > 0 {
			text("ssh/authorized_keys.d/"+name, strings.Join(keys, "\n")+"\n")
		}
	}
}

func buildEtc(_ context.Context, e *effect.Env) error {
	var spec etcSpec
	if err := e.Decode(&spec); err != nil {
		return err
	}
	out := e.Output()
	for _, name := range slices.Sorted(maps.Keys(spec.Files)) {
		out.File(name, spec.Files[name].Mode, 0, 0, []byte(spec.Files[name].Text))
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Links)) {
		out.Symlink(name, spec.Links[name])
	}
	for _, c := range spec.Copies {
		if _, ok := spec.Files[c.To]; ok {
			continue
		}
		out.Copy(c.To, e.File(e.Packages.Get(c.Package), c.From), c.Mode)
	}
	owner := func(path string) ([]byte, error) {
		if p := e.Packages.Owner(path); p != nil {
			return e.ReadFile(p.Name, path)
		}
		return nil, nil
	}
	if _, ok := spec.Files["etc/shells"]; !ok && len(spec.Shells) > 0 {
		base, err := owner(shellsBase)
		if err != nil {
			return err
		}
		more, err := readAll(e, shellsDir, "")
		if err != nil {
			return err
		}
		out.Text("etc/shells", shells(string(base), more))
	}
	if _, ok := spec.Files[pamEnvFile]; !ok && len(spec.PAMEnv) > 0 {
		base, err := owner(pamEnvFile)
		if err != nil {
			return err
		}
		out.Text(pamEnvFile, withNewline(string(base))+strings.Join(spec.PAMEnv, "\n")+"\n")
	}
	if spec.OS {
		base, err := owner(osRelease)
		if err != nil {
			return err
		}
		out.Text(osRelease, ourRelease(string(base)))
	}
	return out.Close()
}

// shells is what update-shells(8) makes of the base file and the shells.d
// entries: each line once, under each of the names that the merged /usr gives
// it when the base has the one in /bin.
func shells(base string, more map[string][]byte) string {
	seen := map[string]bool{}
	var b strings.Builder
	add := func(shell string) {
		if !seen[shell] {
			seen[shell] = true
			b.WriteString(shell + "\n")
		}
	}
	real := func(shell string) string {
		if strings.HasPrefix(shell, "/bin/") || strings.HasPrefix(shell, "/sbin/") {
			return "/usr" + shell
		}
		return shell
	}
	lines := func(text string) {
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			shell, _, _ := strings.Cut(line, "#")
			if shell == "" {
				if strings.HasPrefix(line, "#") {
					b.WriteString(line + "\n")
				}
				continue
			}
			add(shell)
			add(real(shell))
		}
	}
	lines(base)
	for _, name := range slices.Sorted(maps.Keys(more)) {
		for line := range strings.Lines(string(more[name])) {
			if shell, _, _ := strings.Cut(strings.TrimSpace(line), "#"); shell != "" {
				add(shell)
				add(real(shell))
			}
		}
	}
	return b.String()
}

// ourRelease turns Debian's os-release into ours: what is installed is
// Debian's, so ID_LIKE, version and code name stay true.
func ourRelease(debian string) string {
	own := [][2]string{
		{"PRETTY_NAME", `"reprise (Debian GNU/Linux 13 trixie)"`}, {"NAME", `"reprise"`}, {"ID", "reprise"}, {"ID_LIKE", "debian"},
	}
	var b strings.Builder
	for _, kv := range own {
		b.WriteString(kv[0] + "=" + kv[1] + "\n")
	}
	for line := range strings.Lines(debian) {
		key, _, _ := strings.Cut(line, "=")
		switch key {
		case "VERSION", "VERSION_ID", "VERSION_CODENAME", "DEBIAN_VERSION_FULL":
			b.WriteString(withNewline(line))
		}
	}
	return b.String()
}
