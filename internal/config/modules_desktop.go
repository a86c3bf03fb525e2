package config

import (
	"slices"
	"strings"
)

// xserverPackages is what every machine with windows has. dbus-user-session
// gives each user one message bus, which services of the session are on, too.
var xserverPackages = []string{
	"dbus-user-session", "libgl1-mesa-dri", "x11-utils", "x11-xkb-utils", "x11-xserver-utils", "xauth", "xinit",
	"xserver-xorg-core", "xserver-xorg-input-libinput",
}

// xfcePackages is Xfce without what a studio has no use for: of Debian's
// xfce4 and xfce4-goodies, what people look for first.
var xfcePackages = []string{
	"adwaita-icon-theme", "at-spi2-core", "dconf-gsettings-backend", "desktop-base", "elementary-xfce-icon-theme", "engrampa",
	"fonts-dejavu-core", "gvfs", "librsvg2-common", "mousepad", "ristretto", "thunar", "thunar-archive-plugin", "thunar-volman",
	"udisks2", "upower", "xdg-user-dirs", "xdg-utils", "xfce4-appfinder", "xfce4-notifyd", "xfce4-panel", "xfce4-power-manager",
	"xfce4-screenshooter", "xfce4-session", "xfce4-settings", "xfce4-taskmanager", "xfce4-terminal", "xfdesktop4", "xfwm4",
}

// xserver installs the X server and what stands on it.
func xserver(c *Config) {
	x := c.Services.Xserver
	if !x.Enable {
		return
	}
	c.install("services.xserver.enable", xserverPackages...)
	if x.DesktopManager.Xfce.Enable {
		const option = "services.xserver.desktopManager.xfce.enable"
		c.install(option, xfcePackages...)
		c.install(option, "mate-polkit", "polkitd") // asks for the password that polkit wants
		if c.Networking.NetworkManager.Enable {
			c.install(option, "network-manager-applet")
		}
		if c.Services.Pipewire.Enable && c.Services.Pipewire.Pulse.Enable {
			c.install(option, "pavucontrol", "xfce4-pulseaudio-plugin")
		}
	}
	if x.DisplayManager.LightDM.Enable {
		lightdm(c)
	}
}

// lightdm writes a piece of configuration that goes before Debian's own. The
// greeter lists the users: a studio has few, and none of them is a secret.
// Source: lightdm 1.32, data/lightdm.conf.
func lightdm(c *Config) {
	c.install("services.xserver.displayManager.lightdm.enable", "lightdm", "lightdm-gtk-greeter")
	lines := []string{"[Seat:*]", "greeter-hide-users=false"}
	if s := c.session(); s != "" {
		lines = append(lines, "user-session="+s)
	}
	if a := c.Services.DisplayManager.AutoLogin; a.Enable {
		lines = append(lines, "autologin-user="+a.User, "autologin-user-timeout=0")
	}
	c.etc("lightdm/lightdm.conf.d/10-reprise.conf", "0644", strings.Join(lines, "\n")+"\n")
}

// session is the session of those who have not chosen one, "" when the
// machine has no desktop.
func (c *Config) session() string {
	switch d := c.Services.DisplayManager.DefaultSession; {
	case d != "":
		return d
	case c.Services.Xserver.DesktopManager.Xfce.Enable:
		return "xfce"
	}
	return ""
}

// authority installs who decides what people at the machine may do.
func authority(c *Config) {
	if c.Security.Polkit.Enable {
		c.install("security.polkit.enable", "polkitd")
	}
	if c.Security.Rtkit.Enable {
		c.install("security.rtkit.enable", "rtkit")
	}
}

// microcode installs what the recipe puts before the initrd; see
// MicrocodePackages.
func microcode(c *Config) {
	if c.Hardware.CPU.AMD.Update {
		c.install("hardware.cpu.amd.updateMicrocode", "amd64-microcode")
	}
	if c.Hardware.CPU.Intel.Update {
		c.install("hardware.cpu.intel.updateMicrocode", "intel-microcode")
	}
}

// MicrocodePackages are the packages with corrections of processors that the
// initrd begins with, sorted.
func (c *Config) MicrocodePackages() []string {
	var packages []string
	if c.Hardware.CPU.AMD.Update {
		packages = append(packages, "amd64-microcode")
	}
	if c.Hardware.CPU.Intel.Update {
		packages = append(packages, "intel-microcode")
	}
	return packages
}

// desktop checks what windows need from elsewhere.
func (c *checker) desktop(cfg *Config) {
	x, d := cfg.Services.Xserver, cfg.Services.DisplayManager
	if x.Xkb.Layout == "" {
		cfg.Services.Xserver.Xkb.Layout = layoutOf(cfg.Console.KeyMap)
	}
	for _, o := range []struct {
		path string
		set  bool
	}{
		{"services.xserver.desktopManager.xfce.enable", x.DesktopManager.Xfce.Enable},
		{"services.xserver.displayManager.lightdm.enable", x.DisplayManager.LightDM.Enable},
	} {
		if o.set && !x.Enable && c.sound("services.xserver") {
			c.fail(o.path, "is true, but services.xserver.enable is not", "the X window system below it", "write services+: { xserver+: { enable: true } }")
		}
	}
	greeter := x.Enable && x.DisplayManager.LightDM.Enable
	for _, o := range []struct {
		path string
		set  bool
	}{
		{"services.displayManager.autoLogin.enable", d.AutoLogin.Enable},
		{"services.displayManager.defaultSession", d.DefaultSession != ""},
	} {
		if o.set && !greeter && c.sound("services.xserver", "services.displayManager") {
			c.fail(o.path, "is set, but there is no display manager", "a display manager, or no settings for it",
				"write services+: { xserver+: { enable: true, displayManager+: { lightdm+: { enable: true } } } }")
		}
	}
	c.autoLogin(cfg)
	if len(cfg.MicrocodePackages()) > 0 && !slices.Contains(cfg.Archive.Components, "non-free-firmware") && c.sound("archive.components") {
		c.fail("hardware.cpu", "asks for microcode, but archive.components leaves non-free-firmware out", "both or neither",
			"add 'non-free-firmware' to archive.components")
	}
}

// autoLogin checks whose session starts by itself.
func (c *checker) autoLogin(cfg *Config) {
	const path = "services.displayManager.autoLogin.user"
	a := cfg.Services.DisplayManager.AutoLogin
	if !c.sound("services.displayManager", "users") {
		return
	}
	_, there := cfg.Users.Users[a.User]
	switch {
	case a.User == "root":
		c.fail(path, "is \"root\", whom greeters let in never", "a user of users.users", "write the name of a person")
	case a.User != "" && !there:
		c.noUser(cfg, path, a.User)
	case a.Enable && a.User == "":
		c.fail("services.displayManager.autoLogin.enable", "is true, but autoLogin.user says nobody", "a user of users.users", "add user: '"+userNameFormat.example+"'")
	}
}

// layoutOf is the layout of windows that a key map of the console stands for.
// Key maps are named for layouts: "de-latin1" is "de".
func layoutOf(keyMap string) string {
	layout, _, _ := strings.Cut(keyMap, "-")
	switch layout {
	case "uk":
		return "gb"
	case "":
		return "us"
	}
	return layout
}
