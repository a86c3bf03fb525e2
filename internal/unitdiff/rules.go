package unitdiff

import (
	"path"
	"slices"
	"strings"
)

// applied are settings that the manager itself looks at, and not the process:
// they count once it has read its units again, and a unit that differs in
// nothing else goes on as it is. Source: systemd.unit(5), systemd.service(5)
// and systemd.kill(5) of v257.
var applied = set(
	"Unit.Description", "Unit.Documentation", "Unit.SourcePath",
	"Unit.Wants", "Unit.Requires", "Unit.Requisite", "Unit.BindsTo", "Unit.PartOf", "Unit.Upholds", "Unit.Conflicts",
	"Unit.Before", "Unit.After", "Unit.OnFailure", "Unit.OnSuccess", "Unit.OnFailureJobMode", "Unit.OnSuccessJobMode",
	"Unit.PropagatesReloadTo", "Unit.ReloadPropagatedFrom", "Unit.PropagatesStopTo", "Unit.StopPropagatedFrom",
	"Unit.RequiresMountsFor", "Unit.WantsMountsFor", "Unit.DefaultDependencies", "Unit.IgnoreOnIsolate",
	"Unit.StopWhenUnneeded", "Unit.RefuseManualStart", "Unit.RefuseManualStop", "Unit.AllowIsolate", "Unit.CollectMode",
	"Unit.SurviveFinalKillSignal", "Unit.FailureAction", "Unit.SuccessAction", "Unit.RebootArgument",
	"Unit.JobTimeoutSec", "Unit.JobRunningTimeoutSec", "Unit.JobTimeoutAction", "Unit.JobTimeoutRebootArgument",
	"Unit.StartLimitIntervalSec", "Unit.StartLimitBurst", "Unit.StartLimitAction",
	"Unit."+ifChanged, "Unit."+ifRemoved, "Unit."+readsKey, "Unit."+soundKey,
	"Service.Restart", "Service.RestartSec", "Service.RestartSteps", "Service.RestartMaxDelaySec", "Service.RestartMode",
	"Service.TimeoutStartSec", "Service.TimeoutStopSec", "Service.TimeoutAbortSec", "Service.TimeoutSec",
	"Service.ExecReload", "Service.ExecStop", "Service.ExecStopPost", "Service.SuccessExitStatus",
	"Service.RestartPreventExitStatus", "Service.RestartForceExitStatus",
	"Service.KillMode", "Service.KillSignal", "Service.RestartKillSignal", "Service.SendSIGKILL", "Service.SendSIGHUP", "Service.FinalKillSignal",
)

// Settings of our own in [Unit]; the manager passes over what begins with X-.
const (
	ifChanged = "X-Reprise-IfChanged" // restart, stop-start, reload or leave
	ifRemoved = "X-Reprise-IfRemoved" // stop or leave
	readsKey  = "X-Reprise-Reads"     // paths that the unit reads
	soundKey  = "X-Reprise-Sound"     // whether it plays, or carries what plays
)

// reads are the places that a unit reads and its text does not name. A place is
// a file or a directory. Source: the manual pages of each, Debian trixie.
var reads = map[string][]string{
	"NetworkManager.service":         {"etc/NetworkManager", "usr/lib/NetworkManager"},
	"avahi-daemon.service":           {"etc/avahi"},
	"bluetooth.service":              {"etc/bluetooth"},
	"cups.service":                   {"etc/cups"},
	"dbus.service":                   {"etc/dbus-1", "usr/share/dbus-1/system.conf", "usr/share/dbus-1/system.d", "usr/share/dbus-1/system-services"},
	"lightdm.service":                {"etc/lightdm", "usr/share/lightdm"},
	"polkit.service":                 {"etc/polkit-1", "usr/share/polkit-1"},
	"rtirq.service":                  {"etc/default/rtirq"},
	"smbd.service":                   {"etc/samba"},
	"ssh.service":                    {"etc/ssh/sshd_config", "etc/ssh/sshd_config.d", "etc/ssh/moduli"},
	"systemd-binfmt.service":         {"etc/binfmt.d", "usr/lib/binfmt.d"},
	"systemd-journald.service":       {"etc/systemd/journald.conf", "etc/systemd/journald.conf.d", "usr/lib/systemd/journald.conf.d"},
	"systemd-logind.service":         {"etc/systemd/logind.conf", "etc/systemd/logind.conf.d", "usr/lib/systemd/logind.conf.d"},
	"systemd-modules-load.service":   {"etc/modules", "etc/modules-load.d", "usr/lib/modules-load.d"},
	"systemd-networkd.service":       {"etc/systemd/network", "usr/lib/systemd/network", "etc/systemd/networkd.conf", "etc/systemd/networkd.conf.d", "usr/lib/systemd/networkd.conf.d"},
	"systemd-oomd.service":           {"etc/systemd/oomd.conf", "etc/systemd/oomd.conf.d"},
	"systemd-resolved.service":       {"etc/systemd/resolved.conf", "etc/systemd/resolved.conf.d", "usr/lib/systemd/resolved.conf.d"},
	"systemd-sysctl.service":         {"etc/sysctl.conf", "etc/sysctl.d", "usr/lib/sysctl.d"},
	"systemd-timesyncd.service":      {"etc/systemd/timesyncd.conf", "etc/systemd/timesyncd.conf.d", "usr/lib/systemd/timesyncd.conf.d"},
	"systemd-udevd.service":          {"etc/udev", "usr/lib/udev/rules.d", "usr/lib/udev/hwdb.bin", "etc/modprobe.d", "usr/lib/modprobe.d"},
	"systemd-vconsole-setup.service": {"etc/default/keyboard", "etc/vconsole.conf"},
	"wpa_supplicant.service":         {"etc/wpa_supplicant"},
}

// userReads are those of units of people's managers.
var userReads = map[string][]string{
	"filter-chain.service":   {"etc/pipewire", "usr/share/pipewire"},
	"pipewire-pulse.service": {"etc/pipewire", "usr/share/pipewire"},
	"pipewire.service":       {"etc/pipewire", "usr/share/pipewire", "etc/alsa", "usr/share/alsa"},
	"wireplumber.service":    {"etc/wireplumber", "usr/share/wireplumber", "etc/alsa", "usr/share/alsa"},
}

// later are places whose change no unit shows, with what the person is told.
var later = []struct {
	sentence string
	places   []string
}{
	{"limits such as real-time priority and locked memory count from the next login", []string{"etc/security/limits.conf", "etc/security/limits.d"}},
	{"how people log in has changed: it counts from the next login", []string{"etc/pam.d", "etc/security/pam_env.conf", "etc/login.defs"}},
	{"variables of the environment count from the next login", []string{"etc/environment", "etc/environment.d", "usr/lib/environment.d", "etc/profile", "etc/profile.d"}},
	{"the host name counts from the next boot", []string{"etc/hostname"}},
	{"rules for devices count for those that are plugged in from now on, for all from the next boot", []string{"etc/udev/rules.d", "usr/lib/udev/rules.d", "etc/udev/hwdb.bin", "usr/lib/udev/hwdb.bin"}},
	{"options of drivers count for those that are loaded from now on, for all from the next boot", []string{"etc/modprobe.d", "usr/lib/modprobe.d"}},
	{"time zone, language and key map count for programs that start from now on", []string{"etc/localtime", "etc/locale.conf", "etc/default/keyboard"}},
}

// A guard is a reason why a unit is never stopped or restarted by a switch.
type guard struct {
	patterns []string // path.Match
	why      string
	reboot   bool // else it counts earlier, as why says
}

// guards in the order in which they are asked. "sound" is asked before them.
var guards = []guard{
	{[]string{"dbus.service", "dbus-broker.service", "dbus.socket", "systemd-logind.service"}, "every session hangs on it", true},
	{[]string{"display-manager.service", "gdm3.service", "gdm.service", "lightdm.service", "sddm.service", "greetd.service", "lxdm.service", "slim.service", "xdm.service"},
		"the desktop would end with it", true},
	{[]string{"user@*.service", "user-runtime-dir@*.service", "session-*.scope", "systemd-user-sessions.service"}, "people are logged in through it", true},
	{[]string{"getty@*.service", "serial-getty@*.service", "console-getty.service", "container-getty@*.service", "autovt@*.service"},
		"somebody may be logged in there; it counts after the next logout", false},
	{[]string{"sshd@*.service", "ssh@*.service"}, "it is somebody's connection; it counts from the next one", false},
	{[]string{"emergency.service", "rescue.service", "debug-shell.service", "systemd-ask-password-*"}, "somebody may be at work there", true},
	{[]string{"systemd-cryptsetup@*.service", "systemd-veritysetup@*.service", "systemd-fsck*.service", "systemd-remount-fs.service",
		"systemd-growfs*.service", "systemd-tmpfiles-setup*.service", "systemd-udev-trigger.service", "systemd-udev-settle.service",
		"systemd-random-seed.service", "systemd-journal-flush.service", "systemd-update-utmp.service", "kmod-static-nodes.service",
		"modprobe@*.service", "systemd-backlight@*.service", "systemd-rfkill.*", "systemd-boot-*.service", "systemd-pcr*", "systemd-tpm2-*",
		"quota*.service", "systemd-quota*.service", "plymouth*.service", "networking.service", "ifup@*.service", "lvm2-*", "mdmonitor*"},
		"it has done its work when the machine started", true},
}

// soundUnits carry sound, or are what it needs, by name.
var soundUnits = []string{"pipewire*", "wireplumber*", "filter-chain.service", "pulseaudio.*", "jack*", "jackd*", "alsa-restore.service",
	"alsa-state.service", "rtkit-daemon.service", "das_watchdog.service", "a2j*"}

// soundPrograms make or carry sound: a unit that starts one is not restarted.
var soundPrograms = set("a2jmidid", "ardour", "ardour8", "carla", "carla-rack", "fluidsynth", "guitarix", "jackd", "jackdbus", "jalv", "mixxx",
	"mod-host", "netjack2", "non-mixer", "pd", "pipewire", "pipewire-pulse", "pulseaudio", "qsampler", "qsynth", "rakarrack", "scsynth",
	"setbfree", "sooperlooper", "supernova", "wireplumber", "zita-a2j", "zita-j2a", "zita-j2n", "zita-n2j", "zynaddsubfx")

// inPlace are services through which a switch may come in, and those that
// everything talks to: they are restarted in one go and never left stopped.
var inPlace = []string{"ssh.service", "sshd.service", "systemd-networkd.service", "NetworkManager.service", "wpa_supplicant*.service",
	"dhcpcd*.service", "iwd.service", "systemd-resolved.service", "systemd-journald*.service", "systemd-udevd.service", "polkit.service", "avahi-daemon.service"}

// heldMounts are those that stage 1 made, or that hold what runs: no switch
// touches them. A place stands for what lies below it as well where it ends in
// a slash.
var heldMounts = []string{"/", "/usr", "/etc", "/nix", "/nix/", "/.reprise/", "/var", "/home", "/root", "/srv", "/boot", "/run", "/run/", "/dev", "/dev/",
	"/proc", "/proc/", "/sys", "/sys/", "/tmp"}

func held(point string) bool {
	return slices.ContainsFunc(heldMounts, func(h string) bool {
		return h == point || len(h) > 1 && strings.HasSuffix(h, "/") && strings.HasPrefix(point, h)
	})
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// sound reports whether a unit plays, or carries what plays.
func (f *files) sound(d *definition) bool {
	if d.last("Unit."+soundKey) != "" {
		return d.yes("Unit."+soundKey, false)
	}
	if matches(soundUnits, d.name) {
		return true
	}
	switch d.last("Service.CPUSchedulingPolicy") {
	case "fifo", "rr":
		return true
	}
	return slices.ContainsFunc(f.programs(d), func(p string) bool { return soundPrograms[path.Base(p)] })
}

// places lists what a unit reads, without slashes before them: the table, what
// its own setting says, and the files of /etc that its text names.
func places(d *definition, table map[string][]string) []string {
	all := slices.Clone(table[d.name])
	for _, w := range d.words("Unit." + readsKey) {
		all = append(all, strings.TrimPrefix(path.Clean(w), "/"))
	}
	fill := specifiers(d.name)
	named := slices.Concat(d.words("Service.EnvironmentFile"), d.words("Service.BindReadOnlyPaths"))
	for _, key := range []string{"Service.ExecStartPre", "Service.ExecStart"} {
		for _, line := range d.settings[key] {
			named = append(named, command(line)...)
		}
	}
	for _, w := range d.words("Service.LoadCredential") {
		_, file, _ := strings.Cut(w, ":")
		named = append(named, file)
	}
	for _, w := range named {
		w = strings.TrimPrefix(fill(w), "-")
		if at := strings.Index(w, "=/etc/"); at >= 0 {
			w = w[at+1:] // --config=/etc/…
		}
		w, _, _ = strings.Cut(w, ":")
		if w = path.Clean(w); strings.HasPrefix(w, "/etc/") && !strings.ContainsAny(w, "*?[%$") {
			all = append(all, w[1:])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
