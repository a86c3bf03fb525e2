package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// told is one setting as a line.
func told(s Setting) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s = %s", s.Name, s.Value)
	for _, from := range s.From {
		b.WriteString("\n  ")
		if from.Element != "" {
			fmt.Fprintf(&b, "[%s] ", from.Element)
		}
		switch {
		case from.Option != "":
			b.WriteString("by " + from.Option)
		case from.Near:
			b.WriteString("near " + from.Place.String())
		default:
			b.WriteString("at " + from.Place.String())
		}
	}
	return b.String() + "\n"
}

func TestSettings(t *testing.T) {
	files := map[string]string{
		"rig.jsonnet": `(import 'reprise/live-rig.jsonnet') + (import 'lib/hardware.jsonnet') + {
  networking+: { hostName: 'mine' },
  boot+: { kernelParams+: ['quiet', null, 'mitigations=off'], kernel+: { sysctl+: { 'kernel.sysrq': 1 } } },
  environment+: { systemPackages+: ['fluidsynth'], variables+: std.mergePatch({}, { EDITOR: 'nano' }) },
}
`,
		"lib/hardware.jsonnet": `{
  musnix+: { soundcardPciId: '00:1b.0' },
}
`}
	// Where the configuration lies, and what it is called, changes nothing.
	var texts []string
	for _, name := range []string{"rig.jsonnet", "configuration.jsonnet"} {
		dir := write(t, map[string]string{name: files["rig.jsonnet"], "lib/hardware.jsonnet": files["lib/hardware.jsonnet"]})
		c, err := Evaluate(t.Context(), filepath.Join(dir, name), EvalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		before := string(c.Canonical())
		if err := c.Authorize(keyA); err != nil {
			t.Fatal(err)
		}
		settings, err := c.Settings()
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, s := range settings {
			b.WriteString(told(s))
		}
		for _, name := range []string{"jackd2", "fluidsynth", "linux-image-rt-amd64", "procps", "dbus", "pciutils", "nothing"} {
			fmt.Fprintf(&b, "package %s: %v\n", name, c.Origins(name))
		}
		texts = append(texts, b.String())
		if before == string(c.Canonical()) {
			t.Error("Authorize changed nothing")
		}
	}
	if texts[0] != texts[1] {
		t.Error("the name of the configuration tells")
	}
	golden(t, "testdata/settings.want", texts[0])
}
