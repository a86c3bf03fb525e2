package activation

import (
	"maps"
	"slices"
	"strings"
)

// locked is the password of an account that has none: no password can match
// it. It is not "!", for sshd(8) without PAM refuses a login by key to an
// account whose password begins so.
const locked = "*"

// newShadow is the line of an account that is new on this machine. The day of
// the last change is left empty, which disables ageing; 0 would mean that the
// password has to be changed now (shadow(5)), and the true day is not known
// before there is a clock.
func newShadow(user string) string { return user + ":" + locked + "::0:99999:7:::" }

func (a *applier) shadow(d *Data) error {
	have, err := a.read(Shadow)
	if err != nil {
		return err
	}
	aside, err := a.read(ShadowAside)
	if err != nil {
		return err
	}
	next, nextAside := mergeShadow(d.Users, string(have), string(aside))
	// A line is in both files before it leaves one: a cut never loses it.
	if next != string(have) {
		if both := union(string(aside), nextAside); both != string(aside) {
			if err := a.write(ShadowAside, []byte(both), 0o600, 0, 0); err != nil {
				return err
			}
			aside = []byte(both)
		}
		if err := a.write(Shadow, []byte(next), 0o640, 0, d.ShadowGroup); err != nil {
			return err
		}
	} else if err := a.settle(Shadow, 0o640, 0, d.ShadowGroup); err != nil {
		return err
	}
	if nextAside != string(aside) {
		return a.write(ShadowAside, []byte(nextAside), 0o600, 0, 0)
	}
	return nil
}

// union returns the lines of both texts, those of b where both have a user.
func union(a, b string) string {
	lines := shadowLines(a)
	maps.Copy(lines, shadowLines(b))
	return joinLines(lines)
}

func joinLines(lines map[string]string) string {
	var b strings.Builder
	for _, user := range slices.Sorted(maps.Keys(lines)) {
		b.WriteString(lines[user] + "\n")
	}
	return b.String()
}

// mergeShadow returns shadow with one line for each user, in their order:
// the line it had, the line it had before it was removed, or a locked one;
// and the lines to keep aside, for names that are no user now. A line that is
// not nine fields counts as absent: half a line must not become a way in.
func mergeShadow(users []User, have, aside string) (shadow, nextAside string) {
	present, kept := shadowLines(have), shadowLines(aside)
	var b strings.Builder
	for _, u := range users {
		line, ok := present[u.Name]
		if !ok {
			line, ok = kept[u.Name]
		}
		if !ok {
			line = newShadow(u.Name)
		}
		b.WriteString(line + "\n")
		delete(present, u.Name)
		delete(kept, u.Name)
	}
	maps.Copy(kept, present)
	return b.String(), joinLines(kept)
}

func shadowLines(text string) map[string]string {
	lines := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		user, _, _ := strings.Cut(line, ":")
		if strings.Count(line, ":") != 8 || !ValidName(user) {
			continue
		}
		if _, twice := lines[user]; !twice {
			lines[user] = line
		}
	}
	return lines
}

func (a *applier) gshadow(d *Data) error {
	have, err := a.read(GShadow)
	if err != nil {
		return err
	}
	next := mergeGShadow(d.Groups, string(have))
	if next != string(have) {
		return a.write(GShadow, []byte(next), 0o640, 0, d.ShadowGroup)
	}
	return a.settle(GShadow, 0o640, 0, d.ShadowGroup)
}

// mergeGShadow keeps passwords and administrators of groups; the members are
// those of /etc/group, which is declared.
func mergeGShadow(groups []Group, have string) string {
	type kept struct{ password, admins string }
	present := map[string]kept{}
	for line := range strings.Lines(have) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(fields) == 4 && fields[1] != "" {
			present[fields[0]] = kept{fields[1], fields[2]}
		}
	}
	var b strings.Builder
	for _, g := range groups {
		k, ok := present[g.Name]
		if !ok {
			k.password = locked
		}
		b.WriteString(strings.Join([]string{g.Name, k.password, k.admins, strings.Join(g.Members, ",")}, ":") + "\n")
	}
	return b.String()
}
