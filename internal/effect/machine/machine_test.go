package machine

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"reprise/internal/activation"
	"reprise/internal/config"
	"reprise/internal/effect"
	"reprise/internal/layer"
	"reprise/store/storepath"
)

var update = flag.Bool("update", false, "rewrite golden files")

// A pkg is a made-up package: files by path ("dir/" is a directory, a text
// that begins with "-> " a link), and control files.
type pkg struct {
	files   map[string]string
	control map[string]string
}

// packages are a machine in small, each doing one thing that real ones do.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	archive, err := txtar.ParseFile("pam/testdata/rig.txtar")
	if err != nil {
		t.Fatal(err)
	}
	pam := pkg{files: map[string]string{"etc/pam.d/login": "auth required pam_x.so\n", "etc/pam.d/sshd": "session required pam_limits.so\n", "etc/security/pam_env.conf": "# debian's\n"}}
	for _, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "template/"); ok {
			pam.files["usr/share/pam/common-"+name] = string(f.Data)
		}
		if f.Name == "profile/unix" {
			pam.files["usr/share/pam-configs/unix"] = string(f.Data)
		}
	}
	sh := "#!/bin/sh\nset -e\n"
	return map[string]pkg{
		"base-passwd": {files: map[string]string{
			"usr/share/base-passwd/passwd.master": "root:*:0:0:root:/root:/bin/bash\nman:*:6:12:man:/var/cache/man:/usr/sbin/nologin\n",
			"usr/share/base-passwd/group.master":  "root:*:0:\nmail:*:8:\nman:*:12:\nsudo:*:27:\naudio:*:29:\nshadow:*:42:\nnogroup:*:65534:\n",
		}},
		"base-files": {files: map[string]string{"usr/lib/os-release": "PRETTY_NAME=\"Debian\"\nID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n", "usr/share/base-files/profile": "# profile\n", "usr/share/base-files/dot.bashrc": "# root's\n", "usr/share/base-files/info.dir": "* Menu\n"},
			control: map[string]string{"postinst": sh + "cp -p /usr/share/base-files/profile /etc/profile\ncp -p /usr/share/base-files/dot.bashrc /root/.bashrc\ncp -p /usr/share/base-files/info.dir /usr/share/info/dir\nmkdir /var/mail; chown root:mail /var/mail; chmod 2775 /var/mail\nln -s ../mail /var/spool/mail\n"}},
		"libpam-runtime": pam,
		"dbus": {files: map[string]string{"usr/lib/dbus-1.0/dbus-daemon-launch-helper": "ELF", "usr/lib/sysusers.d/dbus.conf": "u messagebus - \"System Message Bus\" /nonexistent\n", "var/lib/dbus/": ""},
			control: map[string]string{"postinst": sh + "L=/usr/lib/dbus-1.0/dbus-daemon-launch-helper\nif ! dpkg-statoverride --list $L >/dev/null; then dpkg-statoverride --update --add root messagebus 4754 $L; fi\n"}},
		"mawk": {files: map[string]string{"usr/bin/mawk": "ELF"}, control: map[string]string{"postinst": sh + "update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5\n"}},
		"man-db": {files: map[string]string{"usr/bin/man": "ELF"}, control: map[string]string{
			"templates": "Template: man-db/install-setuid\nType: boolean\nDefault: false\n",
			"postinst":  sh + "db_get man-db/install-setuid\nif [ \"$RET\" = true ]; then chown man /usr/bin/man; chmod 6755 /usr/bin/man; else chown root:root /usr/bin/man; fi\ninstall -d -o man -g man -m 0755 /var/cache/man\n"}},
		"openssh-server": {files: map[string]string{"usr/share/openssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n", "usr/lib/systemd/system/ssh.service": "[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n", "usr/lib/systemd/system/ssh.socket": "[Install]\nWantedBy=sockets.target\n"},
			control: map[string]string{"postinst": sh + "if deb-systemd-helper --quiet was-enabled 'ssh.service'; then deb-systemd-helper enable 'ssh.service'; fi\nif deb-systemd-helper debian-installed 'ssh.socket'; then deb-systemd-helper enable 'ssh.socket'; fi\n"}},
		"rtkit":  {control: map[string]string{"postinst": sh + "if ! getent passwd rtkit; then adduser --system --home /proc --gecos RealtimeKit --group rtkit; fi\n"}},
		"passwd": {files: map[string]string{"usr/bin/passwd": "ELF passwd", "usr/bin/chage": "ELF chage", "usr/sbin/chpasswd": "ELF chpasswd"}},
		"shells": {files: map[string]string{"usr/share/debianutils/shells": "# shells\n/bin/sh\n", "usr/share/debianutils/shells.d/bash": "/bin/bash\n/usr/bin/bash\n", "etc/skel/.profile": "# skel\n", "etc/skel/.config/": ""}},
		"systemd": {files: map[string]string{
			"usr/lib/systemd/system/systemd-networkd.service": "[Install]\nWantedBy=multi-user.target\nAlso=systemd-networkd.socket\n",
			"usr/lib/systemd/system/systemd-networkd.socket":  "[Install]\nWantedBy=sockets.target\n",
			"usr/lib/systemd/system/getty@.service":           "[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n",
			"usr/lib/systemd/system/ldconfig.service":         "[Service]\n",
			"usr/lib/systemd/system/wait.service":             "[Install]\nWantedBy=sysinit.target\n",
			"usr/lib/systemd/system-preset/90-systemd.preset": "disable wait.service\n",
			"usr/lib/tmpfiles.d/etc.conf":                     "d /etc/credstore 0700 root root\nL+ /etc/vconsole.conf - - - - default/keyboard\nL! /etc/resolv.conf - - - - x\n",
			"usr/lib/tmpfiles.d/var.conf":                     "d /var/lib/dbus 0755 - - -\n", "etc/credstore/": "",
		}, control: map[string]string{"postinst": sh + "if [ -z \"$2\" ]; then systemctl enable getty@tty1.service; fi\ndeb-systemd-helper enable wait.service\n"}},
		"cups": {files: map[string]string{"usr/lib/cups/backend-available/usb": "ELF", "usr/lib/cups/backend-available/dnssd": "ELF", "usr/lib/cups/backend/ipp": "ELF"},
			control: map[string]string{"postinst": sh + "cat >/etc/cups/raw.types <<EOF\n# raw\nEOF\n"}},
		"emacsen-common": {files: map[string]string{"usr/share/emacsen-common/debian-startup.el": ";\n"}, control: map[string]string{"postinst": sh}},
		"lightdm":        {files: map[string]string{"usr/sbin/lightdm": "ELF", "usr/lib/systemd/system/lightdm.service": "[Service]\n"}},
		"tzdata":         {files: map[string]string{"usr/share/zoneinfo/Etc/UTC": "TZif"}},
		"cron":           {files: map[string]string{"var/spool/cron/crontabs/": "", "usr/bin/crontab": "ELF"}, control: map[string]string{"postinst": sh + "addgroup --system crontab\nchown root:crontab /var/spool/cron/crontabs\nchmod 1730 /var/spool/cron/crontabs\nchgrp crontab /usr/bin/crontab; chmod 2755 /usr/bin/crontab\n"}},
	}
}

// install writes packages as a store would hold them.
func install(t *testing.T, packages map[string]pkg) (*effect.Contents, func(storepath.Path) string) {
	t.Helper()
	store := t.TempDir()
	real := func(p storepath.Path) string { return filepath.Join(store, filepath.Base(string(p))) }
	var refs []effect.Ref
	for name, p := range packages {
		dir := filepath.Join(store, name)
		manifest := layer.Manifest{}
		write := func(path, text string) {
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for path, text := range p.files {
			if d, ok := strings.CutSuffix(path, "/"); ok {
				manifest = append(manifest, layer.Entry{Path: d, Kind: layer.Dir, Mode: 0o755})
				continue
			}
			write(path, text)
			mode := uint32(0o644)
			if text == "ELF" {
				mode = 0o755
			}
			manifest = append(manifest, layer.Entry{Path: path, Kind: layer.File, Mode: mode, Size: int64(len(text))})
		}
		manifest.Sort()
		data, err := manifest.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		write(layer.ManifestPath, string(data))
		for file, text := range p.control {
			write(layer.Meta+"/"+file, text)
		}
		refs = append(refs, effect.Ref{Name: name, Version: "1", Path: storepath.Path("/nix/store/" + name)})
	}
	c, err := effect.LoadContents(refs, real)
	if err != nil {
		t.Fatal(err)
	}
	return c, real
}

// studio is a configuration that uses each option of ours once.
func studio() *config.Config {
	gid := 1500
	return &config.Config{
		Boot:    config.Boot{KernelModules: []string{"snd-seq"}, Kernel: config.Kernel{Sysctl: map[string]string{"vm.swappiness": "10"}}},
		Console: config.Console{KeyMap: "de-latin1"},
		Environment: config.Environment{
			Etc:       map[string]config.EtcFile{"motd": {Text: "hello\n", Mode: "0644"}, "networks": {Text: "mine\n", Mode: "0600"}, "skel/.config/x": {Text: "x\n", Mode: "0644"}},
			Variables: map[string]string{"LV2_PATH": "$HOME/.lv2:/usr/lib/lv2", "EDITOR": `na"no`},
		},
		FileSystems: map[string]config.FileSystem{"/srv/my samples": {Device: "/dev/disk/by-label/samples", FSType: "ext4", Options: []string{"noatime", "nofail"}}},
		I18n:        config.I18n{DefaultLocale: "C.UTF-8"},
		Networking: config.Networking{HostName: "studio", Domain: "example.org", UseDHCP: true, DefaultGateway: "192.168.7.1", Nameservers: []string{"192.168.7.1"},
			TimeServers: []string{"ntp.example.org"}, Interfaces: map[string]config.Interface{"enp3s0": {Addresses: []string{"192.168.7.2/24"}}, "enp4s0": {UseDHCP: true}, "stage": {UseDHCP: true, PermanentMACAddress: "52:54:00:12:34:56"}}},
		Security: config.Security{PAM: config.PAM{LoginLimits: []config.LoginLimit{{Domain: "@audio", Type: "-", Item: "rtprio", Value: "95"}}}},
		Services: config.Services{
			Udev:    config.Udev{ExtraRules: `KERNEL=="rtc0", GROUP="audio"`},
			Xserver: config.Xserver{Xkb: config.Xkb{Layout: "de,us", Variant: "nodeadkeys,", Options: "grp:alt_shift_toggle"}},
		},
		Systemd: config.Systemd{
			Units: map[string]config.Unit{
				"metronome.service":               {Text: "[Service]\nExecStart=/bin/true\n", Enable: true, WantedBy: []string{"multi-user.target"}},
				"ssh.socket":                      {Enable: true, WantedBy: []string{"sockets.target"}},
				"getty@.service.d/autologin.conf": {Text: "[Service]\n", Enable: true},
				"ldconfig.service":                {Enable: true},
				"wait.service":                    {Enable: false},
			},
			User: config.SystemdUser{Units: map[string]config.Unit{"jackd.service": {Text: "[Service]\n", Enable: true, WantedBy: []string{"default.target"}}}},
		},
		Time: config.Time{TimeZone: "Etc/UTC"},
		Users: config.Users{
			Users: map[string]config.User{
				"rig":  {IsNormalUser: true, Description: "Live rig", UID: 1000, ExtraGroups: []string{"audio", "sudo"}, Shell: "/bin/bash", Home: "/home/rig", Linger: true, OpenSSH: config.UserSSH{AuthorizedKeys: config.AuthorizedKeys{Keys: []string{"ssh-ed25519 AAAA rig"}}}},
				"root": {Shell: "/bin/sh", Home: "/root"},
			},
			Groups: map[string]config.Group{"band": {GID: &gid, Members: []string{"rig"}}},
		},
	}
}

// build runs an effect as the recipe and the builder do, through JSON, and
// prints its layer.
func build(t *testing.T, e effect.Effect, cfg *config.Config, c *effect.Contents, real func(storepath.Path) string) (string, error) {
	t.Helper()
	job, err := e.Plan(cfg, c)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var again effect.Job
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	env := &effect.Env{Job: &again, Out: filepath.Join(t.TempDir(), "out"), Work: t.TempDir(), Cores: 1, Real: real}
	if env.Packages, err = effect.LoadContents(again.Reads, real); err != nil {
		t.Fatal(err)
	}
	if err := e.Build(context.Background(), env); err != nil {
		return "", err
	}
	return show(t, env.Out), nil
}

func show(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, name := range []string{"manifest", "attributes"} {
		data, err := os.ReadFile(filepath.Join(dir, layer.Meta, name))
		if err != nil && name == "attributes" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := layer.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range m {
			fmt.Fprintf(&b, "%s %c %04o %d:%d %s %s\n", name, e.Kind, e.Mode, e.UID, e.GID, e.Path, e.Target)
		}
	}
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.HasPrefix(p, layer.Meta) || strings.Contains(p, "pam.d/common-") {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, p))
		fmt.Fprintf(&b, "--- %s\n%s", p, withNewline(string(data)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEffects(t *testing.T) {
	c, real := install(t, packages(t))
	for _, e := range All() {
		got, err := build(t, e, studio(), c, real)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		file := filepath.Join("testdata", e.Name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", e.Name, diff)
		}
	}
}

// A change of one option makes few new jobs: the others are remembered.
func TestJobsDependOnWhatTheyRead(t *testing.T) {
	c, _ := install(t, packages(t))
	jobs := func(cfg *config.Config) map[string]string {
		all := map[string]string{}
		for _, e := range All() {
			job, err := e.Plan(cfg, c)
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(job)
			if err != nil {
				t.Fatal(err)
			}
			all[e.Name] = string(data)
		}
		return all
	}
	before := jobs(studio())
	for _, test := range []struct {
		name   string
		change func(*config.Config)
		want   []string
	}{
		{"nothing", func(*config.Config) {}, nil},
		{"host name", func(c *config.Config) { c.Networking.HostName = "other" }, []string{"activation", "etc"}},
		{"a user", func(c *config.Config) { delete(c.Users.Users, "root") }, []string{"accounts", "activation"}},
		{"a unit", func(c *config.Config) { delete(c.Systemd.Units, "metronome.service") }, []string{"units"}},
		{"sysctl", func(c *config.Config) { c.Boot.Kernel.Sysctl["vm.swappiness"] = "1" }, []string{"etc"}},
	} {
		cfg := studio()
		test.change(cfg)
		var got []string
		for name, job := range jobs(cfg) {
			if job != before[name] {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// NetworkManager runs where the configuration says so and nowhere else, and
// its connections are state.
func TestNetworkManagerIsStartedOnRequest(t *testing.T) {
	all := packages(t)
	all["network-manager"] = pkg{files: map[string]string{"usr/lib/systemd/system/NetworkManager.service": "[Install]\nWantedBy=multi-user.target\n"},
		control: map[string]string{"postinst": "#!/bin/sh\nif deb-systemd-helper --quiet was-enabled 'NetworkManager.service'; then deb-systemd-helper enable 'NetworkManager.service'; fi\n"}}
	c, real := install(t, all)
	for _, on := range []bool{false, true} {
		cfg := studio()
		cfg.Networking.NetworkManager.Enable = on
		for _, e := range All() {
			want := map[string]string{"units": "multi-user.target.wants/NetworkManager.service", "activation": activation.Connections}[e.Name]
			if want == "" {
				continue
			}
			got, err := build(t, e, cfg, c, real)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(got, want) != on {
				t.Errorf("%s: enable is %v, and %q is there: %v", e.Name, on, want, !on)
			}
		}
	}
}

func TestEffectsRefuse(t *testing.T) {
	for _, test := range []struct {
		name, effect string
		packages     func(map[string]pkg)
		config       func(*config.Config)
		want         string
	}{
		{"no pam template", "pam", func(p map[string]pkg) { delete(p["libpam-runtime"].files, "usr/share/pam/common-auth") }, nil, "common-auth"},
		{"no pam profile", "pam", func(p map[string]pkg) { delete(p["libpam-runtime"].files, "usr/share/pam-configs/unix") }, nil, "everybody would be let in"},
		{"no base-passwd", "accounts", func(p map[string]pkg) { delete(p, "base-passwd") }, nil, "base-passwd"},
		{"no such group", "accounts", nil, func(c *config.Config) {
			u := c.Users.Users["rig"]
			u.ExtraGroups = []string{"jazz"}
			c.Users.Users["rig"] = u
		}, `"jazz"`},
		{"a mode that only a running script knows", "accounts", func(p map[string]pkg) {
			p["cron"].control["postinst"] = "#!/bin/sh\nchmod $(cat /etc/x) /usr/bin/crontab\n"
		}, nil, "cron: chmod ? /usr/bin/crontab"},
		{"a path that only a running script knows", "accounts", func(p map[string]pkg) {
			p["cron"].control["postinst"] = "#!/bin/sh\nchmod 4755 $(which x)\n"
		}, nil, "cron: chmod 4755 ?"},
		{"an owner that nobody is", "accounts", func(p map[string]pkg) {
			p["cron"].control["postinst"] = "#!/bin/sh\nchown zz-none /usr/bin/crontab\n"
		}, nil, `"zz-none"`},
		{"a postinst that is no shell", "units", func(p map[string]pkg) { p["cron"].control["postinst"] = "#!/usr/bin/perl\n" }, nil, "cron postinst"},
		{"no such time zone", "etc", nil, func(c *config.Config) { c.Time.TimeZone = "Mars/Base" }, "Mars/Base"},
		{"no such unit", "units", nil, func(c *config.Config) { c.Systemd.Units["gone.service"] = config.Unit{Enable: true} }, "gone.service"},
	} {
		all := packages(t)
		if test.packages != nil {
			test.packages(all)
		}
		cfg := studio()
		if test.config != nil {
			test.config(cfg)
		}
		c, real := install(t, all)
		for _, e := range All() {
			if e.Name != test.effect {
				continue
			}
			if _, err := build(t, e, cfg, c, real); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
			}
		}
	}
}

func TestPAMValue(t *testing.T) {
	for in, want := range map[string]string{
		"$HOME/.lv2:${HOME}/x": "@{HOME}/.lv2:@{HOME}/x", "${XDG_DATA_HOME}/a$B": "${XDG_DATA_HOME}/a${B}", "a@b": `a\@b`, "5$": `5\$`, `\$x`: `\$x`, "plain": "plain",
	} {
		if got := pamValue(in); got != want {
			t.Errorf("pamValue(%q) = %q, want %q", in, got, want)
		}
	}
}
