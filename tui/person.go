package tui

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"reprise/internal/config"
)

func personFields(s *Session) []field {
	said := &s.Said
	trimmed := func(option string, value *string) func() string {
		return func() string { return checkOption(option, strings.TrimSpace(*value)) }
	}
	return []field{
		{id: "host", kind: text, label: "Host name", help: "What other machines call this one: letters, digits and dashes.", value: &said.Host, check: trimmed("networking.hostName", &said.Host)},
		{id: "user", kind: text, label: "User", help: "The name to log in with, in small letters. It may look after the machine (sudo).", value: &said.User, check: func() string {
			if strings.TrimSpace(said.User) == "root" {
				return "is root; want the name of a person"
			}
			return checkOption("users.users", strings.TrimSpace(said.User))
		}},
		{id: "fullName", kind: text, label: "Full name", help: "As a person would write it. May be empty.", value: &said.FullName, check: func() string {
			if strings.TrimSpace(said.FullName) == "" {
				return ""
			}
			return checkOption("users.users.<name>.description", strings.TrimSpace(said.FullName))
		}},
		{id: "password", kind: secret, label: "Password", help: "To log in here and for sudo. May be empty when there is an ssh key.", value: &said.Password,
			hint: func() string { return weak(said.Password, shortPassword, said.User, said.Host, said.FullName) },
			check: func() string {
				if n := len(said.Password); n > maxPassword {
					return fmt.Sprintf("has %d bytes; want %d at most", n, maxPassword)
				}
				return ""
			}},
		again("passwordAgain", "Password again", &said.Password, &said.PasswordAgain),
		{id: "keys", kind: text, label: "ssh key", help: "To log in from another machine: paste what its .pub file has; or the name of a .pub file on the stick; or an https:// address. May be empty.", value: &said.Keys, check: func() string {
			return keysComplaint(said.Keys, said.Password == "")
		}},
	}
}

// keysComplaint judges what was typed for ssh keys; alone says that nothing
// else lets anybody in.
func keysComplaint(typed string, alone bool) string {
	if place, ok := placeOf(typed); ok {
		if strings.HasPrefix(place, "http://") {
			return "is at " + place + ", which anybody on the way could change; want https://"
		}
		return ""
	}
	keys := keysOf(typed)
	for _, key := range keys {
		if c := keyComplaint(key); c != "" {
			return c
		}
	}
	if alone && len(keys) == 0 {
		return "is empty, and so is the password: nobody could log in"
	}
	return ""
}

func keyComplaint(key string) string {
	p := config.CheckText("users.users.<name>.openssh.authorizedKeys.keys", key)
	if p == nil {
		return ""
	}
	return p.Got + "; want " + p.Want
}

// keyTypes begin a public key. Source: sshd(8) of OpenSSH 10.0, "AUTHORIZED_KEYS FILE FORMAT".
var keyTypes = []string{
	"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
}

// keysOf takes public keys apart: lines of authorized_keys, or several that
// were pasted onto one line.
func keysOf(text string) []string {
	var keys []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var key []string
		for _, word := range strings.Fields(line) {
			if slices.Contains(keyTypes, word) && len(key) > 0 {
				keys, key = append(keys, strings.Join(key, " ")), nil
			}
			key = append(key, word)
		}
		keys = append(keys, strings.Join(key, " "))
	}
	return keys
}

// placeOf says whether what was typed is where keys are to be found: an
// address, or the name of a file on the stick.
func placeOf(typed string) (place string, ok bool) {
	place = strings.TrimSpace(typed)
	if place == "" || strings.ContainsAny(place, " \t\n") {
		return "", false
	}
	return place, strings.HasPrefix(place, "https://") || strings.HasPrefix(place, "http://") || strings.HasSuffix(place, ".pub") || path.Base(place) == "authorized_keys"
}

// keys are those that were typed, or found where it was said.
func (s *Session) keys() []string {
	if place, ok := placeOf(s.Said.Keys); ok {
		if place == s.found.place {
			return s.found.keys
		}
		return nil
	}
	return keysOf(s.Said.Keys)
}

// A find is what a place had of public keys.
type find struct {
	place string
	keys  []string
}

// findKeys reads a place with public keys.
func findKeys(ctx context.Context, read func(context.Context, string) (string, error), place string) (find, string) {
	if read == nil {
		return find{}, "ssh keys cannot be read from " + place + " here: paste them."
	}
	text, err := read(ctx, place)
	if err != nil {
		return find{}, "No ssh key from " + place + ": " + err.Error()
	}
	f := find{place, keysOf(text)}
	if len(f.keys) == 0 {
		return find{}, "There is no ssh key in " + place + "."
	}
	for n, key := range f.keys {
		if c := keyComplaint(key); c != "" {
			return find{}, fmt.Sprintf("ssh key %d of %s %s", n+1, place, c)
		}
	}
	return f, ""
}

// maxPassword is what bcrypt takes, in bytes.
const maxPassword = 72

// leavePerson reads the keys from where they are said to be, and makes the hash
// of the password when that has changed.
func leavePerson(s *Session) func(context.Context) (func(*Session), string) {
	password := s.Said.Password
	place, elsewhere := placeOf(s.Said.Keys)
	elsewhere = elsewhere && place != s.found.place
	hashed := password == s.hashOf && (s.hash == "") == (password == "")
	if hashed && !elsewhere {
		return nil
	}
	hash, read := s.Actions.Hash, s.Actions.Keys
	return func(ctx context.Context) (func(*Session), string) {
		found, made := s.found, ""
		if elsewhere {
			var complaint string
			if found, complaint = findKeys(ctx, read, place); complaint != "" {
				return nil, complaint
			}
		}
		if password != "" {
			var err error
			if made, err = hash(password); err != nil {
				return nil, "The password cannot be used: " + err.Error()
			}
		}
		return func(s *Session) { s.found, s.hash, s.hashOf = found, made, password }, ""
	}
}

// nameKey shows enough of a public key to know it by.
func nameKey(key string) string {
	words := strings.Fields(key)
	if len(words) < 2 {
		return key
	}
	return strings.Join(append([]string{words[0], "..." + words[1][max(0, len(words[1])-8):]}, words[2:]...), " ")
}
