package config

import (
	"encoding/base64"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// A format is what a string must look like.
type format struct {
	name    string              // in the documentation
	want    string              // in a problem
	example string              // a good value
	ok      func(s string) bool // s is good
	mend    func(s string) string
}

// matching makes ok of a regular expression for the whole string, of at most
// max bytes.
func matching(expr string, max int) func(string) bool {
	re := regexp.MustCompile(`^(?:` + expr + `)$`)
	return func(s string) bool { return len(s) <= max && re.MatchString(s) }
}

const (
	label      = `[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?` // RFC 1123
	localeExpr = `[a-z]{2,3}(?:_[A-Z]{2})?(?:\.[A-Za-z0-9-]+)?(?:@[a-z]+)?`
)

var (
	hostNameFormat = format{"host name", "a host name: letters, digits and inner hyphens, 63 at most, no dots", "live-rig",
		func(s string) bool { return hostLabel(s) && s != "localhost" }, mendHostName}
	domainFormat = format{"domain", "a domain such as studio.example", "studio.example",
		matching(label+`(?:\.`+label+`)*`, 253), nil}
	userNameFormat = format{"user name", "a user name: lower-case letters, digits, - and _, first a letter, 31 at most", "rig",
		matching(`[a-z_][a-z0-9_-]*`, 31), mendUserName}
	groupNameFormat = format{"group name", "a group name: lower-case letters, digits, - and _, first a letter, 31 at most", "audio",
		matching(`[a-z_][a-z0-9_-]*`, 31), mendUserName}
	addressFormat = format{"IP address", "an IPv4 or IPv6 address", "192.168.7.1",
		func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Zone() == "" }, nil}
	prefixFormat = format{"IP address/prefix length", "an address with its prefix length", "192.168.7.2/24",
		func(s string) bool { _, err := netip.ParsePrefix(s); return err == nil }, mendPrefix}
	macFormat = format{"MAC address", "six bytes in hexadecimal digits with colons between", "52:54:00:12:34:56",
		matching(`[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}`, 17), nil}
	serverFormat = format{"host name or IP address", "a host name or an IP address", "ntp.studio.example",
		func(s string) bool { return addressFormat.ok(s) || domainFormat.ok(s) }, nil}
	packageFormat = format{"package name", "a Debian package name: lower-case letters, digits, + - and .", "jackd2",
		matching(`[a-z0-9][a-z0-9+.-]+`, 128), strings.ToLower}
	urlFormat = format{"URL", "an http or https URL", "https://mirror.studio.example/debian",
		httpURL, func(s string) string { return "https://" + s }}
	kernelParamFormat = format{"kernel parameter", "one kernel parameter: no line break, and no space but inside double quotes", "threadirqs",
		matching(`(?:[!#-~]|"[ !#-~]*")+`, 1024), nil}
	moduleFormat = format{"kernel module", "a kernel module: letters, digits, - and _", "snd-usb-audio",
		matching(`[A-Za-z0-9_-]+`, 64), mendModule}
	sysctlFormat = format{"sysctl key", "a sysctl key such as vm.swappiness", "vm.swappiness",
		matching(`[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_:*-]+)+`, 256), nil}
	localeFormat = format{"locale", "a locale such as C.UTF-8 or de_DE.UTF-8", "de_DE.UTF-8",
		func(s string) bool { return utf8Locale(s) || s == "C.UTF-8" }, mendLocale}
	charsetLocaleFormat = format{"locale/charset", "a locale and its character set, as in Debian's /usr/share/i18n/SUPPORTED", "de_DE.UTF-8/UTF-8",
		matching(localeExpr+`/[A-Z0-9-]+`, 64), func(s string) string { return s + "/UTF-8" }}
	timeZoneFormat = format{"time zone", "a time zone such as Europe/Berlin or Etc/UTC", "Etc/UTC",
		matching(`[A-Z][A-Za-z0-9_+-]*(?:/[A-Z][A-Za-z0-9_+-]*){0,2}`, 64), nil}
	keyMapFormat = format{"key map", "a console key map such as us or de-latin1", "us",
		matching(`[A-Za-z0-9_+.-]+`, 64), nil}
	xkbFormat = format{"names with commas", "names of xkeyboard-config(7), with commas: letters, digits, - and _", "us",
		matching(`(?:[a-z][A-Za-z0-9_-]*)?(?:,(?:[a-z][A-Za-z0-9_-]*)?)*`, 256), nil}
	xkbOptionsFormat = format{"options with commas", "options of xkeyboard-config(7), with commas", "compose:caps",
		matching(`(?:[A-Za-z0-9_:()-]+(?:,[A-Za-z0-9_:()-]+)*)?`, 256), nil}
	sessionFormat = format{"session", "the name of a file in /usr/share/xsessions, without .desktop", "xfce",
		matching(`[A-Za-z0-9][A-Za-z0-9_.+-]*`, 64), func(s string) string { return strings.TrimSuffix(s, ".desktop") }}
	absoluteFormat = format{"absolute path", "an absolute path without . and .. and doubled slashes", "/srv/samples",
		func(s string) bool { return strings.HasPrefix(s, "/") && plainPath(s) }, mendPath}
	shellFormat = format{"absolute path", "the absolute path of a shell", "/bin/bash",
		func(s string) bool { return absoluteFormat.ok(s) && !strings.ContainsAny(s, ": ") }, func(s string) string { return "/bin/" + path.Base(s) }}
	homeFormat = format{"absolute path", "an absolute path below /home or another place that is kept", "/home/rig",
		func(s string) bool { return absoluteFormat.ok(s) && s != "/" && !strings.ContainsAny(s, ": ") }, mendPath}
	etcPathFormat = format{"path below /etc", "a path below /etc, without the leading /etc/", "motd",
		func(s string) bool {
			return plainPath(s) && s != "." && !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "../") && s != ".."
		},
		func(s string) string { return strings.TrimPrefix(s, "/etc/") }}
	modeFormat = format{"file mode", "a file mode: four octal digits, the first 0", "0644",
		matching(`0[0-7]{3}`, 4), func(s string) string { return "0" + s }}
	unitFormat = format{"unit name", "a systemd unit such as click.service, or a drop-in such as ssh.service.d/rig.conf", "click.service",
		matching(unitExpr+`(?:\.d/[A-Za-z0-9_.-]+\.conf)?`, 255), func(s string) string { return s + ".service" }}
	wantedByFormat = format{"unit name", "a systemd unit such as multi-user.target", "multi-user.target",
		matching(unitExpr, 255), func(s string) string { return s + ".target" }}
	pciFormat = format{"PCI address", "a PCI address as lspci prints it", "00:1b.0",
		matching(`(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]`, 12), strings.ToLower}
	keyFormat = format{"ssh public key", wantKey, "ssh-ed25519 AAAA… you@studio",
		func(s string) bool { return checkKey(s) == nil }, nil}
	textFormat  = format{"text", "text", "…", func(s string) bool { return !strings.ContainsRune(s, 0) }, nil}
	gecosFormat = format{"line of text", "one line of text without colons", "Live rig",
		func(s string) bool { return oneLine(s) && !strings.Contains(s, ":") }, nil}
	wordFormat = format{"word", "one word of a command line, without spaces, quotes, %, ; and \\", "dummy",
		matching(`[!#$&(-:<-\[\]-~]+`, 256), nil}
	wordsFormat = format{"words", "words with single spaces: letters, digits, - and _", "snd usb i8042",
		matching(`(?:[A-Za-z0-9_-]+(?: [A-Za-z0-9_-]+)*)?`, 256), nil}
	confNameFormat = format{"file name", "a file name without .conf: letters, digits, - and _", "10-latency",
		matching(`[A-Za-z0-9][A-Za-z0-9_-]*`, 64), func(s string) string { return strings.TrimSuffix(s, ".conf") }}
	variableFormat = format{"variable name", "a variable name: letters, digits and _, first no digit", "LV2_PATH",
		matching(`[A-Za-z_][A-Za-z0-9_]*`, 128), strings.ToUpper}
	variableValueFormat = format{"value", "one line of text without double quotes, backquotes and backslashes", "$HOME/.lv2:/usr/lib/lv2",
		func(s string) bool {
			return oneLine(s) && !strings.ContainsAny(s, "\"`\\") && !strings.Contains(s, "$(")
		}, nil}
	deviceFormat = format{"device", "a device such as /dev/disk/by-label/samples or UUID=…, or a name for a virtual file system", "/dev/disk/by-label/samples",
		matching(`[!-~]+`, 512), nil}
	luksFormat = format{"encrypted device", "the device by the UUID of its LUKS header, in lower case", "/dev/disk/by-uuid/6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4",
		matching(`/dev/disk/by-uuid/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`, 64), strings.ToLower}
	mapperFormat = format{"name in /dev/mapper", "a name of letters, digits, - _ and ., first a letter", "root",
		matching(`[A-Za-z][A-Za-z0-9._-]*`, 64), nil}
	fsTypeFormat = format{"file system type", "a file system type such as ext4 or tmpfs", "ext4",
		matching(`[a-z0-9_.-]+`, 32), strings.ToLower}
	mountOptionFormat = format{"mount option", "one mount option, without commas and spaces", "noatime",
		matching(`[!-+\x2d-~]+`, 512), nil}
	interfaceFormat = format{"interface", "a network interface such as enp3s0", "enp3s0",
		matching(`[!-.0-9;-~]+`, 15), nil}
	limitDomainFormat = format{"limit domain", "a user, a @group, * or %", "@audio",
		matching(`[@%]?[a-z_*][a-z0-9_-]*|%|\d*:\d*`, 33), nil}
	limitValueFormat = format{"limit", "a whole number, or 'unlimited'", "95",
		matching(`-?\d{1,18}|unlimited|infinity`, 20), nil}
	sysctlValueFormat = format{"sysctl value", "a string, a whole number or a boolean", "10", oneLine, nil}
	kernelFormat      = format{"kernel", "'linux', 'linux-rt', or a Debian package linux-image-…", "linux-rt",
		func(s string) bool {
			return kernels[s] != "" || strings.HasPrefix(s, "linux-image-") && packageFormat.ok(s)
		}, mendKernel}
)

const unitExpr = `[A-Za-z0-9:_.\\@-]+\.(?:service|socket|target|timer|path|mount|automount|swap|slice|device)`

var hostLabel = matching(label, 63)

func oneLine(s string) bool { return !strings.ContainsAny(s, "\x00\n\r") }

func plainPath(s string) bool {
	return s != "" && path.Clean(s) == s && oneLine(s) && len(s) < 4096
}

func httpURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "file") &&
		(u.Host != "" || u.Scheme == "file") && u.RawQuery == "" && u.Fragment == "" && oneLine(s) && !strings.Contains(s, " ")
}

func utf8Locale(s string) bool {
	return matching(localeExpr, 64)(s) && strings.Contains(s, ".UTF-8")
}

// The mend functions turn what people write into what they meant; the result
// is only offered when it is good.

func mendHostName(s string) string {
	s, _, _ = strings.Cut(s, ".")
	return strings.Trim(dashed(s), "-")
}

func mendUserName(s string) string {
	return strings.TrimLeft(strings.ToLower(dashed(s)), "-0123456789")
}

// dashed puts a hyphen for what is neither letter, digit nor hyphen.
func dashed(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && (r == '-' || r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z') {
			return r
		}
		return '-'
	}, s)
}

func mendPath(s string) string { return path.Clean("/" + s) }

func mendModule(s string) string {
	s = path.Base(s)
	for _, end := range []string{".xz", ".zst", ".ko"} {
		s = strings.TrimSuffix(s, end)
	}
	return s
}

func mendLocale(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, ".utf8", ".UTF-8"), ".utf-8", ".UTF-8")
	if !strings.Contains(s, ".") {
		s += ".UTF-8"
	}
	return s
}

func mendPrefix(s string) string {
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		return s + "/24"
	}
	return s + "/64"
}

func mendKernel(s string) string {
	if strings.Contains(s, "rt") {
		return "linux-rt"
	}
	return "linux"
}

// looksPrivate reports whether s holds a private key rather than a public one.
func looksPrivate(s string) bool {
	return strings.Contains(s, "PRIVATE KEY") || strings.HasPrefix(strings.TrimSpace(s), base64.StdEncoding.EncodeToString([]byte("openssh-key-v1"))[:12])
}
