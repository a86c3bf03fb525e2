package stage1

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"reprise/internal/rootmount"
)

// Directories below /run that a session from a medium is told by.
const (
	// systemd looks for units, and for pieces of them, here before it looks
	// into /etc: systemd.unit(5).
	sessionUnits = "systemd/system.control"
	// systemd takes these over and hands them to agetty: systemd.exec(5),
	// "Credentials"; agetty(8), "CREDENTIALS".
	sessionCredentials = "credentials/@initrd"
	// What lightdm is told stands below here, as below any directory of
	// XDG_CONFIG_DIRS.
	sessionConfig = "reprise/session"
)

// notLive are units that have no place in a session from a medium: the disk
// does not grow, and the EFI system partition would be somebody else's.
var notLive = []string{"efi.mount", "reprise-grow-root.service"}

// tuneUnit makes the system that of its machine, before what plays starts. The
// manager of a person waits for it (tuneFirst), and with that everybody who logs
// in. Without its work the system is as its profile says, and no worse.
const (
	tuneUnit  = "reprise-tune.service"
	tuneFirst = "[Unit]\nAfter=" + tuneUnit + "\n"
	tuneText  = `[Unit]
Description=Tune the session to its machine
After=systemd-udev-trigger.service systemd-modules-load.service systemd-sysctl.service
Before=cpu-latency.service cpufreq.service pci-latency.service rtirq.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/usr/bin/reprise tune
TimeoutStartSec=5min
`
)

// openSession prepares what is different in a system that is only tried.
func (b *boot) openSession(activation []byte) error {
	const run = "/run"
	if err := maskUnits(run); err != nil {
		return err
	}
	if err := tuneIn(run); err != nil {
		return err
	}
	if err := b.refuseIn(run); err != nil {
		return err
	}
	if b.programs.Session == nil {
		return nil
	}
	user, err := b.programs.Session(rootmount.Disk, activation)
	if err != nil || user == "" {
		return err
	}
	return logIn(run, user)
}

// tuneIn has the session tune itself.
func tuneIn(run string) error {
	units := filepath.Join(run, sessionUnits)
	wants := filepath.Join(units, "multi-user.target.wants")
	first := filepath.Join(units, "user@.service.d")
	for _, dir := range []string{wants, first} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(units, tuneUnit), []byte(tuneText), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(first, "session.conf"), []byte(tuneFirst), 0o644); err != nil {
		return err
	}
	err := os.Symlink("../"+tuneUnit, filepath.Join(wants, tuneUnit))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// refuseIn keeps the FireWire driver from what it would reboot the machine
// with: udev loads it before anything of the system could advise against it.
func (b *boot) refuseIn(run string) error {
	if !hasFireWire("/sys/bus/pci/devices") {
		return nil
	}
	reason := b.holdFireWire()
	if reason == "" {
		return nil
	}
	dir := filepath.Join(run, "modprobe.d") // modprobe.d(5)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "reprise-session.conf"), []byte("# "+reason+"\nblacklist "+fireWireDriver+"\n"), 0o644)
}

// fireWireClass is how PCI's class of FireWire controllers begins.
const fireWireClass = "0x0c00"

// hasFireWire says whether one of the PCI devices in dir is such a controller.
func hasFireWire(dir string) bool {
	classes, _ := filepath.Glob(filepath.Join(dir, "*/class"))
	for _, file := range classes {
		if data, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(data), fireWireClass) {
			return true
		}
	}
	return false
}

func maskUnits(run string) error {
	units := filepath.Join(run, sessionUnits)
	if err := os.MkdirAll(units, 0o755); err != nil {
		return err
	}
	for _, name := range notLive {
		if err := os.Symlink("/dev/null", filepath.Join(units, name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// logIn has the consoles and lightdm's greeter, where there is one, log user in
// as soon as they start. lightdm reads nothing below /run by itself: it reads
// the directories of its XDG_CONFIG_DIRS, before those in /etc, so that what
// the machine's own configuration says of automatic logins goes before this.
// Source: lightdm 1.32, src/configuration.c, config_load_from_standard_locations.
func logIn(run, user string) error {
	config := filepath.Join(run, sessionConfig)
	for _, f := range []struct {
		path, text string
		dir, file  os.FileMode
	}{
		{filepath.Join(run, sessionCredentials, "agetty.autologin"), user, 0o700, 0o400},
		{filepath.Join(run, sessionUnits, "lightdm.service.d/session.conf"),
			"[Service]\nEnvironment=XDG_CONFIG_DIRS=" + config + ":/etc/xdg\n", 0o755, 0o644},
		{filepath.Join(config, "lightdm/lightdm.conf.d/session.conf"),
			"[Seat:*]\nautologin-user=" + user + "\nautologin-user-timeout=0\n", 0o755, 0o644},
	} {
		if err := os.MkdirAll(filepath.Dir(f.path), f.dir); err != nil {
			return err
		}
		if err := os.WriteFile(f.path, []byte(f.text), f.file); err != nil {
			return err
		}
	}
	return nil
}
