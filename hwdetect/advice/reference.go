package advice

import (
	"fmt"
	"strings"
)

// Reference returns docs/advice.md: what advice may set, where that acts, and
// what each rule rests on, from the tables that the rules are made of.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# What reprise advises

` + "`hwdetect/advice`" + ` turns what was found in a machine into ` + "`hardware.jsonnet`" + `: options, each below the
reasons for it. This page is generated from the program; ` + "`go test ./hwdetect/advice -update`" + ` rewrites it.

What is risky (mitigations off, SMT off, isolated CPUs, FFADO in ALSA's place) is offered below the object,
commented out, and never chosen. Nothing sets CPUs apart on fewer than four physical cores. What is not known is
said, and nothing is set because of it.

## Options, and where they act

| option | acts in | brings |
|---|---|---|
`)
	for _, e := range effects {
		var packages []string
		if e.packages != nil {
			packages = e.packages(true)
			for _, p := range e.packages(false) {
				if !strings.Contains(strings.Join(packages, " ")+" ", p+" ") {
					packages = append(packages, p)
				}
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e.Option, e.Where, strings.Join(packages, ", "))
	}
	b.WriteString("\n## Rules\n\n| rule | source |\n|---|---|\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| %s | %s |\n", r.name, r.source)
	}
	b.WriteString("\n## Start values\n\nSought from the first on; the rate is 48000 Hz where the card has it.\n\n| frames | periods | why | source |\n|---|---|---|---|\n")
	for _, s := range buffers {
		fmt.Fprintf(&b, "| %d | %d | %s | %s |\n", s.period, s.periods, s.why, s.source)
	}
	return b.String()
}
