package lock

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden file")

var digest = strings.Repeat("0a", 32)

var sample = &Lock{
	Architecture: "amd64",
	Archive:      []Suite{{"trixie", time.Date(2026, 9, 12, 7, 55, 41, 0, time.UTC), digest}},
	Sets: []Set{
		{Name: "boot", Roots: []string{"shim-signed"}, Alone: true},
		{Name: "system", Roots: []string{"bash", "jackd2"}, Essential: true},
	},
	Packages: []Package{
		{"bash", "5.2.37-2+b5", "amd64", "trixie", "pool/main/b/bash/bash_5.2.37-2+b5_amd64.deb", 1498688, digest, FormatNarHash([32]byte{1, 2, 3}), []string{"system"}},
		{"shim-signed", "1.51+16.1-1~deb13u1", "amd64", "trixie", "pool/main/s/shim-signed/shim-signed_1.51_amd64.deb", 9, digest, "", []string{"boot", "system"}},
	},
}

func TestGolden(t *testing.T) {
	const golden = "testdata/version-1.lock"
	got := sample.Encode()
	if *update {
		os.WriteFile(golden, got, 0o644)
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("Encode (-want +got):\n%s", diff)
	}
	parsed, err := Parse(golden, want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, parsed); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestParseTellsEveryFault(t *testing.T) {
	good := string(sample.Encode())
	for _, test := range []struct{ name, old, new, want string }{
		{"size", "Size: 9", "Size: nine", `x.lock:32: Size is "nine"`},
		{"digest", "SHA256: " + digest, "SHA256: " + digest[2:], `SHA256 is "` + digest[2:] + `"`},
		{"path out of the pool", "Path: pool/main/b/", "Path: pool/../b/", "Path is"},
		{"unknown field", "Sets: system\n", "Sets: system\nColour: red\n", "Colour is not known in this stanza"},
		{"unknown set", "Sets: system\n", "Sets: sytem\n", `names the set "sytem"`},
		{"version", "Lock: 1", "Lock: 2", `Lock is "2"`},
		{"no colon", "Suite: trixie\n", "Suite trixie\n", "is no field"},
		{"missing", "Suite: trixie\n", "", "Suite is missing"},
		{"twice", "Package: shim-signed", "Package: bash", `"bash" stands twice`},
		{"nar hash", "NarHash: sha256:", "NarHash: sha1:", "NarHash is"},
		{"one file twice", "Path: pool/main/s/shim-signed/shim-signed_1.51_amd64.deb", "Path: pool/main/b/bash/bash_5.2.37-2+b5_amd64.deb", "bash_5.2.37-2+b5_amd64.deb\" stands twice"},
		{"empty", good, "", "the file is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("x.lock", []byte(strings.Replace(good, test.old, test.new, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse = %v, want an error with %q", err, test.want)
			}
		})
	}
	_, err := Parse("x.lock", []byte(strings.NewReplacer("Size: 9", "Size: nine", "Lock: 1", "Lock: 7").Replace(good)))
	if err == nil || !strings.Contains(err.Error(), "nine") || !strings.Contains(err.Error(), `"7"`) {
		t.Errorf("Parse = %v, want both faults", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(sample.Encode()))
	f.Fuzz(func(t *testing.T, s string) {
		l, err := Parse("x.lock", []byte(s))
		if err != nil {
			return
		}
		once := l.Encode()
		again, err := Parse("x.lock", once)
		if err != nil {
			t.Fatalf("Parse(Encode(Parse(%q))): %v", s, err)
		}
		if diff := cmp.Diff(string(once), string(again.Encode())); diff != "" {
			t.Errorf("Encode is not stable (-once +again):\n%s", diff)
		}
	})
}
