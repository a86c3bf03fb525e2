package answers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"reprise/installer/latency"
	"reprise/internal/config"
	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// Check tells everything that is wrong with answers by themselves, whatever
// machine they are for. The problems name fields and have no place.
func Check(a Answers) diag.Problems {
	c := &checker{}
	if a.Version != Version {
		c.fail("version", fmt.Sprintf("is %d", a.Version), fmt.Sprint(Version), "")
	}
	if a.Profile == "" {
		c.fail("profile", "is not answered", "the name of a system that the medium carries", `write "profile": "live-rig"`)
	}
	c.disk(a)
	c.oneOf("fileSystem", a.FileSystem, Ext4, Btrfs)
	c.oneOf("encryption", a.Encryption, NoEncryption, LUKS2)
	c.oneOf("then", a.Then, Reboot, PowerOff, Stay)
	if a.Measure < 0 || a.Measure > latency.MaxSeconds {
		c.fail("measure", fmt.Sprintf("is %d", a.Measure), fmt.Sprintf("a number of seconds up to %d", latency.MaxSeconds), "write true")
	}
	if f := a.PassphraseFile; f != "" {
		switch {
		case a.Encryption != LUKS2:
			c.fail("passphraseFile", "is "+program.Shorten(f)+", and nothing is encrypted", `"encryption": "luks2" with it`, "write one or remove the other")
		case path.Base(f) != f || f == "." || f == ".." || strings.ContainsAny(f, "\x00\n\r"):
			c.fail("passphraseFile", "is "+program.Shorten(f), "the name of a file beside the answers, without directories", `write "passphraseFile": "passphrase.txt"`)
		}
	}
	c.host(a)
	if u := a.User; u != nil {
		c.user(u)
	}
	c.option("timeZone", "time.timeZone", a.TimeZone)
	c.option("locale", "i18n.defaultLocale", a.Locale)
	c.option("keyMap", "console.keyMap", a.KeyMap)
	if n := a.Network; n != nil {
		c.network(n)
	}
	return c.problems
}

type checker struct{ problems diag.Problems }

func (c *checker) fail(field, got, want, do string) {
	c.problems = append(c.problems, diag.Problem{Field: field, Got: got, Want: want, Do: do})
}

// option checks a text that becomes an option of the configuration; "" is fine.
func (c *checker) option(field, option, value string) {
	if value == "" {
		return
	}
	if p := config.CheckText(option, value); p != nil {
		c.fail(field, p.Got, p.Want, p.Do)
	}
}

func (c *checker) oneOf(field, value string, words ...string) {
	if slices.Contains(words, value) {
		return
	}
	do := "write " + words[0]
	if near := diag.Nearest(value, words); len(near) > 0 {
		do = "write " + near[0]
	}
	c.fail(field, "is "+program.Shorten(value), "one of "+strings.Join(words, ", "), do)
}

// disk checks the choice of a disk and the consent to erase it.
func (c *checker) disk(a Answers) {
	before := len(c.problems)
	for _, l := range []struct {
		field string
		list  List
	}{{"disk", a.Disk}, {"erase", a.Erase}} {
		for i, s := range l.list {
			at := l.field
			if len(l.list) > 1 {
				at = program.Join(l.field, i)
			}
			switch {
			case strings.TrimSpace(s) != s || s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }):
				c.fail(at, "is "+program.Shorten(s), "a serial number, as reprise install --list prints it", "write it without spaces around it")
			case s == Only && len(l.list) > 1:
				c.fail(at, `is "only" among others`, `serial numbers, or "only" by itself`, `write "`+l.field+`": "only", or remove it here`)
			case slices.Contains(l.list[:i], s):
				c.fail(at, "is "+program.Shorten(s)+", as another one", "each serial number once", "remove one of them")
			}
		}
	}
	switch {
	case len(c.problems) > before:
	case len(a.Disk) == 0:
		c.fail("disk", "is not answered", "the serial number of the disk to install to", `write "disk": "S4EWNX0R", or "disk": "only" for machines with one disk`)
	case len(a.Erase) == 0:
		c.fail("erase", "is not answered", "the serial number of the disk again: all that is on it will be lost", `write "erase": with the same serial number as "disk"`)
	case a.Disk.Is(Only):
		if !a.Erase.Is(Only) {
			return // plan compares the serial numbers with the machine's
		}
	case a.Erase.Is(Only):
		c.fail("erase", `is "only", and disk names one`, "the serial number of the disk again", `write "erase": with the same serial number as "disk"`)
	case slices.ContainsFunc(a.Disk, isPath):
		if len(a.Disk) > 1 {
			c.fail("disk", "has a path among others", "one path, or serial numbers", "write the serial numbers alone")
		}
	default:
		for i, s := range a.Disk {
			if !a.Erase.Has(s) {
				at := "disk"
				if len(a.Disk) > 1 {
					at = program.Join(at, i)
				}
				c.fail(at, "is "+program.Shorten(s)+", which erase does not have", "the same serial number in disk and in erase", "compare both with the label of the disk")
			}
		}
	}
}

func isPath(s string) bool { return strings.HasPrefix(s, "/dev/") }

func (c *checker) user(u *User) {
	if u.Name == "" {
		c.fail("user.name", "is not answered", "the name to log in with", `write "name": "rig"`)
	}
	if u.Name == "root" {
		c.fail("user.name", `is "root"`, "the name of a person", "write another name; wheel gives this user sudo")
	}
	c.option("user.name", "users.users", u.Name)
	c.option("user.fullName", "users.users.<name>.description", u.FullName)
	if u.PasswordHash != "" && !isHash.MatchString(u.PasswordHash) {
		// What it is may well be the password: it is not shown.
		c.fail("user.passwordHash", "is no hash of crypt(5)", "a hash that begins $y$, $6$ or $2b$", "write what mkpasswd --method=yescrypt prints, or openssl passwd -6")
	}
	for i, key := range u.Keys {
		at := "user.keys"
		if len(u.Keys) > 1 {
			at = program.Join(at, i)
		}
		if p := config.CheckText("users.users.<name>.openssh.authorizedKeys.keys", key); p != nil {
			c.fail(at, p.Got, p.Want, p.Do)
		}
	}
	if u.PasswordHash == "" && len(u.Keys) == 0 {
		c.fail("user", "has neither a password nor a key: nobody could log in", "passwordHash or keys, or both", `write "keys": ["ssh-ed25519 …"]`)
	}
}

// isHash knows the methods of libxcrypt that are strong, by prefix and letters.
// Source: crypt(5) of libxcrypt 4.4.
var isHash = regexp.MustCompile(`^(\$(y|gy|7)\$[./A-Za-z0-9]+\$[./A-Za-z0-9]{0,86}\$[./A-Za-z0-9]{43}` +
	`|\$7\$[./A-Za-z0-9]{11,97}\$[./A-Za-z0-9]{43}` +
	`|\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}` +
	`|\$6\$(rounds=[1-9][0-9]{3,8}\$)?[^$:\n\s]{1,16}\$[./0-9A-Za-z]{86}` +
	`|\$5\$(rounds=[1-9][0-9]{3,8}\$)?[^$:\n\s]{1,16}\$[./0-9A-Za-z]{43})$`)

func (c *checker) network(n *Network) {
	for _, f := range []struct{ name, option, value string }{
		{"interface", "networking.interfaces", n.Interface},
		{"address", "networking.interfaces.<name>.addresses", n.Address},
	} {
		if f.value == "" {
			c.fail("network."+f.name, "is not answered", "an interface with a fixed address", `write "interface": "enp3s0", "address": "192.168.7.2/24", or leave network out`)
			continue
		}
		c.option("network."+f.name, f.option, f.value)
	}
	c.option("network.gateway", "networking.defaultGateway", n.Gateway)
	prefix, err := netip.ParsePrefix(n.Address)
	if gateway, bad := netip.ParseAddr(n.Gateway); err == nil && bad == nil && !prefix.Contains(gateway) {
		c.fail("network.gateway", "is "+n.Gateway, "an address in "+prefix.Masked().String(), "compare it with the address")
	}
	for i, s := range n.NameServers {
		c.option(program.Join("network.nameServers", i), "networking.nameservers", s)
	}
}

// Encode prints answers as a file.
func (a Answers) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode answers: %w", err)
	}
	return append(data, '\n'), nil
}
