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
	for name, c := range map[string]struct {
		generations []Generation
		options     Options
	}{
		"one":    {[]Generation{generation(1, 0)}, options},
		"trial":  {[]Generation{generation(2, 0), dated, generation(1, 0)}, Options{RootPARTUUID: options.RootPARTUUID, Timeout: 10, Editor: true}},
		"silent": {[]Generation{generation(1, 0)}, Options{RootPARTUUID: options.RootPARTUUID}},
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
	bad := Generation{Number: 0, System: "nix store", Kernel: "AB", Initrd: "", Host: "a\nb", Date: "it's", Tries: 10,
		Params: []string{"", "a\nb", `c="d e"`, TrialParam}}
	long := generation(2, 1)
	long.Params = []string{strings.Repeat("x", 2048)}
	_, err := Files([]Generation{bad, long, generation(3, 1), generation(3, 0)}, Options{RootPARTUUID: "ABC", Timeout: -1})
	problems, ok := err.(Problems)
	if !ok {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		`root partition "ABC"`, "timeout of -1", "generation 0: numbers begin with 1", "want a store path", `kernel "AB"`, `initrd ""`,
		`host "a\nb"`, `date "it's"`, "10 tries", `parameter ""`, `parameter "a\nb"`, `quotes and backslashes`, "set by the boot loader alone",
		"at most 2047", "generation 3: is there twice", "generations on trial",
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
	name, content := Bless(generation(7, 2), options)
	if name != "reprise-7.conf" || bytes.Contains(content, []byte(TrialParam)) {
		t.Errorf("blessed entry %q:\n%s", name, content)
	}
}

func TestEnv(t *testing.T) {
	e := EnvOf([]Generation{generation(1, 0), generation(3, 2), generation(2, 0)})
	if want := (Env{Good: 2, Trial: 3, Left: 2}); e != want {
		t.Errorf("EnvOf = %+v, want %+v", e, want)
	}
	for _, e := range []Env{{}, {Good: 1}, e, e.Bless(3), {Good: 1, Trial: 2}} {
		content := e.Encode()
		if len(content) != 1024 {
			t.Errorf("grubenv has %d bytes", len(content))
		}
		if got, err := ParseEnv(content); err != nil || got != e {
			t.Errorf("ParseEnv(Encode(%+v)) = %+v, %v", e, got, err)
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 1024), append(e.Encode(), 0), bytes.Replace(e.Encode(), []byte("left=2"), []byte("left=x"), 1)} {
		if got, err := ParseEnv(bad); err == nil {
			t.Errorf("ParseEnv(%.40q…) = %+v", bad, got)
		}
	}
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
