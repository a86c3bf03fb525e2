package answers

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("a.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestExample(t *testing.T) {
	f := parse(t, Example)
	want := Answers{
		Version: 1, Profile: "live-rig", Disk: List{"S4EWNX0R123456"}, Erase: List{"S4EWNX0R123456"},
		FileSystem: "ext4", Encryption: "none", Host: "rig-%02d", Machines: []string{"52:54:00:12:34:56", "52:54:00:12:34:57"},
		User:     &User{Name: "rig", FullName: "Live rig", Keys: f.User.Keys},
		TimeZone: "Europe/Berlin", Locale: "de_DE.UTF-8", KeyMap: "de-latin1",
		Network: &Network{"enp3s0", "192.168.7.2/24", "192.168.7.1", []string{"192.168.7.1"}}, Then: "reboot",
	}
	if d := cmp.Diff(want, f.Answers); d != "" {
		t.Error(d)
	}
	if len(f.User.Keys) != 1 {
		t.Errorf("keys are %q", f.User.Keys)
	}
	// Every answer that there is stands in it, in use or as a comment.
	data, err := json.Marshal(Answers{PassphraseFile: "x", EraseMember: true, Machines: []string{"x"}, User: &User{FullName: "x", PasswordHash: "x", Keys: []string{"x"}},
		TimeZone: "x", Locale: "x", KeyMap: "x", Network: &Network{Gateway: "x", NameServers: []string{"x"}}, Measure: 30})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(data), `"`) {
		if len(part) > 2 && !strings.ContainsAny(part, ":,[]{}") && !strings.Contains(Example, `"`+part+`":`) {
			t.Errorf("the example does not show %q", part)
		}
	}
}

func TestEncode(t *testing.T) {
	f := parse(t, Example)
	data, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(f.Answers, parse(t, string(data)).Answers); d != "" {
		t.Error(d)
	}
}

// TestProblems compares what is said of bad files with files beside them.
func TestProblems(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.json")
	if err != nil || len(inputs) == 0 {
		t.Fatal("no inputs", err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			data, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(input), data)
			if err == nil {
				t.Fatal("no problem was found")
			}
			golden := strings.TrimSuffix(input, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err2 := os.ReadFile(golden)
			if err2 != nil {
				t.Fatal(err2)
			}
			if d := cmp.Diff(string(want), err.Error()+"\n"); d != "" {
				t.Error(d)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a password is shown:\n%v", err)
			}
		})
	}
}

func TestHostName(t *testing.T) {
	box := Box{MACs: []string{"52:54:00:AB:cd:ef", "52:54:00:00:00:02"}, Serial: "PF-3X Y/9", DiskSerial: "S4EWNX0R"}
	machines := []string{"52-54-00-00-00-01", "52:54:00:00:00:02", "PF-3X Y/9"}
	for _, test := range []struct{ pattern, want string }{
		{"studio", "studio"},
		{"rig-%02d", "rig-02"},
		{"rig-%d", "rig-2"},
		{"rig-{mac}", "rig-abcdef"},
		{"rig-{serial}", "rig-pf-3x-y-9"},
		{"{disk}", "s4ewnx0r"},
	} {
		got, p := Answers{Host: test.pattern, Machines: machines}.HostName(box)
		if p != nil || got != test.want {
			t.Errorf("%q is %q, %v; want %q", test.pattern, got, p, test.want)
		}
	}
	for _, test := range []struct {
		pattern string
		box     Box
	}{
		{"rig-%02d", Box{MACs: []string{"52:54:00:00:00:99"}}},
		{"rig-{mac}", Box{}},
		{"rig-{serial}", Box{Serial: " -- "}},
		{"rig-{disk}", Box{}},
		{"rig-{dsik}", box},
		{strings.Repeat("x", 60) + "-{mac}", box},
	} {
		if got, p := (Answers{Host: test.pattern, Machines: machines}).HostName(test.box); p == nil {
			t.Errorf("%q is %q", test.pattern, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(Example))
	f.Add([]byte(`{"a": [1, {"b": null}], } // x`))
	f.Add([]byte("\ufeff{/* */}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("x", data)
		if err != nil {
			return
		}
		text, err := file.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("x", text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if d := cmp.Diff(file.Answers, again.Answers); d != "" {
			t.Error(d)
		}
	})
}

func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		text string
		want Seconds
		ok   bool
	}{
		{"true", 30, true}, {"false", 0, true}, {"1", 1, true}, {"30", 30, true}, {"3600", 3600, true}, {"null", 0, true},
		{"0", 0, false}, {"3601", 0, false}, {"-1", 0, false}, {"1.5", 0, false}, {"1e300", 0, false}, {`"true"`, 0, false}, {"[10]", 0, false}, {"{}", 0, false},
	} {
		f, err := Parse("a.json", []byte(strings.Replace(Example, `"measure": false`, `"measure": `+c.text, 1)))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if !c.ok {
			if !strings.Contains(err.Error(), "measure is ") || !strings.Contains(err.Error(), "from 1 to 3600") {
				t.Errorf("%s: %v", c.text, err)
			}
			continue
		}
		data, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if again := parse(t, string(data)).Measure; f.Measure != c.want || again != c.want {
			t.Errorf("%s: %d, and written and read %d", c.text, f.Measure, again)
		}
	}
}
