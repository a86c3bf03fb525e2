package config

import (
	"fmt"
	"strings"
)

// Reference returns docs/options.md: every option, from the table that the
// checks are made from.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Options

Every option a configuration may set. Names are those of NixOS and musnix where
they have one. This page is generated from the program; ` + "`go test ./internal/config -update`" + ` rewrites it.

A configuration is one Jsonnet object. ` + "`networking.hostName`" + ` below is written

` + "```jsonnet\n{ networking: { hostName: 'live-rig' } }\n```" + `

or, on top of a profile, with ` + "`+:`" + ` to go into an object or to add to a list, and ` + "`:`" + ` to replace:

` + "```jsonnet\n(import 'reprise/live-rig.jsonnet') + {\n  networking+: { hostName: 'my-rig' },\n  environment+: { systemPackages+: ['fluidsynth'] },\n}\n```" + `

` + "`<name>`" + ` stands for a name of your choice. ` + "`null`" + ` is the same as not setting an option, and is left out of lists.
`)
	section := ""
	for _, o := range Options() {
		if top, _, _ := strings.Cut(o.Name, "."); top != section {
			section = top
			fmt.Fprintf(&b, "\n## %s\n", section)
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n- type: %s", o.Name, o.Doc, o.Type)
		if o.Range != "" {
			fmt.Fprintf(&b, ", %s", strings.TrimSpace(o.Range+" "+o.Unit))
		}
		fmt.Fprintf(&b, "\n- default: %s\n- example: `%s`\n", defaultText(o), o.Example)
	}
	return b.String()
}

// defaultText sets Jsonnet as code and words as words.
func defaultText(o Option) string {
	switch {
	case o.computed:
		return o.Default
	case o.Default == "null":
		return "not set"
	}
	return "`" + o.Default + "`"
}
