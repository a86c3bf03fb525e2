package bootentry

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// GRUBPrefix is where GRUB's core image looks for grub.cfg: the second
// partition of the disk that the BIOS booted from, whatever its number.
const GRUBPrefix = "(,gpt2)/grub"

// GRUBModules are built into the core image, so that the ESP holds none.
var grubModules = []string{
	"biosdisk", "part_gpt", "fat", "normal", "configfile", "linux", "loadenv", "test", "echo",
	"serial", "terminal", "minicmd", "reboot", "halt", "sleep", "true", "ls", "cat",
}

// GRUBModules returns the modules that grub.cfg and a person at GRUB's prompt
// need.
func GRUBModules() []string { return append([]string(nil), grubModules...) }

func grubConfig(newestFirst []Generation, o Options) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Written by reprise from the list of generations; it is written anew with each.
if serial --unit=0 --speed=115200; then
  terminal_input console serial
  terminal_output console serial
fi
set timeout=%d
set default='reprise-%d'
set good=
set trial=
set left=
load_env --file "$prefix/grubenv" good trial left
if [ -n "$good" ]; then
  set default="reprise-$good"
fi
if [ -n "$trial" ]; then
  set now=
`, o.Timeout, fallback(newestFirst))
	for left := 1; left <= MaxTries; left++ {
		fmt.Fprintf(&b, "  if [ \"$left\" = %d ]; then set now=%d; fi\n", left, left-1)
	}
	b.WriteString(`  if [ -n "$now" ]; then
    set left="$now"
    if save_env --file "$prefix/grubenv" left; then
      set default="reprise-$trial"
    else
      echo 'The tries cannot be counted: starting the last good generation.'
    fi
  fi
fi
`)
	for _, g := range newestFirst {
		fmt.Fprintf(&b, "\nmenuentry %s --id 'reprise-%d' {\n  set try=\n  if [ \"$trial\" = %d ]; then set try=%s; fi\n  linux /%s",
			grubQuote(Title(g)), g.Number, g.Number, TrialParam, KernelPath(g.Kernel))
		for _, word := range Params(g, o) {
			b.WriteString(" " + grubQuote(word))
		}
		fmt.Fprintf(&b, " $try\n  initrd /%s\n}\n", InitrdPath(g.Initrd))
	}
	return b.Bytes()
}

// fallback is the newest generation that is not on trial, or the newest.
func fallback(newestFirst []Generation) int {
	for _, g := range newestFirst {
		if g.Tries == 0 {
			return g.Number
		}
	}
	return newestFirst[0].Number
}

// grubQuote writes one word of a GRUB script; check refuses quotes.
func grubQuote(s string) string { return "'" + s + "'" }

// envBytes is the fixed size of grubenv. GRUB writes it in place, block by
// block, so it must never change.
const envBytes = 1024

const envHeader = "# GRUB Environment Block\n"

// An Env is the state of trials under BIOS, the content of grubenv.
type Env struct {
	Good  int // generation to fall back to; 0 when there is none
	Trial int // generation on trial; 0 when there is none
	Left  int // tries that are left of it
}

// EnvOf is the state in which generations are installed.
func EnvOf(generations []Generation) Env {
	var e Env
	for _, g := range generations {
		if g.Tries > 0 {
			e.Trial, e.Left = g.Number, g.Tries
		} else {
			e.Good = max(e.Good, g.Number)
		}
	}
	return e
}

// Bless is the state after the trial of generation went well.
func (e Env) Bless(generation int) Env { return Env{Good: generation} }

// Encode writes the 1,024 bytes of grubenv.
func (e Env) Encode() []byte {
	text := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	left := text(e.Left)
	if e.Trial != 0 && e.Left == 0 {
		left = "0"
	}
	b := fmt.Appendf(nil, "%sgood=%s\ntrial=%s\nleft=%s\n", envHeader, text(e.Good), text(e.Trial), left)
	return append(b, bytes.Repeat([]byte{'#'}, envBytes-len(b))...)
}

// ParseEnv reads grubenv. Variables that are not ours are passed over.
func ParseEnv(content []byte) (Env, error) {
	if len(content) != envBytes || !bytes.HasPrefix(content, []byte(envHeader)) {
		return Env{}, fmt.Errorf("grubenv: %d bytes that begin %.30q: want %d that begin %q", len(content), content, envBytes, envHeader)
	}
	var e Env
	for line := range strings.SplitSeq(string(content[len(envHeader):]), "\n") {
		name, value, found := strings.Cut(line, "=")
		if !found {
			continue
		}
		into := map[string]*int{"good": &e.Good, "trial": &e.Trial, "left": &e.Left}[name]
		if into == nil {
			continue
		}
		*into = 0
		if value == "" {
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 999_999_999 {
			return Env{}, fmt.Errorf("grubenv: %s is %q: want a number", name, value)
		}
		*into = n
	}
	return e, nil
}
