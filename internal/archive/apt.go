package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"reprise/internal/deb"
)

// maxAptFile bounds one file of apt's configuration.
const maxAptFile = 1 << 20 // bytes

// releases are the code names and suites of Debian's own archive. Ubuntu and
// other derivatives have others.
var releases = []string{
	"buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid",
	"oldoldstable", "oldstable", "stable", "testing", "unstable",
}

// An aptEntry is one archive that apt knows.
type aptEntry struct {
	uri, suite, signedBy string
	components           []string
}

// HostSources derives the sources from the machine's apt configuration,
// whatever Debian release it follows. fsys is the machine's root.
//
// Read are etc/apt/sources.list, sources.list.d/*.list and *.sources, and the
// lists that "mirror+file:" names. Which keys apt trusts does not matter here.
func HostSources(fsys fs.FS) ([]Source, error) {
	entries, err := aptEntries(fsys)
	if err != nil {
		return nil, fmt.Errorf("apt sources: %w", err)
	}
	main, security := bestBase(entries, false), bestBase(entries, true)
	if main == "" && strings.HasSuffix(security, "-security") {
		main = strings.TrimSuffix(security, "-security")
	}
	if main == "" {
		return nil, noDebian(entries)
	}
	items := []string{main}
	if security != "" {
		items = append(items, securitySuite+"="+security)
	}
	sources, err := MirrorSources(items...)
	if err != nil {
		return nil, fmt.Errorf("apt sources: %w", err)
	}
	return sources, nil
}

func noDebian(entries []aptEntry) error {
	found := "there are none"
	if len(entries) > 0 {
		var names []string
		for _, e := range entries {
			names = append(names, e.suite)
		}
		slices.Sort(names)
		found = "they have " + strings.Join(slices.Compact(names), ", ")
	}
	return fmt.Errorf("the machine's apt sources name no archive of Debian: %s\n"+
		"  do:   pass --mirror URL, the base of a Debian mirror such as http://HOST/debian", found)
}

// bestBase picks the base that is most likely Debian's own archive. Others
// (vendors' archives) use Debian's suite names as well, so the marks of the
// real one are counted.
func bestBase(entries []aptEntry, security bool) string {
	best, most := "", 0
	for _, e := range entries {
		base, err := checkBase(e.uri)
		release, isSecurity, known := debianSuite(e.suite)
		if err != nil || !known || isSecurity != security || !slices.Contains(e.components, "main") {
			continue
		}
		marks := 1
		if strings.Contains(e.signedBy, "debian-archive") {
			marks += 4
		}
		if last := path.Base(base); last == "debian" || last == "debian-security" {
			marks += 2
		}
		for _, other := range entries { // vendors have no -updates
			if other.uri == e.uri && other.suite == release+"-updates" {
				marks++
				break
			}
		}
		// One that names nothing but a code name is too little.
		if marks > 1 && marks > most {
			best, most = base, marks
		}
	}
	return best
}

// debianSuite takes a suite of Debian's archive apart.
func debianSuite(suite string) (release string, security, known bool) {
	release = suite
	for _, end := range []string{"-security", "/updates"} { // the second until buster
		if r, ok := strings.CutSuffix(suite, end); ok {
			release, security = r, true
		}
	}
	for _, end := range []string{"-updates", "-backports", "-proposed-updates"} {
		release = strings.TrimSuffix(release, end)
	}
	return release, security, slices.Contains(releases, release)
}

func aptEntries(fsys fs.FS) ([]aptEntry, error) {
	const dir = "etc/apt"
	names := []string{dir + "/sources.list"}
	listed, err := fs.ReadDir(fsys, dir+"/sources.list.d")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range listed {
		names = append(names, dir+"/sources.list.d/"+e.Name())
	}
	var entries []aptEntry
	for _, name := range names {
		var parse func([]byte) ([]aptEntry, error)
		switch {
		case strings.HasSuffix(name, ".list"):
			parse = parseOneLine
		case strings.HasSuffix(name, ".sources"):
			parse = parseDeb822
		default:
			continue // apt ignores them too
		}
		data, err := readSmall(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found, err := parse(data)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", "/"+name, err)
		}
		for _, e := range found {
			for _, uri := range expandMirrorList(fsys, e.uri) {
				e.uri = uri
				entries = append(entries, e)
			}
		}
	}
	return entries, nil
}

func readSmall(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxAptFile {
		return nil, fmt.Errorf("%q has %d bytes, more than %d", "/"+name, info.Size(), maxAptFile)
	}
	return fs.ReadFile(fsys, name)
}

// expandMirrorList reads the list of bases behind "mirror+file:/path", which
// Debian's cloud images use.
func expandMirrorList(fsys fs.FS, uri string) []string {
	name, ok := strings.CutPrefix(uri, "mirror+file:")
	if !ok {
		return []string{uri}
	}
	data, err := readSmall(fsys, strings.TrimLeft(name, "/"))
	if err != nil {
		return nil
	}
	var uris []string
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(fields[0], "#") {
			uris = append(uris, fields[0])
		}
	}
	return uris
}

// parseOneLine reads the form "deb [options] URI suite component…".
// Source: sources.list(5), "One-line-style format".
func parseOneLine(data []byte) ([]aptEntry, error) {
	var entries []aptEntry
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' && rest[0] != '[' {
			continue // deb-src, or nothing
		}
		rest = strings.TrimSpace(rest)
		var e aptEntry
		if strings.HasPrefix(rest, "[") {
			options, after, closed := strings.Cut(rest[1:], "]")
			if !closed {
				continue
			}
			for option := range strings.FieldsSeq(options) {
				if value, ok := strings.CutPrefix(option, "signed-by="); ok {
					e.signedBy = value
				}
			}
			rest = after
		}
		fields := strings.Fields(rest)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "cdrom:") {
			continue
		}
		e.uri, e.suite, e.components = fields[0], fields[1], fields[2:]
		entries = append(entries, e)
	}
	return entries, nil
}

// parseDeb822 reads the form of stanzas.
// Source: sources.list(5), "deb822-style format".
func parseDeb822(data []byte) ([]aptEntry, error) {
	var entries []aptEntry
	err := deb.ReadStanzas(bytes.NewReader(data), func(s deb.Stanza) error {
		enabled := strings.ToLower(s.Get("Enabled"))
		if enabled == "no" || enabled == "false" || enabled == "0" || !slices.Contains(strings.Fields(s.Get("Types")), "deb") {
			return nil
		}
		for uri := range strings.FieldsSeq(s.Get("URIs")) {
			for suite := range strings.FieldsSeq(s.Get("Suites")) {
				entries = append(entries, aptEntry{uri, suite, s.Get("Signed-By"), strings.Fields(s.Get("Components"))})
			}
		}
		return nil
	})
	return entries, err
}

// MachineSources is where this machine gets packages: from mirror, items of
// MirrorSources with spaces between, when it is not empty (the environment
// variable REPRISE_MIRROR holds it), else from HostSources.
func MachineSources(fsys fs.FS, mirror string) ([]Source, error) {
	if items := strings.Fields(mirror); len(items) > 0 {
		return MirrorSources(items...)
	}
	return HostSources(fsys)
}
