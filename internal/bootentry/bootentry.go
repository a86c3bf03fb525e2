// Package bootentry turns a machine's generations into what its boot loaders
// read. It is pure: values in, small text files out, and what such files say.
//
// One list of generations serves both loaders. Under UEFI systemd-boot reads
// one Boot Loader Specification entry (type 1) for each generation; under
// BIOS GRUB reads one menu. Both lie on the ESP, which Linux mounts at /efi,
// beside the kernels and initrds, each there once however many generations
// share it:
//
//	loader/loader.conf
//	loader/entries/reprise-1.conf        good
//	loader/entries/reprise-2+3.conf      on trial, three tries left
//	loader/entries/reprise-3+0-3.conf    failed: no tries left, three done
//	reprise/kernel-<32 hex>              named by the SHA-256 of the content
//	reprise/initrd-<32 hex>
//	grub/grub.cfg                        the same on every machine
//	grub/menu-a.cfg, grub/menu-b.cfg     one of them is in use, grubenv says which
//	grub/grubenv
//
// # What a loader starts by itself
//
// The generation on trial while it has tries left, else the default, else the
// newest of the others, and one that failed only when there is no other.
// Under UEFI that is the order of the sort keys ([Rank]), under BIOS grubenv
// says it.
//
// # One sector decides
//
// FAT has no journal, and replacing a file there touches sectors that reach
// the disk in any order. So what changes while a machine is in use changes
// inside one sector of a file that stays where it is: the first [HeadBytes]
// of an entry are its rank and whether it is on trial, and all that GRUB
// decides by stands in the first sector of grubenv, where GRUB itself counts.
// The rest of that file's 1,024 bytes is padding that never changes, so the
// pair of sectors cannot be torn into a mix. A longer text is written where
// nothing reads it yet: the menu that is not in use; an entry whose last line
// is the one that makes it an entry.
//
// # Trials
//
// A generation on trial has its tries counted down by the loader before each
// boot. systemd-boot renames its entry, +3 to +2-1 to +1-2 to +0-3, and sorts
// an entry without tries behind all others. GRUB keeps the same count in
// grubenv: good is the default, trial the one on trial, left its tries. The
// running system ends a trial that went well: the entry gets its plain name,
// and grubenv has no trial, see [Env.Bless]. The word reprise.trial on the
// kernel line tells the system that it is on trial.
//
// Sources: UAPI.1 Boot Loader Specification; systemd 257,
// AUTOMATIC_BOOT_ASSESSMENT and boot_entry_compare in boot.c; GRUB manual
// 2.12, "Environment block".
package bootentry

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Places on the ESP, without a leading slash.
const (
	LoaderConf = "loader/loader.conf"
	EntryDir   = "loader/entries"
	KernelDir  = "reprise"
	GRUBDir    = "grub"
	GRUBConfig = "grub/grub.cfg"
	GRUBEnv    = "grub/grubenv"
)

// TrialParam is on the kernel line while a generation is on trial.
const TrialParam = "reprise.trial"

// MaxTries is the most tries that a trial may have: one digit, since GRUB's
// script counts down by comparing.
const MaxTries = 9

// doneMax is the highest count of done tries that [ParseEntryName] reads.
const doneMax = 999_999_999

// commandLineMax is the longest kernel line on x86, its NUL not counted.
// Source: COMMAND_LINE_SIZE in arch/x86/include/asm/setup.h of Linux 6.12.
const commandLineMax = 2047

// A Generation is one system of the machine with what it takes to boot it.
type Generation struct {
	Number int    // 1 or more
	System string // store path of the system
	Kernel string // SHA-256 of the kernel image, 64 lower-case hex digits
	Initrd string // SHA-256 of the initrd, likewise
	// Params are the further words of the kernel line, one parameter each,
	// without quotes: `dyndbg=file a.c +p` is one parameter.
	Params []string
	Host   string
	Date   string // when it was made, for people, such as "2026-11-22"; "" for an image, which knows no time
	// Default is set for the one to start while none is on trial. In a list
	// without one it is the newest that is neither on trial nor failed.
	Default bool
	Tries   int // tries left of a generation on trial; 0 for others
	Done    int // tries that are used up; with Tries 0 the generation has failed
}

// OnTrial tells whether loaders start g before the default.
func (g Generation) OnTrial() bool { return g.Tries > 0 }

// Failed tells whether g was on trial and has used up its tries.
func (g Generation) Failed() bool { return g.Tries == 0 && g.Done > 0 }

// Options are what all entries of a disk share.
type Options struct {
	RootPARTUUID string // GUID of the root partition, lower case
	Timeout      int    // seconds that the menu stays; 0 shows none
	Editor       bool   // let whoever stands at the keyboard change the kernel line
}

// A File is one file on the ESP.
type File struct {
	Path    string // relative to the ESP, "/" between names
	Content []byte
}

// Files returns everything that the two loaders read, sorted by path, for
// generations in any order. It reports every problem at once.
func Files(generations []Generation, o Options) ([]File, error) {
	if err := check(generations, o); err != nil {
		return nil, err
	}
	sorted := Order(generations)
	menu := grubMenu(sorted, o)
	files := []File{
		{LoaderConf, loaderConf(o)},
		{GRUBConfig, grubConfig()},
		{GRUBEnv, EnvOf(generations).Encode()},
		{MenuPath(MenuA), menu},
		{MenuPath(MenuB), menu},
	}
	for _, g := range sorted {
		files = append(files, File{EntryDir + "/" + EntryName(g), entry(g, o)})
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return files, nil
}

// KernelPath is the place on the ESP of the kernel with the given SHA-256.
func KernelPath(sha256 string) string { return KernelDir + "/kernel-" + short(sha256) }

// InitrdPath is the place on the ESP of the initrd with the given SHA-256.
func InitrdPath(sha256 string) string { return KernelDir + "/initrd-" + short(sha256) }

// short keeps 128 bits of a hash: names stay readable in a firmware's shell.
func short(sha256 string) string { return sha256[:min(32, len(sha256))] }

// Params returns the words of g's kernel line in their order, without
// TrialParam.
func Params(g Generation, o Options) []string {
	words := []string{"root=PARTUUID=" + o.RootPARTUUID, "reprise.system=" + g.System, fmt.Sprintf("reprise.generation=%d", g.Number)}
	return append(words, g.Params...)
}

// Title is what menus show.
func Title(g Generation) string {
	title := fmt.Sprintf("reprise %d (%s", g.Number, g.Host)
	if g.Date != "" {
		title += ", " + g.Date
	}
	return title + ")"
}

// Order returns generations as menus show them, which is the order in which
// loaders would start them: on trial, the default, others with the newest
// first, failed ones. One of them is the default, if one can be.
func Order(generations []Generation) []Generation {
	sorted := slices.Clone(generations)
	slices.SortFunc(sorted, func(a, b Generation) int { return cmp.Compare(b.Number, a.Number) })
	if !slices.ContainsFunc(sorted, func(g Generation) bool { return g.Default }) {
		if i := slices.IndexFunc(sorted, func(g Generation) bool { return !g.OnTrial() && !g.Failed() }); i >= 0 {
			sorted[i].Default = true
		}
	}
	slices.SortStableFunc(sorted, func(a, b Generation) int { return cmp.Compare(place(a), place(b)) })
	return sorted
}

func place(g Generation) int {
	if g.Failed() {
		return int(Other) + 1
	}
	return int(RankOf(g))
}

var (
	isSHA256  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	isGUID    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	isPath    = regexp.MustCompile(`^/[A-Za-z0-9+._?=/-]+$`)
	isHost    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)
	isVisible = func(s string) bool {
		return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0
	}
)

// Problems are all that is wrong with a list of generations.
type Problems []string

func (p Problems) Error() string { return "boot entries: " + strings.Join(p, "; ") }

func check(generations []Generation, o Options) error {
	var p Problems
	say := func(format string, args ...any) { p = append(p, fmt.Sprintf(format, args...)) }
	if len(generations) == 0 {
		say("no generation: nothing could be booted")
	}
	if !isGUID.MatchString(o.RootPARTUUID) {
		say("root partition %q: want a GUID in lower case", o.RootPARTUUID)
	}
	if o.Timeout < 0 || o.Timeout > 3600 {
		say("timeout of %d seconds: want 0 to 3600", o.Timeout)
	}
	seen, trials, defaults := map[int]bool{}, 0, 0
	for _, g := range generations {
		say := func(format string, args ...any) {
			say("generation %d: "+format, append([]any{g.Number}, args...)...)
		}
		if g.Number < 1 {
			say("numbers begin with 1")
		}
		if seen[g.Number] {
			say("is there twice")
		}
		seen[g.Number] = true
		if !isPath.MatchString(g.System) {
			say("system %q: want a store path", g.System)
		}
		if !isSHA256.MatchString(g.Kernel) {
			say("kernel %q: want a SHA-256 in lower-case hex", g.Kernel)
		}
		if !isSHA256.MatchString(g.Initrd) {
			say("initrd %q: want a SHA-256 in lower-case hex", g.Initrd)
		}
		if !isHost.MatchString(g.Host) {
			say("host %q: want letters, digits, dots and dashes", g.Host)
		}
		if !isVisible(g.Date) || strings.ContainsAny(g.Date, `'"\`) {
			say("date %q: want plain text", g.Date)
		}
		if g.Tries < 0 || g.Tries > MaxTries {
			say("%d tries: want 0 to %d", g.Tries, MaxTries)
		}
		if g.Done < 0 || g.Done > doneMax {
			say("%d tries done: want 0 to %d", g.Done, doneMax)
		}
		if g.OnTrial() {
			trials++
		}
		if g.Default {
			defaults++
			if g.OnTrial() || g.Failed() {
				say("is the default and has not passed its trial")
			}
		}
		for _, word := range g.Params {
			switch {
			case word == "" || !isVisible(word):
				say("kernel parameter %q: want visible characters", word)
			case strings.ContainsAny(word, `"'\`):
				// The kernel has no way to write a double quote inside quotes,
				// and GRUB puts a backslash before all three.
				say("kernel parameter %q: quotes and backslashes do not reach the kernel unchanged; write a value with spaces without quotes", word)
			case word == TrialParam:
				say("kernel parameter %q is set by the boot loader alone", word)
			}
		}
		if line := commandLine(append(Params(g, o), TrialParam)); len(line) > commandLineMax {
			say("kernel line of %d bytes: at most %d", len(line), commandLineMax)
		}
	}
	if trials > 1 {
		say("%d generations on trial: at most one at a time", trials)
	}
	if defaults > 1 {
		say("%d generations are the default: want one", defaults)
	}
	if p != nil {
		return p
	}
	return nil
}

// commandLine joins words as the kernel takes them apart again: a word with a
// space is quoted as a whole. Source: next_arg in lib/cmdline.c of Linux 6.12.
func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if strings.ContainsFunc(word, unicode.IsSpace) {
			quoted[i] = `"` + word + `"`
		}
	}
	return strings.Join(quoted, " ")
}
