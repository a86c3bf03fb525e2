package advice

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
	"reprise/internal/config"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestMain(m *testing.M) {
	config.EvalMain()
	os.Exit(m.Run())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

var servers = map[string]Server{"jack": JACK, "pipewire": PipeWire}

// facts are those of the machines that package hwdetect describes.
func facts(t testing.TB) map[string]*hwdetect.Facts {
	t.Helper()
	files, err := filepath.Glob("../testdata/machines/*.golden.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d machines: %v", len(files), err)
	}
	all := map[string]*hwdetect.Facts{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f := &hwdetect.Facts{}
		if err := json.Unmarshal(data, f); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".golden.json")] = f
	}
	return all
}

func TestGolden(t *testing.T) {
	all := facts(t)
	for _, name := range []string{"no-modules-yet", "nothing-known", "via-asm1083-zen"} {
		all[name] = machines()[name]
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, server := range slices.Sorted(maps.Keys(servers)) {
			a := Advise(all[name], Wants{Server: servers[server]})
			golden(t, "testdata/"+name+"."+server+".jsonnet", string(a.Jsonnet()))
			if server == "jack" {
				golden(t, "testdata/"+name+".txt", a.Text())
			}
		}
	}
}

// base is what a server's settings need, besides a profile's own tuning.
var base = map[Server]string{
	JACK:     "(import 'reprise/live-rig.jsonnet')",
	PipeWire: "{ musnix: { enable: true, kernel: { realtime: true } }, services: { pipewire: { enable: true } }, users: { users: { rig: { extraGroups: ['audio'] } } } }",
	NoServer: "{ musnix: { enable: true } }",
}

// evaluate joins texts to a profile.
func evaluate(t *testing.T, server Server, texts ...string) (*config.Config, error) {
	t.Helper()
	dir := t.TempDir()
	program := base[server]
	for i, text := range texts {
		name := "hardware" + string(rune('0'+i)) + ".jsonnet"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		program += " + (import '" + name + "')"
	}
	file := filepath.Join(dir, "configuration.jsonnet")
	if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	return config.Evaluate(t.Context(), file, config.EvalOptions{})
}

func TestJsonnetEvaluates(t *testing.T) {
	all := machines()
	maps.Copy(all, facts(t))
	for name, f := range all {
		for _, server := range []Server{JACK, PipeWire, NoServer} {
			text := string(Advise(f, Wants{Server: server}).Jsonnet())
			if _, err := evaluate(t, server, text); err != nil {
				t.Errorf("%s with %q: %v\n%s", name, server, err, text)
			}
			for line := range strings.Lines(text) {
				if len([]rune(strings.TrimSuffix(line, "\n"))) > columns && !strings.HasPrefix(line, "// + ") {
					t.Errorf("%s with %q: a line is longer than %d columns: %s", name, server, columns, line)
				}
			}
		}
	}
}

func TestReference(t *testing.T) { golden(t, "../../docs/advice.md", Reference()) }
