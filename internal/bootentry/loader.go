package bootentry

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// loaderConf has the same size whatever the options are, so that new options
// are a change inside its only sector.
func loaderConf(o Options) []byte {
	editor := "no"
	if o.Editor {
		editor = "yes"
	}
	return padded(fmt.Appendf(nil, "timeout %d\ndefault reprise-*\nconsole-mode keep\neditor %s\n", o.Timeout, editor), 128)
}

// padded appends a comment up to size bytes.
func padded(b []byte, size int) []byte {
	return append(append(b, bytes.Repeat([]byte{'#'}, size-1-len(b))...), '\n')
}

// EntryName is the file name of g's entry: reprise-2.conf, reprise-2+3.conf or
// reprise-2+2-1.conf on trial, reprise-2+0-3.conf when it has failed.
func EntryName(g Generation) string {
	switch {
	case g.Done > 0:
		return fmt.Sprintf("reprise-%d+%d-%d.conf", g.Number, g.Tries, g.Done)
	case g.Tries > 0:
		return fmt.Sprintf("reprise-%d+%d.conf", g.Number, g.Tries)
	}
	return fmt.Sprintf("reprise-%d.conf", g.Number)
}

// A Rank is the first thing that systemd-boot sorts entries by that have
// tries left or none to count.
type Rank int

// Ranks in the order in which entries are started.
const (
	Trial Rank = iota
	Default
	Other
)

// RankOf is the rank of g. Failed generations are Others: the count in their
// name sorts them last.
func RankOf(g Generation) Rank {
	switch {
	case g.OnTrial():
		return Trial
	case g.Default:
		return Default
	}
	return Other
}

// HeadBytes is how long the head of every entry is. It lies in the file's
// first sector, whatever the rest is.
const HeadBytes = len("sort-key reprise-0\n" + onTrial + "\n")

// Lines of the head that say whether the generation is on trial.
// systemd-boot joins all lines of options with a space.
const (
	onTrial    = "options " + TrialParam
	notOnTrial = "# it is not on trial."
)

// Head is how an entry of that rank begins. Changing an entry's rank, or
// ending its trial, is to write a new head over the old one.
func Head(r Rank) []byte {
	trial := notOnTrial
	if r == Trial {
		trial = onTrial
	}
	return fmt.Appendf(nil, "sort-key reprise-%d\n%s\n", r, trial)
}

// EntryContent is the file of g's entry.
func EntryContent(g Generation, o Options) ([]byte, error) {
	if err := check([]Generation{g}, o); err != nil {
		return nil, err
	}
	return entry(g, o), nil
}

// entry ends with the line of the kernel: systemd-boot passes over an entry
// that names no kernel, or one that is not there, so no beginning of this
// text is an entry.
func entry(g Generation, o Options) []byte {
	return fmt.Appendf(Head(RankOf(g)), "title %s\nversion %d\noptions %s\ninitrd /%s\nlinux /%s\n",
		Title(g), g.Number, commandLine(Params(g, o)), InitrdPath(g.Initrd), KernelPath(g.Kernel))
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

// A Text is what the content of an entry file says.
type Text struct {
	SortKey        string
	Rank           Rank // of an entry whose head is ours
	Head           bool // the file begins with one of our heads
	Title          string
	Version        string
	Options        string // the kernel line
	Kernel, Initrd string // paths on the ESP, without a leading slash
	System         string // reprise.system= of the kernel line
}

// textMax is the most bytes of an entry: a title and a kernel line with room.
const textMax = 16 << 10

// ParseText reads an entry as systemd-boot does. An error says why
// systemd-boot would pass over it, or could not boot it.
//
// Source: systemd 257, boot_entry_add_type1 and line_get_key_value.
func ParseText(content []byte) (Text, error) {
	if len(content) > textMax {
		return Text{}, fmt.Errorf("%d bytes: want %d at most", len(content), textMax)
	}
	var t Text
	for _, r := range []Rank{Trial, Default, Other} {
		if bytes.HasPrefix(content, Head(r)) {
			t.Head, t.Rank = true, r
		}
	}
	content, _, _ = bytes.Cut(content, []byte{0}) // a C string
	for _, line := range strings.FieldsFunc(string(content), func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.Trim(line, " \t")
		at := strings.IndexAny(line, " \t")
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		value := strings.TrimLeft(line[at:], " \t")
		switch line[:at] {
		case "sort-key":
			t.SortKey = value
		case "title":
			t.Title = value
		case "version":
			t.Version = value
		case "options":
			t.Options = strings.TrimPrefix(t.Options+" "+value, " ")
		case "initrd":
			t.Initrd = strings.TrimPrefix(path.Clean("/"+value), "/")
		case "linux":
			t.Kernel = strings.TrimPrefix(path.Clean("/"+value), "/")
		}
	}
	for word := range strings.FieldsSeq(t.Options) {
		if system, ok := strings.CutPrefix(word, "reprise.system="); ok {
			t.System = system
		}
	}
	switch {
	case t.Kernel == "":
		return t, errors.New("it names no kernel")
	case t.Initrd == "":
		return t, errors.New("it names no initrd")
	case t.System == "":
		return t, errors.New("it names no system")
	}
	return t, nil
}
