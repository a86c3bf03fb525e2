package bootentry

import (
	"fmt"
	"regexp"
	"strconv"
)

func loaderConf(o Options) []byte {
	editor := "no"
	if o.Editor {
		editor = "yes"
	}
	return fmt.Appendf(nil, "timeout %d\ndefault reprise-*\nconsole-mode keep\neditor %s\n", o.Timeout, editor)
}

// EntryName is the file name of g's entry: reprise-2.conf, or reprise-2+3.conf
// on trial.
func EntryName(g Generation) string {
	if g.Tries > 0 {
		return fmt.Sprintf("reprise-%d+%d.conf", g.Number, g.Tries)
	}
	return fmt.Sprintf("reprise-%d.conf", g.Number)
}

func entry(g Generation, o Options) []byte {
	words := Params(g, o)
	if g.Tries > 0 {
		words = append(words, TrialParam)
	}
	return fmt.Appendf(nil, "title %s\nversion %d\nsort-key reprise\nlinux /%s\ninitrd /%s\noptions %s\n",
		Title(g), g.Number, KernelPath(g.Kernel), InitrdPath(g.Initrd), commandLine(words))
}

// An Entry is what the name of an entry file says.
type Entry struct {
	Number     int
	Counted    bool // on trial, or failed when Left is 0
	Left, Done int
}

var entryName = regexp.MustCompile(`^reprise-([1-9][0-9]{0,8})(?:\+([0-9]{1,9})(?:-([0-9]{1,9}))?)?\.conf$`)

// ParseEntryName reads the name of an entry file as EntryName wrote and
// systemd-boot renamed it. ok is false for files that are not ours.
func ParseEntryName(name string) (e Entry, ok bool) {
	m := entryName.FindStringSubmatch(name)
	if m == nil {
		return Entry{}, false
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n } // nine digits at most
	return Entry{Number: number(m[1]), Counted: m[2] != "", Left: number(m[2]), Done: number(m[3])}, true
}

// Bless returns the name and content of the entry of a generation whose trial
// went well: rename the file to name once its content is in place. g is taken
// without its tries.
func Bless(g Generation, o Options) (name string, content []byte) {
	g.Tries = 0
	return EntryName(g), entry(g, o)
}
