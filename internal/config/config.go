package config

// A Config describes one machine. Its JSON form has the names and the nesting
// of the options, so `reprise eval` prints something that is valid input.
//
// The fields marked "by module" are already served when Evaluate returns: a
// module has turned them into systemPackages, units, files in /etc, kernel
// parameters and the like. They stay here to be shown.
type Config struct {
	Archive         Archive               `json:"archive"`
	Boot            Boot                  `json:"boot"`
	Console         Console               `json:"console"`
	Environment     Environment           `json:"environment"`
	FileSystems     map[string]FileSystem `json:"fileSystems"` // by mount point; those of the image itself are not here
	Hardware        Hardware              `json:"hardware"`
	I18n            I18n                  `json:"i18n"`
	Image           Image                 `json:"image"`
	Musnix          Musnix                `json:"musnix"`
	Networking      Networking            `json:"networking"`
	PowerManagement PowerManagement       `json:"powerManagement"`
	Security        Security              `json:"security"`
	Services        Services              `json:"services"`
	Systemd         Systemd               `json:"systemd"`
	Time            Time                  `json:"time"`
	Users           Users                 `json:"users"`

	places  placeIndex
	origins map[string]string // package that a module added → option that asked for it
	files   []string          // see Files
	said    map[string]any    // what the files say, as JSON; see Settings
	before  []byte            // Canonical before modules ran
}

// Files returns the files that the configuration was read from: relative to
// the directory of the one that was named, which comes first. A profile that
// reprise ships has none.
func (c *Config) Files() []string { return c.files }

// Archive says where Debian packages come from.
type Archive struct {
	Mirror         string   `json:"mirror"`         // URL above dists/ and pool/; "" = the building machine's apt sources
	SecurityMirror string   `json:"securityMirror"` // the same for the security suite; "" = derived from Mirror
	Suites         []string `json:"suites"`
	Components     []string `json:"components"`
	Sources        []string `json:"sources"`   // further mirrors: URLs above pool/, asked for locked files that left the first
	Snapshots      []string `json:"snapshots"` // states of a snapshot service, asked after Sources
}

// Boot is the kernel, the initrd and the boot loader.
type Boot struct {
	KernelPackages           string   `json:"kernelPackages"` // "linux", "linux-rt" or an image package; see KernelPackage
	KernelParams             []string `json:"kernelParams"`
	KernelModules            []string `json:"kernelModules"`
	BlacklistedKernelModules []string `json:"blacklistedKernelModules"` // by module: /etc/modprobe.d
	ExtraModprobeConfig      string   `json:"extraModprobeConfig"`      // by module: /etc/modprobe.d
	Kernel                   Kernel   `json:"kernel"`
	Initrd                   Initrd   `json:"initrd"`
	Loader                   Loader   `json:"loader"`
}

// Kernel holds run time settings of the kernel.
type Kernel struct {
	Sysctl map[string]string `json:"sysctl"` // booleans and numbers in the kernel's own spelling
}

// Initrd is what stage 1 needs to reach the root file system.
type Initrd struct {
	AvailableKernelModules []string `json:"availableKernelModules"` // in the initrd, loaded when hardware asks
	KernelModules          []string `json:"kernelModules"`          // in the initrd, always loaded
	SupportedFilesystems   []string `json:"supportedFilesystems"`   // by module: availableKernelModules
	LUKS                   LUKS     `json:"luks"`
}

// LUKS is by module: kernel modules and parameters.
type LUKS struct {
	Devices map[string]LUKSDevice `json:"devices"` // by name in /dev/mapper
}

// LUKSDevice is an encrypted device that stage 1 opens.
type LUKSDevice struct {
	Device        string `json:"device"` // "/dev/disk/by-uuid/…": the UUID of the LUKS header
	AllowDiscards bool   `json:"allowDiscards"`
}

// Loader is the boot menu.
type Loader struct {
	Timeout int `json:"timeout"` // seconds; 0 = no menu
}

// Console is the text console.
type Console struct {
	KeyMap string `json:"keyMap"`
}

// Environment is what every user finds on the machine.
type Environment struct {
	SystemPackages []string           `json:"systemPackages"` // Debian binary packages, no duplicates; see Roots
	Recommends     bool               `json:"recommends"`     // also what packages recommend
	Etc            map[string]EtcFile `json:"etc"`            // path below /etc
	Variables      map[string]string  `json:"variables"`      // values may use $HOME and other variables
}

// EtcFile is one file below /etc, owned by root.
type EtcFile struct {
	Text string `json:"text"`
	Mode string `json:"mode"` // four octal digits
}

// FileSystem is one mount besides those the image brings.
type FileSystem struct {
	Device  string   `json:"device"`
	FSType  string   `json:"fsType"`
	Options []string `json:"options"`
}

// Hardware is by module, but for CPU: firmware packages.
type Hardware struct {
	CPU                           CPU  `json:"cpu"`
	EnableRedistributableFirmware bool `json:"enableRedistributableFirmware"`
}

// CPU is what the initrd begins with, by maker of the processor.
type CPU struct {
	AMD   Microcode `json:"amd"`
	Intel Microcode `json:"intel"`
}

// Microcode is corrections of a processor that the kernel loads first of all.
type Microcode struct {
	Update bool `json:"updateMicrocode"`
}

// I18n is language.
type I18n struct {
	DefaultLocale    string   `json:"defaultLocale"`    // such as "de_DE.UTF-8"
	SupportedLocales []string `json:"supportedLocales"` // such as "de_DE.UTF-8/UTF-8"; holds the default, but never C.UTF-8
}

// Image is the disk image, and the installation medium.
type Image struct {
	ESPGenerations int      `json:"espGenerations"` // further kernels and initrds that the ESP has room for
	ISO            ImageISO `json:"iso"`
	MarginMiB      int      `json:"marginMiB"` // free space in the root file system of the image
}

// ImageISO is the installation medium.
type ImageISO struct {
	Systems []string `json:"systems"` // profiles that it carries beside the configuration
}

// Musnix is by module, all of it.
type Musnix struct {
	Enable         bool        `json:"enable"`
	AlsaSeq        Toggle      `json:"alsaSeq"`
	DasWatchdog    Toggle      `json:"das_watchdog"`
	Ffado          Toggle      `json:"ffado"`
	Kernel         MusnixRT    `json:"kernel"`
	Rtirq          MusnixRtirq `json:"rtirq"`
	SoundcardPCIID string      `json:"soundcardPciId"`
}

// A Toggle is an option set with nothing but a switch.
type Toggle struct {
	Enable bool `json:"enable"`
}

// MusnixRT chooses the PREEMPT_RT kernel.
type MusnixRT struct {
	Realtime bool `json:"realtime"`
}

// MusnixRtirq is the configuration of rtirq: priorities of interrupt threads.
type MusnixRtirq struct {
	Enable   bool   `json:"enable"`
	NameList string `json:"nameList"`
	HighList string `json:"highList"`
	PrioHigh int    `json:"prioHigh"`
	PrioDecr int    `json:"prioDecr"`
	PrioLow  int    `json:"prioLow"`
	ResetAll int    `json:"resetAll"`
}

// Networking is done by systemd-networkd, systemd-resolved and
// systemd-timesyncd, or by NetworkManager in networkd's place.
type Networking struct {
	HostName       string               `json:"hostName"`
	Domain         string               `json:"domain"`  // "" = none
	UseDHCP        bool                 `json:"useDHCP"` // on every Ethernet interface that Interfaces does not name
	Interfaces     map[string]Interface `json:"interfaces"`
	DefaultGateway string               `json:"defaultGateway"` // IPv4 or IPv6 address; "" = none
	Nameservers    []string             `json:"nameservers"`
	TimeServers    []string             `json:"timeServers"` // empty = what Debian's systemd-timesyncd uses
	NetworkManager NetworkManager       `json:"networkmanager"`
}

// NetworkManager is the service of desktops. It has every interface that
// Networking.Interfaces does not name.
type NetworkManager struct {
	Enable bool `json:"enable"`
}

// Interface is one network interface by its kernel name.
type Interface struct {
	UseDHCP   bool     `json:"useDHCP"`
	Addresses []string `json:"addresses"` // "192.168.7.2/24"
	// PermanentMACAddress of the card that is meant; "" for the one with the name.
	PermanentMACAddress string `json:"permanentMACAddress"`
}

// PowerManagement is by module.
type PowerManagement struct {
	CPUFreqGovernor          string `json:"cpuFreqGovernor"`          // "" = the kernel's choice
	CPUFreqGovernorOnBattery string `json:"cpuFreqGovernorOnBattery"` // "" = the same as on mains
	MaxIdleLatency           *int   `json:"maxIdleLatency"`           // microseconds; nil = no bound
}

// Security is PAM limits, and by module who may do what.
type Security struct {
	PAM    PAM    `json:"pam"`
	Polkit Toggle `json:"polkit"`
	Rtkit  Toggle `json:"rtkit"`
	Sudo   Sudo   `json:"sudo"`
}

// PAM holds lines of /etc/security/limits.d.
type PAM struct {
	LoginLimits []LoginLimit `json:"loginLimits"`
}

// LoginLimit is one line of limits.conf(5).
type LoginLimit struct {
	Domain string `json:"domain"`
	Type   string `json:"type"` // "soft", "hard" or "-"
	Item   string `json:"item"`
	Value  string `json:"value"`
}

// Sudo is by module: package and /etc/sudoers.d.
type Sudo struct {
	Enable             bool `json:"enable"`
	WheelNeedsPassword bool `json:"wheelNeedsPassword"`
}

// Services is by module, but for udev.extraRules and the keyboard.
type Services struct {
	DisplayManager DisplayManager `json:"displayManager"`
	Getty          Getty          `json:"getty"`
	Jack           Jack           `json:"jack"`
	OpenSSH        OpenSSH        `json:"openssh"`
	Pipewire       Pipewire       `json:"pipewire"`
	Udev           Udev           `json:"udev"`
	Xserver        Xserver        `json:"xserver"`
}

// DisplayManager is what every greeter is told.
type DisplayManager struct {
	AutoLogin      AutoLogin `json:"autoLogin"`
	DefaultSession string    `json:"defaultSession"` // name of a file in /usr/share/xsessions; "" = the desktop's own
}

// AutoLogin is a session that starts without a greeter.
type AutoLogin struct {
	Enable bool   `json:"enable"`
	User   string `json:"user"` // "" = nobody
}

// Xserver is the X window system, its desktops and its greeters.
type Xserver struct {
	Enable         bool            `json:"enable"`
	DesktopManager DesktopManagers `json:"desktopManager"`
	DisplayManager Greeters        `json:"displayManager"`
	Xkb            Xkb             `json:"xkb"`
}

// DesktopManagers are desktops.
type DesktopManagers struct {
	Xfce Toggle `json:"xfce"`
}

// Greeters are display managers: programs that ask who is there.
type Greeters struct {
	LightDM Toggle `json:"lightdm"`
}

// Xkb is the keyboard of windows, in the words of xkeyboard-config(7).
type Xkb struct {
	Layout  string `json:"layout"` // always set
	Variant string `json:"variant"`
	Options string `json:"options"`
}

// Getty is the login prompt on consoles.
type Getty struct {
	AutologinUser string `json:"autologinUser"` // "" = ask
}

// Jack is the JACK sound server.
type Jack struct {
	Jackd Jackd `json:"jackd"`
}

// Jackd is the server as a service of every normal user in group audio.
type Jackd struct {
	Enable       bool     `json:"enable"`
	ExtraOptions []string `json:"extraOptions"` // words of jackd's command line
}

// Pipewire is the PipeWire sound server of every user, with WirePlumber.
type Pipewire struct {
	Enable      bool          `json:"enable"`
	Alsa        Toggle        `json:"alsa"`  // programs that know ALSA only
	Jack        Toggle        `json:"jack"`  // programs that know JACK
	Pulse       Toggle        `json:"pulse"` // programs that know PulseAudio
	ExtraConfig PipewireExtra `json:"extraConfig"`
	Wireplumber Wireplumber   `json:"wireplumber"`
}

// PipewireExtra is pieces of PipeWire's own configuration.
type PipewireExtra struct {
	Pipewire map[string]map[string]any `json:"pipewire"` // sections of pipewire.conf, by name of the file in pipewire.conf.d
}

// Wireplumber is the session manager of PipeWire.
type Wireplumber struct {
	ExtraConfig map[string]map[string]any `json:"extraConfig"` // sections of wireplumber.conf, by name of the file in wireplumber.conf.d
}

// OpenSSH is the ssh server.
type OpenSSH struct {
	Enable      bool        `json:"enable"`
	Ports       []int       `json:"ports"`
	Settings    SSHSettings `json:"settings"`
	ExtraConfig string      `json:"extraConfig"`
}

// SSHSettings are lines of sshd_config(5).
type SSHSettings struct {
	PasswordAuthentication       bool     `json:"PasswordAuthentication"`
	KbdInteractiveAuthentication bool     `json:"KbdInteractiveAuthentication"`
	PermitRootLogin              string   `json:"PermitRootLogin"`
	X11Forwarding                bool     `json:"X11Forwarding"`
	AllowUsers                   []string `json:"AllowUsers"` // empty = all
}

// Udev is device rules.
type Udev struct {
	ExtraRules string `json:"extraRules"` // for /etc/udev/rules.d/99-local.rules
}

// Systemd is units beside those that packages bring.
type Systemd struct {
	Units map[string]Unit `json:"units"` // for /etc/systemd/system
	User  SystemdUser     `json:"user"`
}

// SystemdUser is the same for every user's own manager.
type SystemdUser struct {
	Units map[string]Unit `json:"units"` // for /etc/systemd/user
}

// Unit is one unit, or a drop-in for one that a package brings.
type Unit struct {
	Text     string   `json:"text"`     // "" = only Enable and WantedBy matter
	Enable   bool     `json:"enable"`   // false = masked: a link to /dev/null
	WantedBy []string `json:"wantedBy"` // units that get a link in their .wants directory
}

// Time is the clock.
type Time struct {
	TimeZone string `json:"timeZone"` // "Europe/Berlin": a file below /usr/share/zoneinfo
}

// Users is accounts. No password is ever part of a Config.
type Users struct {
	Users  map[string]User  `json:"users"` // normal users, and root where the file speaks of it
	Groups map[string]Group `json:"groups"`
}

// User is one account. Every user has a group of the same name and id.
type User struct {
	IsNormalUser bool     `json:"isNormalUser"` // false for root only
	Description  string   `json:"description"`
	UID          int      `json:"uid"` // always set
	ExtraGroups  []string `json:"extraGroups"`
	Shell        string   `json:"shell"` // absolute path
	Home         string   `json:"home"`  // absolute path
	Linger       bool     `json:"linger"`
	OpenSSH      UserSSH  `json:"openssh"`
}

// UserSSH is how a user may come in by ssh.
type UserSSH struct {
	AuthorizedKeys AuthorizedKeys `json:"authorizedKeys"`
}

// AuthorizedKeys are lines of authorized_keys.
type AuthorizedKeys struct {
	Keys []string `json:"keys"`
}

// Group is one group, new or one that Debian already knows.
type Group struct {
	GID     *int     `json:"gid"` // nil = Debian's, or the registry's
	Members []string `json:"members"`
}
