package config

import (
	"slices"
	"strings"

	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// CheckText says what is wrong with a text before it is written into a
// configuration: as the value of a string option, as an element of a list of
// strings ("networking.nameservers"), or as a name of the user's choice below
// one ("users.users"). nil means nothing. The problem has no place and no
// field, and never shows what looks like a private key.
func CheckText(option, value string) *diag.Problem {
	if f, ok := freeNames[option]; ok {
		if option == "users.users" && (slices.Contains(systemUsers, value) || strings.HasPrefix(value, "systemd-") || knownGroup(value)) {
			return &diag.Problem{Got: "is " + program.Shorten(value) + ", an account or a group of Debian's", Want: "a name for a person", Do: "choose another name"}
		}
		return f.problem(value)
	}
	at := slices.IndexFunc(options, func(o Option) bool { return o.Name == option })
	if at < 0 {
		panic("no option " + option)
	}
	k := options[at].kind
	if l, ok := k.(list); ok {
		k = l.of
	}
	t, ok := k.(text)
	if !ok {
		panic(option + " is no text")
	}
	return t.format.problem(value)
}

func (f format) problem(value string) *diag.Problem {
	if f.ok(value) {
		return nil
	}
	p := &diag.Problem{Got: "is " + program.Shorten(value), Want: f.want, Do: "write " + f.example}
	if looksPrivate(value) {
		p.Got = errPrivateKey.Error()
	}
	if f.mend != nil && f.ok(f.mend(value)) {
		p.Do = "write " + f.mend(value)
	}
	return p
}
