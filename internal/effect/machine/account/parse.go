package account

import (
	"fmt"
	"slices"
	"strings"

	"reprise/internal/effect/machine/maint"
)

// ParseSysusers reads a sysusers.d(5) file. Ids that it reads from a file on
// the machine and range lines are left out: the registry gives those numbers.
func ParseSysusers(file string, data []byte) ([]Want, error) {
	var wants []Want
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f, err := splitWords(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, number, err)
		}
		get := func(i int) string {
			if i < len(f) && f[i] != "-" {
				return f[i]
			}
			return ""
		}
		w := Want{From: file, Name: get(1)}
		id, group, both := strings.Cut(get(2), ":")
		if id != "" && id != "-" && !strings.HasPrefix(id, "/") && f[0] != "m" && f[0] != "r" {
			n, err := parseID(id)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, number, err)
			}
			w.ID = &n
		}
		if strings.Contains(strings.Join(f[1:], " "), "%") {
			return nil, fmt.Errorf("%s:%d: %q has a specifier that only the running machine knows", file, number, line)
		}
		switch strings.TrimRight(f[0], "!") {
		case "u":
			w.Kind, w.Gecos, w.Home, w.Shell = WantUser, get(3), get(4), get(5)
			if w.Home == "" {
				w.Home = "/" // sysusers.d(5); said here, so that a postinst's wish does not fill it in
			}
			if both {
				w.Group = group
			}
		case "g":
			w.Kind = WantGroup
		case "m":
			w.Kind, w.Group = WantMember, get(2)
		case "r":
			continue
		default:
			return nil, fmt.Errorf("%s:%d: unknown line type %q", file, number, f[0])
		}
		wants = append(wants, w)
	}
	return wants, nil
}

// splitWords splits as systemd's extract_first_word does with quotes.
func splitWords(line string) ([]string, error) {
	var words []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		if q := line[0]; q == '"' || q == '\'' {
			word, rest, ok := strings.Cut(line[1:], string(q))
			if !ok {
				return nil, fmt.Errorf("a quote in %q is not closed", line)
			}
			words, line = append(words, word), rest
			continue
		}
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		words, line = append(words, line[:end]), line[end:]
	}
	return words, nil
}

// FromCalls finds the accounts that a maintainer script makes. Calls that the
// script may not reach count too: an account more does no harm.
func FromCalls(pkg string, calls []maint.Call) ([]Want, error) {
	var wants []Want
	for _, c := range calls {
		var w []Want
		var err error
		switch c.Args[0] {
		case "adduser", "addgroup":
			w, err = adduser(c.Args)
		case "useradd", "groupadd":
			w, err = useradd(c.Args)
		case "usermod", "gpasswd":
			w = usermod(c.Args)
		default:
			continue
		}
		if err != nil {
			if !c.Sure {
				continue
			}
			return nil, fmt.Errorf("%s postinst: %s: %w", pkg, strings.ReplaceAll(strings.Join(c.Args, " "), maint.Unknown, "?"), err)
		}
		for _, want := range w {
			want.From = pkg
			wants = append(wants, want)
		}
	}
	return wants, nil
}

// options splits a command line: flags that take a value (by their long
// name), switches, and the rest. alias maps short flags to long ones.
func options(args []string, valued []string, alias map[string]string) (value map[string]string, on map[string]bool, rest []string) {
	value, on = map[string]string{}, map[string]bool{}
	for i := 1; i < len(args); i++ {
		a := args[i]
		if len(a) < 2 || a[0] != '-' || a == "--" {
			if a != "--" {
				rest = append(rest, a)
			}
			continue
		}
		name, v, inline := strings.Cut(a, "=")
		if long, ok := alias[name]; ok {
			name = long
		}
		if !slices.Contains(valued, name) {
			on[name] = true
			continue
		}
		if !inline && i+1 < len(args) {
			i++
			v = args[i]
		}
		value[name] = v
	}
	return value, on, rest
}

func optionalID(s string) (*uint32, error) {
	if s == "" {
		return nil, nil
	}
	id, err := parseID(s)
	return &id, err
}

// adduser is adduser(8) and addgroup(8).
func adduser(args []string) ([]Want, error) {
	value, on, rest := options(args,
		[]string{"--home", "--shell", "--gecos", "--comment", "--uid", "--gid", "--ingroup", "--firstuid", "--lastuid", "--firstgid", "--lastgid", "--conf", "--add-extra-groups"},
		map[string]string{"-h": "--help", "-q": "--quiet", "-g": "--gid", "-s": "--shell", "-u": "--uid"})
	for _, r := range append(rest, value["--home"], value["--ingroup"]) {
		if strings.Contains(r, maint.Unknown) {
			return nil, fmt.Errorf("a word that the script's text does not decide")
		}
	}
	if len(rest) == 2 && !on["--group"] {
		return []Want{{Kind: WantMember, Name: rest[0], Group: rest[1]}}, nil
	}
	if len(rest) != 1 {
		return nil, fmt.Errorf("want one name, got %q", rest)
	}
	gecos := value["--gecos"]
	if gecos == "" {
		gecos = value["--comment"]
	}
	if strings.Contains(gecos, maint.Unknown) {
		gecos = ""
	}
	gecos = strings.TrimRight(gecos, ",")
	group := args[0] == "addgroup" || (on["--group"] && !on["--system"])
	if group {
		id, err := optionalID(value["--gid"])
		return []Want{{Kind: WantGroup, Name: rest[0], ID: id}}, err
	}
	id, err := optionalID(value["--uid"])
	w := Want{Kind: WantUser, Name: rest[0], ID: id, Gecos: gecos, Home: value["--home"], Shell: value["--shell"]}
	if w.Home == "" {
		w.Home = "/nonexistent" // adduser(8): the default of --system
	}
	switch {
	case on["--group"]: // a group of its own name
	case value["--ingroup"] != "":
		w.Group = value["--ingroup"]
	case value["--gid"] != "":
		w.Group = value["--gid"]
	case on["--system"]:
		w.Group = noGroup
	}
	return []Want{w}, err
}

// useradd is useradd(8) and groupadd(8).
func useradd(args []string) ([]Want, error) {
	value, on, rest := options(args,
		[]string{"--home-dir", "--shell", "--comment", "--uid", "--gid", "--groups", "--base-dir", "--expiredate", "--inactive", "--key", "--password", "--skel", "--root"},
		map[string]string{"-d": "--home-dir", "--home": "--home-dir", "-s": "--shell", "-c": "--comment", "-u": "--uid", "-g": "--gid", "-G": "--groups", "-b": "--base-dir",
			"-e": "--expiredate", "-f": "--inactive", "-K": "--key", "-p": "--password", "-k": "--skel", "-R": "--root", "-N": "--no-user-group"})
	if len(rest) != 1 || strings.Contains(rest[0], maint.Unknown) {
		return nil, fmt.Errorf("want one name, got %q", rest)
	}
	if args[0] == "groupadd" {
		id, err := optionalID(value["--gid"])
		return []Want{{Kind: WantGroup, Name: rest[0], ID: id}}, err
	}
	id, err := optionalID(value["--uid"])
	w := Want{Kind: WantUser, Name: rest[0], ID: id, Gecos: value["--comment"], Home: value["--home-dir"], Shell: value["--shell"], Group: value["--gid"]}
	if w.Home == "" {
		w.Home = "/nonexistent"
	}
	if w.Group == "" && on["--no-user-group"] {
		w.Group = noGroup
	}
	wants := []Want{w}
	for _, g := range strings.Split(value["--groups"], ",") {
		if g != "" {
			wants = append(wants, Want{Kind: WantMember, Name: rest[0], Group: g})
		}
	}
	return wants, err
}

// usermod finds "usermod -aG group user" and "gpasswd -a user group".
func usermod(args []string) []Want {
	var groups, user string
	for i := 1; i < len(args); i++ {
		switch {
		case args[0] == "gpasswd" && (args[i] == "-a" || args[i] == "--add") && i+2 < len(args):
			user, groups = args[i+1], args[i+2]
		case args[0] == "usermod" && i+2 < len(args) && (args[i] == "-aG" || args[i] == "-G" || args[i] == "--groups"):
			groups, user = args[i+1], args[len(args)-1]
		}
	}
	var wants []Want
	if strings.Contains(user+groups, maint.Unknown) {
		return nil
	}
	for _, g := range strings.Split(groups, ",") {
		if g != "" {
			wants = append(wants, Want{Kind: WantMember, Name: user, Group: g})
		}
	}
	return wants
}
