package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"reprise/internal/activation"
)

// Modules turn an option into the plain options it stands for, as NixOS's do,
// so that only those have to be served. What the user's file sets goes before
// what a module would set. Modules run on a Config without problems.

// A module serves an option; Settings tells by which one.
type module struct {
	option string
	apply  func(*Config)
}

// modules are all there are. Their order does not matter, but for the governor
// that musnix chooses: no module reads what another writes.
var modules = []module{
	{"musnix.enable", musnix},
	{"musnix.ffado.enable", ffado},
	{"musnix.das_watchdog.enable", dasWatchdog},
	{"musnix.soundcardPciId", pciLatency},
	{"musnix.rtirq.enable", rtirq},
	{"services.jack.jackd.enable", jack},
	{"services.pipewire.enable", pipewire},
	{"powerManagement.cpuFreqGovernor", governor},
	{"powerManagement.maxIdleLatency", idle},
	{"services.openssh.enable", openssh},
	{"security.sudo.enable", sudo},
	{"console.keyMap", keyMap},
	{"services.getty.autologinUser", autologin},
	{"boot.blacklistedKernelModules and boot.extraModprobeConfig", modprobe},
	{"boot.initrd.supportedFilesystems", rootFileSystems},
	{"boot.initrd.luks.devices", encryptedDevices},
	{"networking.networkmanager.enable", networkManager},
	{"services.xserver.enable", xserver},
	{"security.polkit.enable", authority},
	{"hardware.cpu", microcode},
	{"hardware.enableRedistributableFirmware", redistributable},
}

// withAll returns have with more behind it, each value once.
func withAll(have []string, more ...string) []string {
	all := slices.Clone(have)
	for _, m := range more {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all
}

// install adds packages on behalf of an option.
func (c *Config) install(option string, packages ...string) {
	for _, p := range packages {
		if !slices.Contains(c.Environment.SystemPackages, p) {
			c.Environment.SystemPackages = append(c.Environment.SystemPackages, p)
			c.origins[p] = option
		}
	}
}

// etc sets a file that the user's file does not set.
func (c *Config) etc(path, mode, text string) { absent(c.Environment.Etc, path, EtcFile{text, mode}) }

// unit sets a unit, or of a unit of the user's what is left open there.
func unit(units map[string]Unit, name, text string, wantedBy ...string) {
	u, ok := units[name]
	if ok && !u.Enable {
		return
	}
	if u.Enable = true; u.Text == "" {
		u.Text = text
	}
	if len(u.WantedBy) == 0 {
		u.WantedBy = append([]string{}, wantedBy...)
	}
	units[name] = u
}

func absent[V any](m map[string]V, key string, value V) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

// redistributable installs firmware.
func redistributable(c *Config) {
	if c.Hardware.EnableRedistributableFirmware {
		c.install("hardware.enableRedistributableFirmware", firmware...)
	}
}

// firmware is what Debian trixie has in main and non-free-firmware for network,
// graphics and sound hardware of PCs.
var firmware = []string{
	"firmware-amd-graphics", "firmware-atheros", "firmware-brcm80211", "firmware-cirrus", "firmware-intel-graphics", "firmware-intel-misc",
	"firmware-intel-sound", "firmware-iwlwifi", "firmware-linux-free", "firmware-mediatek", "firmware-misc-nonfree", "firmware-realtek",
	"firmware-sof-signed",
}

// musnix is the tuning of musnix itself (its modules/base.nix), but for:
// rtprio is 95 as Debian has it, so that nothing of a user's runs above the
// kernel's watchdogs at 99; nice, and room for file watches, which the outside
// examinations of real-time set-ups ask for.
func musnix(c *Config) {
	m := c.Musnix
	if m.Enable {
		c.Boot.KernelParams = withAll(c.Boot.KernelParams, "threadirqs")
		absent(c.Boot.Kernel.Sysctl, "vm.swappiness", "10")
		absent(c.Boot.Kernel.Sysctl, "fs.inotify.max_user_watches", "524288")
		if m.AlsaSeq.Enable {
			c.Boot.KernelModules = withAll(c.Boot.KernelModules, "snd-seq", "snd-rawmidi")
		}
		if c.PowerManagement.CPUFreqGovernor == "" {
			c.PowerManagement.CPUFreqGovernor = "performance"
		}
		for _, l := range []LoginLimit{
			{"@audio", "-", "rtprio", "95"}, {"@audio", "-", "memlock", "unlimited"}, {"@audio", "-", "nice", "-19"},
			{"@audio", "soft", "nofile", "99999"}, {"@audio", "hard", "nofile", "99999"},
		} {
			if !slices.ContainsFunc(c.Security.PAM.LoginLimits, l.sameAs) {
				c.Security.PAM.LoginLimits = append(c.Security.PAM.LoginLimits, l)
			}
		}
		c.Services.Udev.ExtraRules = strings.TrimLeft(c.Services.Udev.ExtraRules+"\n"+audioDevices, "\n")
		for variable, dir := range pluginPaths {
			absent(c.Environment.Variables, variable, fmt.Sprintf("$HOME/.%[1]s:/usr/local/lib/%[1]s:/usr/lib/%[1]s:/usr/lib/x86_64-linux-gnu/%[1]s", dir))
		}
	}
}

// ffado is FireWire's sound cards.
func ffado(c *Config) {
	if c.Musnix.Ffado.Enable {
		c.install("musnix.ffado.enable", "ffado-tools", "jackd2-firewire", "libffado2")
	}
}

// dasWatchdog runs Debian's das_watchdog.
func dasWatchdog(c *Config) {
	if !c.Musnix.DasWatchdog.Enable {
		return
	}
	c.install("musnix.das_watchdog.enable", "das-watchdog")
	unit(c.Systemd.Units, "das-watchdog.service", `[Unit]
Description=Take real-time priority from programs that hog the machine

[Service]
ExecStart=/usr/sbin/das_watchdog
`, "multi-user.target")
}

// pciLatency gives the sound card long turns on the PCI bus.
func pciLatency(c *Config) {
	card := c.Musnix.SoundcardPCIID
	if card == "" {
		return
	}
	c.install("musnix.soundcardPciId", "pciutils")
	// musnix sets every other device to b0 first. On a machine with FireWire
	// that made JACK hang, so only the card is touched.
	unit(c.Systemd.Units, "pci-latency.service", `[Unit]
Description=Latency timer of the sound card on the PCI bus

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/setpci -v -s `+card+` latency_timer=ff
`, "multi-user.target")
}

// sameAs reports whether two limits would fight: "-" is soft and hard at once.
func (l LoginLimit) sameAs(other LoginLimit) bool {
	return l.Domain == other.Domain && l.Item == other.Item && (l.Type == other.Type || l.Type == "-" || other.Type == "-")
}

// audioDevices opens timers and the processors' latency to group audio.
const audioDevices = `KERNEL=="rtc0", GROUP="audio"
KERNEL=="hpet", GROUP="audio"
DEVPATH=="/devices/virtual/misc/cpu_dma_latency", OWNER="root", GROUP="audio", MODE="0660"
`

// pluginPaths are the directories of plugin formats, by the variable that
// hosts read.
var pluginPaths = map[string]string{
	"CLAP_PATH": "clap", "DSSI_PATH": "dssi", "LADSPA_PATH": "ladspa", "LV2_PATH": "lv2", "LXVST_PATH": "lxvst", "VST3_PATH": "vst3", "VST_PATH": "vst",
}

// rtirq runs Debian's rtirq with these priorities. Its own start-up file is for
// System V only.
func rtirq(c *Config) {
	r := c.Musnix.Rtirq
	if !r.Enable {
		return
	}
	c.install("musnix.rtirq.enable", "rtirq-init", "procps")
	var b strings.Builder
	fmt.Fprintf(&b, "RTIRQ_NAME_LIST=%q\nRTIRQ_PRIO_HIGH=%d\nRTIRQ_PRIO_DECR=%d\nRTIRQ_PRIO_LOW=%d\nRTIRQ_RESET_ALL=%d\n",
		r.NameList, r.PrioHigh, r.PrioDecr, r.PrioLow, r.ResetAll)
	if r.HighList != "" {
		fmt.Fprintf(&b, "RTIRQ_HIGH_LIST=%q\n", r.HighList)
	}
	c.etc("default/rtirq", "0644", b.String())
	unit(c.Systemd.Units, "rtirq.service", `[Unit]
Description=Priorities of interrupt threads
After=sound.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/init.d/rtirq start
ExecStop=/etc/init.d/rtirq stop
`, "multi-user.target")
}

// jack runs jackd for every normal user in group audio: their limits come from
// PAM, and the unit raises the soft ones to them.
func jack(c *Config) {
	j := c.Services.Jack.Jackd
	if !j.Enable {
		return
	}
	c.install("services.jack.jackd.enable", "jackd2")
	words := []string{"/usr/bin/jackd"}
	for _, o := range j.ExtraOptions {
		words = append(words, unitWord(o))
	}
	unit(c.Systemd.User.Units, "jackd.service", `[Unit]
Description=JACK sound server
ConditionGroup=audio
ConditionUser=!root

[Service]
Environment=JACK_NO_AUDIO_RESERVATION=1
ExecStart=`+strings.Join(words, " ")+`
LimitRTPRIO=infinity
LimitMEMLOCK=infinity
Restart=on-failure
`, "default.target")
}

// unitWord writes one word of a command line for ExecStart=, where % and $
// have meanings. Quotes, backslashes and spaces are not in the option's format.
func unitWord(s string) string {
	return strings.NewReplacer("%", "%%", "$", "$$").Replace(s)
}

// openssh writes a drop-in that goes before Debian's own settings.
func openssh(c *Config) {
	s := c.Services.OpenSSH
	if !s.Enable {
		return
	}
	c.install("services.openssh.enable", "openssh-server")
	var b strings.Builder
	for _, port := range s.Ports {
		fmt.Fprintf(&b, "Port %d\n", port)
	}
	fmt.Fprintf(&b, "PasswordAuthentication %s\nKbdInteractiveAuthentication %s\nPermitRootLogin %s\nX11Forwarding %s\n",
		yesNo(s.Settings.PasswordAuthentication), yesNo(s.Settings.KbdInteractiveAuthentication), s.Settings.PermitRootLogin, yesNo(s.Settings.X11Forwarding))
	if len(s.Settings.AllowUsers) > 0 {
		b.WriteString("AllowUsers " + strings.Join(s.Settings.AllowUsers, " ") + "\n")
	}
	b.WriteString(s.ExtraConfig)
	if !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
	c.etc("ssh/sshd_config.d/10-reprise.conf", "0644", b.String())
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// sudo lets wheel do all, as NixOS does.
func sudo(c *Config) {
	if !c.Security.Sudo.Enable {
		return
	}
	c.install("security.sudo.enable", "sudo")
	if !c.Security.Sudo.WheelNeedsPassword {
		c.etc("sudoers.d/wheel", "0440", "%sudo ALL=(ALL:ALL) NOPASSWD: ALL\n")
	}
}

// rootFileSystems puts into the initrd what reads the root file system.
func rootFileSystems(c *Config) {
	i := &c.Boot.Initrd
	for _, name := range i.SupportedFilesystems {
		if name != "ext4" { // which is there in any case
			i.AvailableKernelModules = withAll(i.AvailableKernelModules, name)
		}
	}
}

// encryptedDevices tells stage 1 the names of encrypted devices.
func encryptedDevices(c *Config) {
	i := &c.Boot.Initrd
	for _, name := range sortedKeys(i.LUKS.Devices) {
		d := i.LUKS.Devices[name]
		// The aliases bring what is fastest on each CPU.
		i.AvailableKernelModules = withAll(i.AvailableKernelModules, "dm_crypt", "crypto-xts", "crypto-aes")
		uuid := strings.TrimPrefix(d.Device, "/dev/disk/by-uuid/")
		c.Boot.KernelParams = withAll(c.Boot.KernelParams, "rd.luks.name="+uuid+"="+name)
		if d.AllowDiscards {
			c.Boot.KernelParams = withAll(c.Boot.KernelParams, "rd.luks.options="+uuid+"=discard")
		}
	}
}

// keyMap sets the key map of the console.
func keyMap(c *Config) {
	if k := c.Console.KeyMap; k != "us" {
		c.install("console.keyMap", "kbd", "console-data")
		unit(c.Systemd.Units, "console-keymap.service", `[Unit]
Description=Key map of the console
Before=getty.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/loadkeys --quiet `+unitWord(k)+`
StandardInput=tty
TTYPath=/dev/tty1
`, "multi-user.target")
	}
}

// autologin logs a user in on consoles.
func autologin(c *Config) {
	if u := c.Services.Getty.AutologinUser; u != "" {
		for name, line := range map[string]string{
			"getty@.service":        "- $TERM",
			"serial-getty@.service": "--keep-baud 115200,57600,38400,9600 - $TERM",
		} {
			unit(c.Systemd.Units, name+".d/autologin.conf", "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin "+u+" --noclear "+line+"\n")
		}
	}
}

// networkManager takes the place of networkd: one interface has one master. Its
// connections are state, for /etc cannot be written to.
func networkManager(c *Config) {
	if !c.Networking.NetworkManager.Enable {
		return
	}
	c.install("networking.networkmanager.enable", "network-manager", "wpasupplicant")
	c.Networking.UseDHCP = false
	text := "[keyfile]\npath=/" + activation.Connections + "\n"
	var others []string
	for _, name := range slices.Sorted(maps.Keys(c.Networking.Interfaces)) {
		if mac := c.Networking.Interfaces[name].PermanentMACAddress; mac != "" {
			others = append(others, "mac:"+mac)
		} else {
			others = append(others, "interface-name:"+name)
		}
	}
	if others != nil {
		text += "unmanaged-devices=" + strings.Join(others, ";") + "\n"
	}
	c.etc("NetworkManager/conf.d/10-reprise.conf", "0644", text)
}

// modprobe writes what modprobe reads.
func modprobe(c *Config) {
	var b strings.Builder
	for _, m := range c.Boot.BlacklistedKernelModules {
		b.WriteString("blacklist " + m + "\n")
	}
	if b.WriteString(c.Boot.ExtraModprobeConfig); b.Len() == 0 {
		return
	}
	if !strings.HasSuffix(b.String(), "\n") {
		b.WriteByte('\n')
	}
	c.etc("modprobe.d/reprise.conf", "0644", b.String())
}
