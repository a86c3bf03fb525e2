package bootentry

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var options = Options{RootPARTUUID: "1d3cbb3f-bc24-8983-a395-9507cf9c8869", Timeout: 3}

func generation(n, tries int) Generation {
	return Generation{
		Number: n, System: fmt.Sprintf("/nix/store/%032d-system-live-rig", n), Tries: tries, Host: "live-rig",
		Kernel: strings.Repeat("a", 64), Initrd: strings.Repeat(fmt.Sprint(n), 64),
		Params: []string{"threadirqs", "console=tty0", "console=ttyS0,115200", "dyndbg=file a.c +p"},
	}
}

// TestFiles compares with testdata: one directory for each list of
// generations, laid out as the ESP.
func TestFiles(t *testing.T) {
	dated := generation(3, 3)
	dated.Date = "2026-11-22"
	rolledBack, failed := generation(2, 0), generation(4, 0)
	rolledBack.Default, failed.Done = true, 3
	for name, c := range map[string]struct {
		generations []Generation
		options     Options
	}{
		"one":      {[]Generation{generation(1, 0)}, options},
		"trial":    {[]Generation{generation(2, 0), dated, generation(1, 0)}, Options{RootPARTUUID: options.RootPARTUUID, Timeout: 10, Editor: true}},
		"rollback": {[]Generation{generation(1, 0), rolledBack, failed, generation(3, 0)}, options},
		"silent":   {[]Generation{generation(1, 0)}, Options{RootPARTUUID: options.RootPARTUUID}},
	} {
		t.Run(name, func(t *testing.T) {
			files, err := Files(c.generations, c.options)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join("testdata", name)
			if *update {
				os.RemoveAll(dir)
			}
			var listed []string
			for _, f := range files {
				file := filepath.Join(dir, f.Path)
				listed = append(listed, file)
				if *update {
					os.MkdirAll(filepath.Dir(file), 0o755)
					if err := os.WriteFile(file, f.Content, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(f.Content)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
			}
			var golden []string
			filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					golden = append(golden, p)
				}
				return err
			})
			if diff := cmp.Diff(golden, listed); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFilesReportsEveryProblem(t *testing.T) {
	bad := Generation{Number: 0, System: "nix store", Kernel: "AB", Initrd: "", Host: "a\nb", Date: "it's", Tries: 10, Done: -1, Default: true,
		Params: []string{"", "a\nb", `c="d e"`, TrialParam}}
	long := generation(2, 1)
	long.Params = []string{strings.Repeat("x", 2048)}
	second := generation(3, 0)
	second.Default = true
	_, err := Files([]Generation{bad, long, generation(3, 1), second}, Options{RootPARTUUID: "ABC", Timeout: -1})
	problems, ok := err.(Problems)
	if !ok {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		`root partition "ABC"`, "timeout of -1", "generation 0: numbers begin with 1", "want a store path", `kernel "AB"`, `initrd ""`,
		`host "a\nb"`, `date "it's"`, "10 tries", `parameter ""`, `parameter "a\nb"`, `quotes and backslashes`, "set by the boot loader alone",
		"at most 2047", "generation 3: is there twice", "generations on trial", "-1 tries done", "has not passed its trial", "2 generations are the default",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, problems)
		}
	}
	if _, err := Files(nil, options); err == nil || !strings.Contains(err.Error(), "nothing could be booted") {
		t.Errorf("error for no generation: %v", err)
	}
}

func TestEntryNames(t *testing.T) {
	for name, want := range map[string]Entry{
		"reprise-1.conf":       {Number: 1},
		"reprise-12+3.conf":    {Number: 12, Counted: true, Left: 3},
		"reprise-12+0-3.conf":  {Number: 12, Counted: true, Done: 3},
		"reprise-012.conf":     {},
		"reprise-0.conf":       {},
		"reprise-1+.conf":      {},
		"reprise-1.conf.bak":   {},
		"debian-6.12.conf":     {},
		"reprise-1+1-1-1.conf": {},
	} {
		got, ok := ParseEntryName(name)
		if got != want || ok != (want != Entry{}) {
			t.Errorf("ParseEntryName(%q) = %+v, %v, want %+v", name, got, ok, want)
		}
	}
	for _, g := range []Generation{generation(7, 0), generation(7, 2)} {
		if got, ok := ParseEntryName(EntryName(g)); !ok || got.Number != 7 || got.Left != g.Tries {
			t.Errorf("%q is read as %+v, %v", EntryName(g), got, ok)
		}
	}
	tried := generation(7, 1)
	tried.Done = 2
	for want, g := range map[string]Generation{"reprise-7+1-2.conf": tried, "reprise-7+0-2.conf": {Number: 7, Done: 2}} {
		if got := EntryName(g); got != want {
			t.Errorf("EntryName = %q, want %q", got, want)
		}
	}
}

func TestEnv(t *testing.T) {
	old := generation(1, 0)
	old.Default = true
	failed := generation(4, 0)
	failed.Done = 3
	if got, want := EnvOf([]Generation{old, generation(3, 2), generation(2, 0)}), (Env{Menu: MenuA, Good: 1, Trial: 3, Left: 2}); got != want {
		t.Errorf("EnvOf = %+v, want %+v", got, want)
	}
	e := EnvOf([]Generation{generation(1, 0), generation(3, 2), generation(2, 0), failed})
	if want := (Env{Menu: MenuA, Good: 2, Trial: 3, Left: 2}); e != want {
		t.Errorf("EnvOf = %+v, want %+v", e, want)
	}
	e.Menu = MenuB
	const most = 999_999_999
	for _, e := range []Env{{}, {Good: 1}, e, e.Bless(3), {Good: 1, Trial: 2}, {MenuB, most, most, most}} {
		content := e.Encode()
		if !bytes.Equal(content[EnvSector:], (Env{}).Encode()[EnvSector:]) {
			t.Errorf("%+v differs after its first sector", e)
		}
		if len(content) != 1024 {
			t.Errorf("grubenv has %d bytes", len(content))
		}
		if got, err := ParseEnv(content); err != nil || got != e {
			t.Errorf("ParseEnv(Encode(%+v)) = %+v, %v", e, got, err)
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 1024), append(e.Encode(), 0), bytes.Replace(e.Encode(), []byte("left=2"), []byte("left=x"), 1),
		bytes.Replace(e.Encode(), []byte("menu=b"), []byte("menu=/"), 1)} {
		if got, err := ParseEnv(bad); err == nil {
			t.Errorf("ParseEnv(%.40q…) = %+v", bad, got)
		}
	}
}

// TestHeads holds that changing the head is all it takes to change an entry's
// rank, and that it lies in one sector.
func TestHeads(t *testing.T) {
	good, trial := generation(2, 0), generation(2, 3)
	good.Default = true
	content := map[Rank][]byte{Trial: entry(trial, options), Default: entry(good, options), Other: entry(generation(2, 0), options)}
	for r, text := range content {
		if len(Head(r)) != HeadBytes || !bytes.Equal(append(Head(Trial), text[HeadBytes:]...), content[Trial]) {
			t.Errorf("rank %d: more than the head of %d bytes differs from a trial:\n%s", r, HeadBytes, text)
		}
		got, err := ParseText(text)
		want := Text{
			SortKey: fmt.Sprintf("reprise-%d", r), Rank: r, Head: true, Title: "reprise 2 (live-rig)", Version: "2", Options: got.Options,
			Kernel: KernelPath(good.Kernel), Initrd: InitrdPath(good.Initrd), System: good.System,
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("ParseText: %v (-want +got):\n%s", err, diff)
		}
		if got, want := strings.HasPrefix(got.Options, TrialParam+" root=PARTUUID="), r == Trial; got != want {
			t.Errorf("rank %d: %s on the kernel line is %v, want %v", r, TrialParam, got, want)
		}
	}
	if HeadBytes > 512 || HeadBytes > len(padded(nil, 128)) {
		t.Errorf("a head of %d bytes does not fit into a sector", HeadBytes)
	}
}

// TestTornTexts holds that no beginning of an entry or a menu is taken for
// one, but for an entry's missing line end.
func TestTornTexts(t *testing.T) {
	g := generation(2, 3)
	whole := entry(g, options)
	for size := range whole {
		got, err := ParseText(whole[:size])
		if there := got.Kernel == KernelPath(g.Kernel); (err == nil && there) != (size == len(whole)-1) {
			t.Errorf("%d of %d bytes of an entry: kernel %q, %v", size, len(whole), got.Kernel, err)
		}
	}
	menu := grubMenu(Order([]Generation{generation(1, 0), g, generation(12, 0)}), options)
	for size := range menu {
		if got, err := ParseMenu(menu[:size]); err == nil {
			t.Errorf("%d of %d bytes of a menu are read as %+v", size, len(menu), got)
		}
	}
	got, err := ParseMenu(menu)
	image := func(n int) MenuEntry {
		return MenuEntry{n, KernelPath(g.Kernel), InitrdPath(generation(n, 0).Initrd)}
	}
	if diff := cmp.Diff(Menu{12, []MenuEntry{image(12), image(2), image(1)}}, got); diff != "" || err != nil {
		t.Errorf("ParseMenu: %v (-want +got):\n%s", err, diff)
	}
}

func TestParseTextSaysWhatIsMissing(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "it names no kernel",
		"linux\n#linux /x\nlinuxx /x":      "it names no kernel",
		"linux /k":                         "it names no initrd",
		"linux /k\ninitrd /i":              "it names no system",
		"\x00linux /k":                     "it names no kernel",
		strings.Repeat("#", textMax+1):     "want 16384 at most",
		"linux /../k\ninitrd\t/i\noptions": "it names no system",
	} {
		if _, err := ParseText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseText(%.30q): %v, want %q", text, err, want)
		}
	}
	got, err := ParseText([]byte("  linux /../k \r\ninitrd\t/i\noptions a\noptions  reprise.system=/s b"))
	if want := (Text{Options: "a reprise.system=/s b", Kernel: "k", Initrd: "i", System: "/s"}); err != nil || got != want {
		t.Errorf("ParseText = %+v, %v, want %+v", got, err, want)
	}
}

func FuzzParseText(f *testing.F) {
	f.Add(entry(generation(2, 3), options))
	f.Fuzz(func(t *testing.T, content []byte) {
		text, err := ParseText(content)
		if err == nil && (text.Kernel == "" || text.Initrd == "" || text.System == "" || strings.HasPrefix(text.Kernel, "..")) {
			t.Errorf("%q is read as %+v", content, text)
		}
	})
}

func FuzzParseMenu(f *testing.F) {
	f.Add(grubMenu(Order([]Generation{generation(2, 0), generation(3, 1)}), options))
	f.Fuzz(func(t *testing.T, content []byte) {
		if m, err := ParseMenu(content); err == nil && len(m.Entries) == 0 {
			t.Errorf("%q is read as %+v", content, m)
		}
	})
}

func FuzzParseEnv(f *testing.F) {
	f.Add(Env{Good: 1, Trial: 2, Left: 3}.Encode())
	f.Add(bytes.Replace(Env{}.Encode(), []byte("#####"), []byte("a\n=\n="), 1))
	f.Fuzz(func(t *testing.T, content []byte) {
		e, err := ParseEnv(content)
		if err != nil {
			return
		}
		if again, err := ParseEnv(e.Encode()); err != nil || (e.Trial != 0 || e.Left == 0) && again != e {
			t.Errorf("%+v is read again as %+v, %v", e, again, err)
		}
	})
}

func FuzzParseEntryName(f *testing.F) {
	f.Add("reprise-1+2-1.conf")
	f.Fuzz(func(t *testing.T, name string) {
		if e, ok := ParseEntryName(name); ok && e.Number < 1 {
			t.Errorf("%q is read as %+v", name, e)
		}
	})
}
