package archive

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Suites are the suites that are read, in this order.
var suites = [...]string{"trixie", "trixie-updates", "trixie-security"}

const securitySuite = "trixie-security"

// components of every suite that are read. non-free is left out on purpose:
// an image must be free to be passed on.
var components = [...]string{"main", "contrib", "non-free-firmware"}

// Suites returns the names of the suites that are read.
func Suites() []string { return slices.Clone(suites[:]) }

// A Source says where a suite is.
type Source struct {
	URL        string   // base: http, https or file, no "/" at the end
	Suite      string   // "trixie-security"
	Components []string // "main", "contrib", …
}

// MirrorSources makes sources of what a user named, on the command line or in
// the configuration. Each item is one of
//
//	URL          a base; one whose path ends in "-security" is the base of
//	             the security suite, another one that of the other suites
//	SUITE=URL    the base of that suite
//	SUITE=none   leave that suite out
//
// Without a base of its own the security suite is looked for beside the
// archive, where Debian's mirrors have it: …/debian → …/debian-security.
func MirrorSources(items ...string) ([]Source, error) {
	bases := map[string]string{}
	set := func(suite, base string) error {
		if old, twice := bases[suite]; twice && old != base {
			return fmt.Errorf("mirror: suite %q is given twice, at %q and at %q", suite, old, base)
		}
		bases[suite] = base
		return nil
	}
	var main, security string
	for _, item := range items {
		if name, value, ok := strings.Cut(item, "="); ok && !strings.Contains(name, "/") {
			if !slices.Contains(suites[:], name) {
				return nil, fmt.Errorf("mirror %q: suite %q is none of %s", item, name, strings.Join(suites[:], ", "))
			}
			base := value
			if value != "none" {
				var err error
				if base, err = checkBase(value); err != nil {
					return nil, err
				}
			}
			if err := set(name, base); err != nil {
				return nil, err
			}
			continue
		}
		base, err := checkBase(item)
		if err != nil {
			return nil, err
		}
		where := &main
		if strings.HasSuffix(base, "-security") {
			where = &security
		}
		if *where != "" && *where != base {
			return nil, fmt.Errorf("mirror: %q and %q are two bases for the same suites; write SUITE=URL to tell them apart", *where, base)
		}
		*where = base
	}
	var sources []Source
	for _, suite := range suites {
		base, given := bases[suite]
		switch {
		case given:
		case suite != securitySuite:
			base = main
		case security != "":
			base = security
		case main != "":
			base = besideSecurity(main)
		}
		if base == "none" {
			continue
		}
		if base == "" {
			return nil, fmt.Errorf("mirror: no base for suite %q; add --mirror URL or --mirror %s=URL", suite, suite)
		}
		sources = append(sources, Source{base, suite, slices.Clone(components[:])})
	}
	return sources, nil
}

// checkBase returns the URL of a base in the form that Source wants.
func checkBase(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("mirror %q is no URL: %w", s, err)
	}
	switch {
	case u.Scheme == "file" && u.Host == "" && path.IsAbs(u.Path):
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
	default:
		return "", fmt.Errorf("mirror %q: want http://HOST/…, https://HOST/… or file:///…", s)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("mirror %q: a base has no \"?\" and no \"#\"", s)
	}
	return strings.TrimRight(s, "/"), nil
}

// besideSecurity returns where a mirror of base has the security archive.
func besideSecurity(base string) string { return base + "-security" }

// redacted returns a URL for messages, without the password it may hold.
func redacted(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	return s
}
