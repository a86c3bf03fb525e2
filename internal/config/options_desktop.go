package config

// desktopOptions: windows, greeters, and what a PC needs that people sit at.
var desktopOptions = []Option{
	declare("hardware.cpu.amd.updateMicrocode", boolean{}, false, "true",
		"Begin the initrd with AMD's corrections of its processors, 0.3 MB. It makes nothing else different on a machine with another processor."),
	declare("hardware.cpu.intel.updateMicrocode", boolean{}, false, "true",
		"Begin the initrd with Intel's corrections of its processors. All of them are 20 MB, for each generation on the EFI system partition. It makes nothing else different on a machine with another processor."),

	declare("security.polkit.enable", boolean{}, false, "true",
		"polkit, which asks whether somebody may mount a disk, join a network or switch the machine off. Those in group wheel (Debian's sudo) may, with their password."),
	declare("security.rtkit.enable", boolean{}, false, "true",
		"RealtimeKit, which gives a little real-time priority to programs of users who are not in group audio. Those in group audio have more than it gives."),

	declare("services.displayManager.autoLogin.enable", boolean{}, false, "true",
		"Open the session of services.displayManager.autoLogin.user when the machine starts. Whoever stands before the machine owns it then."),
	declare("services.displayManager.autoLogin.user", text{userNameFormat}, nil, "'musician'",
		"Whose session that is."),
	declare("services.displayManager.defaultSession", text{sessionFormat}, nil, "'xfce'",
		"The session of people who have not chosen one: a file of /usr/share/xsessions, without .desktop. When it is not set, that of the desktop."),

	declare("services.xserver.enable", boolean{}, false, "true",
		"The X window system, with OpenGL and the mouse, touch pad and tablet driver. Without a greeter, startx begins a session."),
	declare("services.xserver.desktopManager.xfce.enable", boolean{}, false, "true",
		"With services.xserver.enable: the Xfce desktop with its file manager, terminal, editor and settings, disks that mount when they are plugged in, and menus for what else is switched on: networks, sound."),
	declare("services.xserver.displayManager.lightdm.enable", boolean{}, false, "true",
		"With services.xserver.enable: LightDM, which asks for name and password on the screen and starts the desktop."),
	computed("services.xserver.xkb.layout", text{xkbFormat}, "the layout of console.keyMap", "'de,us'",
		"The keyboard of windows, as in xkeyboard-config(7); several with commas."),
	declare("services.xserver.xkb.variant", text{xkbFormat}, "", "'nodeadkeys'",
		"The variant of the layout; for several, one each with commas."),
	declare("services.xserver.xkb.options", text{xkbOptionsFormat}, "", "'compose:caps,grp:alt_shift_toggle'",
		"What else is different about the keyboard, with commas."),
}
