package deb

import (
	"errors"
	"fmt"
	"strings"
)

// CompareVersions orders two Debian version numbers as dpkg does: -1 when a
// is older than b, 0 when they mean the same, +1 when a is newer. It never
// fails; what is no valid version is compared by the same rules.
//
// Source: deb-version(5), "Sorting algorithm".
func CompareVersions(a, b string) int {
	if a == b {
		return 0
	}
	epochA, upstreamA, revisionA := splitVersion(a)
	epochB, upstreamB, revisionB := splitVersion(b)
	if c := compareDigits(epochA, epochB); c != 0 {
		return c
	}
	if c := comparePart(upstreamA, upstreamB); c != 0 {
		return c
	}
	return comparePart(revisionA, revisionB)
}

// splitVersion cuts [epoch:]upstream[-revision].
func splitVersion(v string) (epoch, upstream, revision string) {
	if i := strings.IndexByte(v, ':'); i >= 0 {
		epoch, v = v[:i], v[i+1:]
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		v, revision = v[:i], v[i+1:]
	}
	return epoch, v, revision
}

// comparePart walks two upstream versions or revisions, by turns a run of
// other characters and a run of digits.
func comparePart(a, b string) int {
	for a != "" || b != "" {
		for (a != "" && !isDigit(a[0])) || (b != "" && !isDigit(b[0])) {
			x, y := weight(a), weight(b)
			if x != y {
				return sign(x - y)
			}
			// Equal weights are never a character against the end: '~' sorts
			// below the end, digits weigh what the end weighs and stop both.
			a, b = a[1:], b[1:]
		}
		i, j := digits(a), digits(b)
		if c := compareDigits(a[:i], b[:j]); c != 0 {
			return c
		}
		a, b = a[i:], b[j:]
	}
	return 0
}

// weight orders the first character of a run: tilde, then the end of the run,
// then letters, then everything else.
func weight(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case isLetter(s[0]):
		return int(s[0])
	}
	return int(s[0]) + 256
}

// compareDigits compares two runs of digits as numbers of any length; no
// digits at all count as zero.
func compareDigits(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return sign(len(a) - len(b))
	}
	return strings.Compare(a, b)
}

func digits(s string) int {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// ValidVersion returns an error when v is not a version number that Debian
// Policy 5.6.12 allows: [epoch:]upstream[-revision], where the epoch is a
// number up to 2,147,483,647 and the upstream part starts with a digit.
func ValidVersion(v string) error {
	epoch, upstream, revision := splitVersion(v)
	fault := func(what string) error { return fmt.Errorf("version %q: %s", v, what) }
	if v == "" {
		return errors.New("version is empty")
	}
	if len(epoch) != len(v) && strings.IndexByte(v, ':') >= 0 {
		if epoch == "" || digits(epoch) != len(epoch) {
			return fault("the epoch is not a number")
		}
		if compareDigits(epoch, "2147483647") > 0 {
			return fault("the epoch is too large")
		}
	}
	if upstream == "" || !isDigit(upstream[0]) {
		return fault("the upstream part does not start with a digit")
	}
	for i := range len(upstream) {
		if c := upstream[i]; !isDigit(c) && !isLetter(c) && strings.IndexByte(".+-~:", c) < 0 {
			return fault(fmt.Sprintf("character %q is not allowed", c))
		}
	}
	if revision == "" && strings.HasSuffix(v, "-") {
		return fault("the revision is empty")
	}
	for i := range len(revision) {
		if c := revision[i]; !isDigit(c) && !isLetter(c) && strings.IndexByte(".+~", c) < 0 {
			return fault(fmt.Sprintf("character %q is not allowed in the revision", c))
		}
	}
	return nil
}
