package drv

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nix-community/go-nix/pkg/derivation"

	"reprise/store/storepath"
)

// golden reads the derivations that real Nix (2.8 and 2.26, which agree) wrote
// for testdata/golden.nix.
func golden(t testing.TB) map[storepath.Path][]byte {
	files, err := filepath.Glob("testdata/nix/*.drv")
	if err != nil || len(files) != 32 {
		t.Fatalf("%d golden derivations, %v; want 32", len(files), err)
	}
	content := map[storepath.Path][]byte{}
	for _, file := range files {
		p, err := storepath.ParseBase(filepath.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		if content[p], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return content
}

func TestGolden(t *testing.T) {
	files := golden(t)
	h := &Hasher{Load: func(p storepath.Path) (*Derivation, error) { return ParseAt(p, files[p]) }}
	for p, data := range files {
		d, err := ParseAt(p, data)
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(d.Encode(), data) {
			t.Errorf("%q: Encode = %s, want %s", p, d.Encode(), data)
		}
		if err := h.Check(d); err != nil {
			t.Errorf("Check: %v", err)
		}
		blank := d.Clone()
		for id, out := range blank.Outputs {
			out.Path = ""
			blank.Outputs[id] = out
			delete(blank.Env, id)
		}
		if _, ok := d.Env["__json"]; ok { // its outputs are not in the environment
			continue
		}
		if err := h.Fill(blank); err != nil {
			t.Errorf("Fill: %v", err)
		}
		if diff := cmp.Diff(d, blank); diff != "" {
			t.Errorf("%q: Fill of the blank derivation (-want +got):\n%s", p, diff)
		}
	}
}

// TestOracle compares with go-nix where that is right: it escapes no arguments
// and counts a path twice that is both an input derivation and a source.
func TestOracle(t *testing.T) {
	for p, data := range golden(t) {
		d, err := derivation.ReadDerivation(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		twice := slices.ContainsFunc(d.InputSources, func(p string) bool { return d.InputDerivations[p] != nil })
		if twice || strings.Contains(strings.Join(d.Arguments, ""), `\`) {
			continue
		}
		path, err := d.DrvPath()
		if err != nil {
			t.Fatal(err)
		}
		if path != string(p) {
			t.Errorf("go-nix names it %q, want %q", path, p)
		}
	}
}

func TestCheckFindsForgery(t *testing.T) {
	files := golden(t)
	h := &Hasher{Load: func(p storepath.Path) (*Derivation, error) { return ParseAt(p, files[p]) }}
	for p, data := range files {
		d, err := ParseAt(p, data)
		if err != nil {
			t.Fatal(err)
		}
		forged := d.Clone()
		for id, out := range forged.Outputs {
			out.Path = "/nix/store/00000000000000000000000000000000-forged"
			forged.Outputs[id] = out
		}
		if err := h.Check(forged); err == nil {
			t.Errorf("%q: Check takes a wrong output path", p)
		}
	}
	missing := &Derivation{Name: "x", Outputs: map[string]Output{"out": {}}, InputDrvs: map[storepath.Path][]string{
		"/nix/store/00000000000000000000000000000000-absent.drv": {"out"},
	}}
	if err := new(Hasher).Fill(missing); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("Fill without its input: %v", err)
	}
}

const smallest = `Derive([("out","","","")],[],[],"","",[],[])`

func TestParseRefuses(t *testing.T) {
	if _, err := Parse([]byte(smallest)); err != nil {
		t.Fatal(err)
	}
	const path = `"/nix/store/00000000000000000000000000000000-x`
	for _, text := range []string{
		"", "Derive(", smallest + " ", "DrvWithVersion" + smallest[6:], smallest[:len(smallest)-1],
		`Derive([],[],[],"","",[],[])`,
		`Derive([("out","","","ab")],[],[],"","",[],[])`,
		`Derive([("out","","sha256","ab")],[],[],"","",[],[])`,
		`Derive([("out","","r:sha3","")],[],[],"","",[],[])`,
		`Derive([("dev","","sha256","` + strings.Repeat("0", 64) + `")],[],[],"","",[],[])`,
		`Derive([("out","/etc/passwd","","")],[],[],"","",[],[])`,
		`Derive([("out","","",""),("out","","","")],[],[],"","",[],[])`,
		`Derive([("out","","",""),("dev","","","")],[],[],"","",[],[])`,
		`Derive([("../x","","","")],[],[],"","",[],[])`,
		`Derive([("out","","","")],[(` + path + `",["out"])],[],"","",[],[])`,
		`Derive([("out","","","")],[(` + path + `.drv",[])],[],"","",[],[])`,
		`Derive([("out","","","")],[],[` + path + `",` + path + `"],"","",[],[])`,
		`Derive([("out","","","")],[],[],"\q","",[],[])`,
		`Derive([("out","","","")],[],[],"` + "\n" + `","",[],[])`,
		`Derive([("out","","","")],[],[],"\`,
		`Derive([("out","","","")],[],[],"","",["a",],[])`,
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("Parse takes %s", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, data := range golden(f) {
		f.Add(data)
	}
	f.Add([]byte(smallest))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			return
		}
		if !bytes.Equal(d.Encode(), data) {
			t.Errorf("Encode = %s, want %s", d.Encode(), data)
		}
	})
}

func BenchmarkFill(b *testing.B) {
	files := golden(b)
	for b.Loop() {
		h := &Hasher{Load: func(p storepath.Path) (*Derivation, error) { return ParseAt(p, files[p]) }}
		for p, data := range files {
			d, err := ParseAt(p, data)
			if err != nil {
				b.Fatal(err)
			}
			if err := h.Fill(d); err != nil {
				b.Fatal(err)
			}
		}
	}
}
