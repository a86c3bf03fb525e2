package activation

import (
	"fmt"
	"os"
	"strings"
)

// Session opens the machine to whoever sits before it: the people among its
// users have no password, and none is asked of them where it is typed. That is
// for a system that runs from a medium with its state in memory, where nobody
// can have set one. ssh lets nobody in without a key all the same. It is called
// after Run with the same arguments, and returns the first of the people, by
// name; "" when there are none.
func Session(dir string, data []byte) (first string, err error) {
	d, err := Parse(data)
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("open the session: %w", err)
	}
	defer root.Close()
	return openSession(root, d, Options{Chown: (*os.Root).Lchown})
}

func openSession(root *os.Root, d *Data, o Options) (first string, err error) {
	a := &applier{root: root, opt: o}
	have, err := a.read(Shadow)
	if err != nil {
		return "", fmt.Errorf("open the session: %w", err)
	}
	people := map[string]bool{}
	for _, u := range d.Users { // sorted by name
		if u.person() {
			people[u.Name] = true
			if first == "" {
				first = u.Name
			}
		}
	}
	if err := a.write(Shadow, []byte(withoutPasswords(string(have), people)), 0o640, 0, d.ShadowGroup); err != nil {
		return "", fmt.Errorf("open the session: %w", err)
	}
	return first, nil
}

// Numbers of people, as Debian's policy gives them (9.2.2).
const firstPerson, lastPerson = 1000, 59999

func (u User) person() bool { return u.UID >= firstPerson && u.UID <= lastPerson && u.HomeMode != 0 }

// withoutPasswords empties the password of the named users, where it is locked:
// one that somebody has set stays.
func withoutPasswords(shadow string, users map[string]bool) string {
	var b strings.Builder
	for line := range strings.Lines(shadow) {
		name, rest, ok := strings.Cut(line, ":")
		if after, is := strings.CutPrefix(rest, locked+":"); ok && is && users[name] {
			line = name + "::" + after
		}
		b.WriteString(line)
	}
	return b.String()
}
