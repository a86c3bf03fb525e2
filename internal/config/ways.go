package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// Authorize adds ssh public keys, each the text of a .pub file or of an
// authorized_keys file, to every normal user in group sudo (wheel), or to every
// normal user when none is. A key that a user has already is not added again.
// Nothing is added when one of the keys is bad: the error is diag.Problems.
func (c *Config) Authorize(keys ...string) error {
	var lines []string
	var problems diag.Problems
	for _, key := range keys {
		found := false
		for line := range strings.Lines(key) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			found = true
			if err := checkKey(line); err != nil {
				problems = append(problems, keyProblem(err, line))
				break
			}
			lines = append(lines, line)
		}
		if !found {
			problems = append(problems, diag.Problem{Field: "the ssh key", Got: "is empty", Want: wantKey, Do: makeKey})
		}
	}
	users := c.inGroup("sudo")
	if len(users) == 0 {
		users = c.normalUsers()
	}
	if len(users) == 0 {
		problems = append(problems, diag.Problem{File: c.places.file, Field: "users.users", Got: "has no normal user for the ssh key",
			Want: "a user who may log in", Do: "write users+: { users+: { rig: { extraGroups: ['audio', 'wheel'] } } }"})
	}
	if err := problems.Err(); err != nil {
		return err
	}
	for _, name := range users {
		u := c.Users.Users[name]
		u.OpenSSH.AuthorizedKeys.Keys = withAll(u.OpenSSH.AuthorizedKeys.Keys, lines...)
		c.Users.Users[name] = u
	}
	return nil
}

const (
	wantKey = "an ssh public key, the one line of a .pub file: ssh-ed25519 AAAA… you@studio"
	makeKey = "name the .pub file, or make a key pair with: ssh-keygen -t ed25519"
)

var errPrivateKey = errors.New("is a private key, which must stay where it is")

// checkKey reports why line is not one line of authorized_keys(5).
func checkKey(line string) error {
	if looksPrivate(line) {
		return errPrivateKey
	}
	if !oneLine(line) {
		return errors.New("is more than one line")
	}
	if strings.TrimSpace(line) != line {
		return errors.New("has spaces around it")
	}
	if _, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(line)); err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return errors.New("is no ssh public key")
	}
	return nil
}

func keyProblem(err error, line string) diag.Problem {
	p := diag.Problem{Field: "the ssh key", Got: err.Error(), Want: wantKey, Do: makeKey}
	if err != errPrivateKey {
		p.Got = program.Shorten(line) + " " + p.Got // never show a private key
	}
	return p
}

// normalUsers returns the names of the normal users, sorted.
func (c *Config) normalUsers() []string {
	return slices.DeleteFunc(sortedKeys(c.Users.Users), func(name string) bool { return !c.Users.Users[name].IsNormalUser })
}

// WaysIn tells each way in which a person can log in to the machine right
// after it is built, such as `ssh as "rig" with 1 key`. Passwords are none: a
// Config holds none. Empty means that nobody could ever log in.
func (c *Config) WaysIn() []string {
	var ways []string
	ssh := c.Services.OpenSSH
	for _, name := range sortedKeys(c.Users.Users) {
		keys := len(c.Users.Users[name].OpenSSH.AuthorizedKeys.Keys)
		allowed := len(ssh.Settings.AllowUsers) == 0 || slices.Contains(ssh.Settings.AllowUsers, name)
		if name == "root" && !slices.Contains([]string{"yes", "prohibit-password"}, ssh.Settings.PermitRootLogin) {
			allowed = false
		}
		if ssh.Enable && keys > 0 && allowed {
			plural := "s"
			if keys == 1 {
				plural = ""
			}
			ways = append(ways, fmt.Sprintf("ssh as %q with %d key%s", name, keys, plural))
		}
	}
	if u := c.Services.Getty.AutologinUser; u != "" {
		ways = append(ways, fmt.Sprintf("console, as %q without being asked", u))
	}
	return ways
}
