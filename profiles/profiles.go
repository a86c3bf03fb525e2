// Package profiles holds the configurations that reprise ships, and the
// Jsonnet library they and users share. A profile is a complete configuration
// to start from: `reprise build live-rig` builds one as it is, and a file of
// one's own says import 'reprise/live-rig.jsonnet' and changes what differs.
package profiles

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

// Files holds *.jsonnet, the profiles, and lib/*.libsonnet, the library.
//
//go:embed *.jsonnet lib/*.libsonnet
var Files embed.FS

// Names returns the names of the profiles, sorted: the file names without
// their extension.
func Names() []string {
	entries, err := fs.ReadDir(Files, ".")
	if err != nil {
		panic("embedded profiles: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".jsonnet"); ok && path.Ext(name) == "" {
			names = append(names, name)
		}
	}
	return names
}

// Sentence says what a profile is for, in some words for people: what its first
// comment says behind the name, up to the first full stop. "" for a name that
// is none of ours.
func Sentence(name string) string {
	data, err := Files.ReadFile(name + ".jsonnet")
	if err != nil {
		return ""
	}
	var words []string
	for line := range strings.Lines(string(data)) {
		comment, ok := strings.CutPrefix(strings.TrimSpace(line), "//")
		if !ok || comment == "" {
			break
		}
		words = append(words, strings.Fields(comment)...)
	}
	text, ok := strings.CutPrefix(strings.Join(words, " "), name+": ")
	if !ok {
		return ""
	}
	text, _, _ = strings.Cut(text, ". ")
	return text
}
