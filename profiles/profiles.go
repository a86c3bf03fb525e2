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
