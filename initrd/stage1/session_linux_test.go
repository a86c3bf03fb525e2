package stage1

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A session masks what it cannot have, tunes itself before people's managers
// start, and logs its person in: on consoles, and in lightdm, whose unit is told
// where to read that.
func TestSessionFiles(t *testing.T) {
	run := t.TempDir()
	for range 2 { // whoever begins again finds the links
		if err := maskUnits(run); err != nil {
			t.Fatal(err)
		}
		if err := tuneIn(run); err != nil {
			t.Fatal(err)
		}
	}
	if err := logIn(run, "musician"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"systemd/system.control/efi.mount":                                    "→ /dev/null",
		"systemd/system.control/reprise-grow-root.service":                    "→ /dev/null",
		"systemd/system.control/reprise-tune.service":                         tuneText,
		"systemd/system.control/multi-user.target.wants/reprise-tune.service": "→ ../reprise-tune.service",
		"systemd/system.control/user@.service.d/session.conf":                 "[Unit]\nAfter=reprise-tune.service\n",
		"credentials/@initrd/agetty.autologin":                                "musician",
		"systemd/system.control/lightdm.service.d/session.conf":               "[Service]\nEnvironment=XDG_CONFIG_DIRS=" + run + "/reprise/session:/etc/xdg\n",
		"reprise/session/lightdm/lightdm.conf.d/session.conf":                 "[Seat:*]\nautologin-user=musician\nautologin-user-timeout=0\n",
	}
	got := map[string]string{}
	err := filepath.WalkDir(run, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(run, path)
		if err != nil {
			return err
		}
		if d.Type()&os.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			got[name] = "→ " + target
			return err
		}
		data, err := os.ReadFile(path)
		got[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if info, err := os.Stat(filepath.Join(run, sessionCredentials)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("credentials: %v, %v", info, err)
	}
}

// Only a machine with a FireWire controller is looked at before its system
// starts.
func TestHasFireWire(t *testing.T) {
	for class, want := range map[string]bool{"0x0c0010\n": true, "0x0c0000\n": true, "0x0c0330\n": false, "": false} {
		devices := t.TempDir()
		dir := filepath.Join(devices, "0000:05:00.0")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "class"), []byte(class), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := hasFireWire(devices); got != want {
			t.Errorf("a device of class %q: %v, want %v", class, got, want)
		}
	}
	if hasFireWire(t.TempDir()) {
		t.Error("a machine without PCI has a FireWire controller")
	}
}
