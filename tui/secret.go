package tui

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Lengths below which a secret is called short, in characters. A password is
// tried over the network, a passphrase by who has the disk.
const (
	minPassphrase   = 8
	shortPassphrase = 12
	shortPassword   = 8
)

// common are what is tried first, without the digits at their ends.
var common = []string{
	"password", "passwort", "passphrase", "letmein", "welcome", "willkommen", "admin", "administrator", "iloveyou", "monkey", "dragon", "sunshine", "princess",
	"football", "baseball", "secret", "geheim", "master", "hello", "hallo", "music", "musician", "studio", "guitar", "ardour", "reprise", "linux", "debian", "changeme", "default",
}

// rows are keys beside each other.
var rows = []string{"qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "1234567890", "abcdefghijklmnopqrstuvwxyz"}

// weak says why a secret is easily guessed, "" when nothing shows. It is
// advice: nobody is stopped by it. short is a length in characters, names are
// those that others know.
func weak(secret string, short int, names ...string) string {
	letters := []rune(secret)
	lower := strings.ToLower(secret)
	core := strings.TrimFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	other := map[rune]bool{}
	for _, r := range letters {
		other[r] = true
	}
	named := func(name string) bool { return len(name) > 2 && core == strings.ToLower(name) }
	switch {
	case secret == "":
		return ""
	case slices.Contains(common, core):
		return "is among the first that anybody tries"
	case slices.ContainsFunc(names, named), slices.ContainsFunc(strings.Fields(strings.Join(names, " ")), named):
		return "is a name that others know"
	case len(other) < 4:
		return fmt.Sprintf("has %d different characters", len(other))
	case slices.ContainsFunc(rows, func(row string) bool { return follows(lower, row) }):
		return "follows the keyboard or the alphabet"
	case !strings.ContainsFunc(secret, func(r rune) bool { return !unicode.IsDigit(r) }):
		return "is a number, and a date is soon found"
	case len(letters) < short:
		return fmt.Sprintf("has %d characters; four words in a row are better, and easier to remember", len(letters))
	}
	return ""
}

// follows says that most of a secret is one run along a row, either way.
func follows(secret, row string) bool {
	back := []byte(row)
	slices.Reverse(back)
	for _, row := range []string{row, string(back)} {
		for n := len(row); n >= 5; n-- {
			for at := 0; at+n <= len(row); at++ {
				if strings.Contains(secret, row[at:at+n]) && len(secret)-n < 4 {
					return true
				}
			}
		}
	}
	return false
}

// passphraseComplaint judges a passphrase. It is typed at each start, in the key
// map of the machine or on a serial line, one day on another keyboard: so it has
// what all of them can type.
func passphraseComplaint(secret string) string {
	letters := []rune(secret)
	switch {
	case len(letters) == 0:
		return "is not answered"
	case len(letters) < minPassphrase:
		return fmt.Sprintf("has %d characters; want %d or more", len(letters), minPassphrase)
	}
	for _, r := range letters {
		if r < ' ' || r > '~' {
			return fmt.Sprintf("has %q, which not every keyboard can type at the start of the machine; want letters without accents, digits and signs", r)
		}
	}
	if secret != strings.TrimSpace(secret) {
		return "begins or ends in a space, which nobody sees; want it without"
	}
	return ""
}

// again asks a second time for a secret, and says at once when it differs.
func again(id, label string, first, second *string) field {
	return field{id: id, kind: secret, label: label, value: second, repeats: true,
		live: func() string {
			if !strings.HasPrefix(*first, *second) {
				return "differs from the first one"
			}
			return ""
		},
		check: func() string {
			switch {
			case *first == *second:
				return ""
			case *second == "":
				return "is not answered"
			}
			return "is shorter than the first one"
		}}
}
