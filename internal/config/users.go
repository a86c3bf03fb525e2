package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/config/program"
	"reprise/internal/diag"
)

const firstUID = 1000 // of Debian's range for people: adduser.conf, FIRST_UID

// users completes accounts and checks them against each other.
func (c *checker) users(cfg *Config) {
	owner, open := map[int]string{}, ""
	names := sortedKeys(cfg.Users.Users)
	for _, name := range names {
		u, path := cfg.Users.Users[name], Path("users", "users", name)
		if name == "root" {
			if u.UID != 0 {
				c.fail(path+".uid", fmt.Sprintf("is %d", u.UID), "nothing: root is number 0", "remove it")
			}
			u.IsNormalUser = false
		} else {
			c.normalUser(path, name, u)
		}
		if u.Home == "" {
			u.Home = "/home/" + name
			if name == "root" {
				u.Home = "/root"
			}
		}
		cfg.Users.Users[name] = u
	}
	for _, name := range names {
		u, path := cfg.Users.Users[name], Path("users", "users", name, "uid")
		switch {
		case name == "root" || !c.sound(path):
		case u.UID != 0 && owner[u.UID] != "":
			c.fail(path, fmt.Sprintf("is %d, which user %q has", u.UID, owner[u.UID]), "a number of its own", fmt.Sprintf("write uid: %d", freeUID(cfg)))
		case u.UID != 0:
			owner[u.UID] = name
		case open == "":
			open = name
		default:
			c.fail(program.Parent(path), fmt.Sprintf("has no uid, and user %q has none either", open), "a uid for all users but one",
				fmt.Sprintf("add uid: %d", freeUID(cfg)))
		}
	}
	if open == "" {
		return
	}
	u := cfg.Users.Users[open]
	if u.UID = firstUID; owner[firstUID] != "" {
		c.fail(Path("users", "users", open), fmt.Sprintf("has no uid, and user %q has %d", owner[firstUID], firstUID), "a uid of its own",
			fmt.Sprintf("add uid: %d", freeUID(cfg)))
	}
	cfg.Users.Users[open] = u
}

func (c *checker) normalUser(path, name string, u User) {
	switch {
	case !u.IsNormalUser && c.sound(path+".isNormalUser"):
		c.fail(path+".isNormalUser", "is false", "true: accounts of programs come with their packages", "remove it")
	case slices.Contains(systemUsers, name) || strings.HasPrefix(name, "systemd-"):
		c.fail(path, "is an account of Debian's", "a name for a person", "choose another name")
	case knownGroup(name):
		c.fail(path, "has the name of a group of Debian's, and every user has a group of the same name", "a name that is free", "choose another name")
	}
}

// freeUID is the lowest number that no user of cfg has, but for the first: that
// is for the user without one.
func freeUID(cfg *Config) int {
	taken := map[int]bool{}
	for _, u := range cfg.Users.Users {
		taken[u.UID] = true
	}
	uid := firstUID + 1
	for taken[uid] {
		uid++
	}
	return uid
}

// groups checks users.groups and every mention of users and groups.
func (c *checker) groups(cfg *Config) {
	if _, ok := cfg.Users.Groups["wheel"]; ok {
		c.fail("users.groups.wheel", "is Debian's group sudo under NixOS's name", "users in group wheel, or in Debian's group sudo", "write users.groups.sudo")
	}
	for _, name := range sortedKeys(cfg.Users.Groups) {
		g, path := cfg.Users.Groups[name], Path("users", "groups", name)
		if u, ok := cfg.Users.Users[name]; ok && g.GID != nil && *g.GID != u.UID && c.sound("users.users") {
			c.fail(path+".gid", fmt.Sprintf("is %d, but this is the group of user %q, whose number is %d", *g.GID, name, u.UID), "the same number", "remove it")
		}
		if g.GID != nil && knownGroup(name) {
			c.fail(path+".gid", fmt.Sprintf("is %d, but Debian gives this group its number", *g.GID), "nothing", "remove it")
		}
		_, own := cfg.Users.Users[name]
		if g.GID == nil && !own && !knownGroup(name) && name != "wheel" && c.sound(path) {
			c.fail(path, "is a new group without a number", "a gid, so that files keep their group", "add gid: 1500")
		}
		for i, m := range g.Members {
			if _, ok := cfg.Users.Users[m]; !ok {
				c.noUser(cfg, Path("users", "groups", name, "members", i), m)
			}
		}
	}
	c.groupNumbers(cfg)
	for _, name := range sortedKeys(cfg.Users.Users) {
		for i, g := range cfg.Users.Users[name].ExtraGroups {
			_, declared := cfg.Users.Groups[g]
			_, private := cfg.Users.Users[g]
			if !declared && !private && !knownGroup(g) {
				c.noGroup(cfg, Path("users", "users", name, "extraGroups"), i, g)
			}
		}
	}
	for name, u := range cfg.Users.Users {
		u.ExtraGroups = debianGroups(u.ExtraGroups)
		cfg.Users.Users[name] = u
	}
	if u := cfg.Services.Getty.AutologinUser; u != "" && u != "root" {
		if _, ok := cfg.Users.Users[u]; !ok {
			c.noUser(cfg, "services.getty.autologinUser", u)
		}
	}
	for i, u := range cfg.Services.OpenSSH.Settings.AllowUsers {
		if _, ok := cfg.Users.Users[u]; !ok && u != "root" {
			c.noUser(cfg, Path("services", "openssh", "settings", "AllowUsers", i), u)
		}
	}
}

// debianGroups sorts groups and calls NixOS's wheel by its name in Debian.
func debianGroups(groups []string) []string {
	named := []string{}
	for _, g := range groups {
		if g == "wheel" {
			g = "sudo"
		}
		named = append(named, g)
	}
	slices.Sort(named)
	return slices.Compact(named)
}

// groupNumbers refuses two groups of one number; users' own groups count.
func (c *checker) groupNumbers(cfg *Config) {
	owner := map[int]string{}
	for _, name := range slices.Backward(sortedKeys(cfg.Users.Users)) {
		owner[cfg.Users.Users[name].UID] = name
	}
	for _, name := range sortedKeys(cfg.Users.Groups) {
		g := cfg.Users.Groups[name]
		if g.GID == nil {
			continue
		}
		if other := owner[*g.GID]; other != "" && other != name {
			c.fail(Path("users", "groups", name, "gid"), fmt.Sprintf("is %d, which group %q has", *g.GID, other), "a number of its own", "choose another number")
		}
		owner[*g.GID] = name
	}
}

func (c *checker) noUser(cfg *Config, path, name string) {
	names := append(sortedKeys(cfg.Users.Users), "root")
	do := "write one of " + strings.Join(names, ", ")
	if near := diag.Nearest(name, names); len(near) > 0 {
		do = "write '" + near[0] + "'"
	}
	c.fail(path, "is "+strconv.Quote(name)+", and there is no such user", "a user of users.users", do)
}

func (c *checker) noGroup(cfg *Config, path string, i int, name string) {
	names := slices.Concat(baseGroups, packageGroups, sortedKeys(cfg.Users.Groups))
	do := "declare it: users+: { groups+: { '" + name + "': { gid: 1500 } } }"
	if near := diag.Nearest(name, names); len(near) > 0 {
		do = "write '" + near[0] + "'"
	}
	c.fail(program.Join(path, i), "is "+strconv.Quote(name)+", and there is no such group", "a group of Debian's or of users.groups", do)
}

// inGroup returns the normal users in a group, sorted by name.
func (c *Config) inGroup(group string) []string {
	var users []string
	for _, name := range sortedKeys(c.Users.Users) {
		u := c.Users.Users[name]
		if u.IsNormalUser && (slices.Contains(u.ExtraGroups, group) || slices.Contains(c.Users.Groups[group].Members, name)) {
			users = append(users, name)
		}
	}
	return users
}

func knownGroup(name string) bool {
	return name == "wheel" || slices.Contains(baseGroups, name) || slices.Contains(packageGroups, name)
}

// baseGroups are on every machine. Source: base-passwd's group.master and the
// sysusers.d files of systemd and udev in trixie.
var baseGroups = []string{
	"adm", "audio", "backup", "bin", "cdrom", "clock", "daemon", "dialout", "dip", "disk", "fax", "floppy", "games", "input", "irc",
	"kmem", "kvm", "list", "lp", "mail", "man", "messagebus", "news", "nogroup", "operator", "plugdev", "proxy", "render", "root",
	"sasl", "sgx", "shadow", "src", "staff", "sudo", "sys", "systemd-journal", "tape", "tty", "users", "utmp", "uucp", "video", "voice", "www-data",
}

// packageGroups come with packages that people join groups of.
var packageGroups = []string{
	"_ssh", "bluetooth", "crontab", "docker", "i2c", "libvirt", "lightdm", "lpadmin", "netdev", "pipewire", "rtkit", "scanner", "ssl-cert", "wireshark",
}

// systemUsers are accounts that people must not take. Source: base-passwd's
// passwd.master in trixie, and the packages of every machine of ours.
var systemUsers = []string{
	"_apt", "backup", "bin", "daemon", "games", "irc", "list", "lp", "mail", "man", "messagebus", "news", "nobody", "polkitd",
	"proxy", "rtkit", "sshd", "sync", "sys", "uucp", "www-data",
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
