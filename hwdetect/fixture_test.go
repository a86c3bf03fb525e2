package hwdetect_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
	"reprise/hwdetect/fixture"
	"reprise/hwdetect/systree"
	"reprise/initrd/kmod"
)

var update = flag.Bool("update", false, "write the golden files")

// index is the extract of a kernel's module index in testdata.
func index(t testing.TB) *kmod.Index {
	t.Helper()
	x, err := kmod.Read(os.DirFS("testdata/modules"))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func tree(t testing.TB, machine string) *systree.Tree {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/machines", machine+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := fixture.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// facts reads a machine of testdata.
func facts(t testing.TB, machine string) *hwdetect.Facts {
	t.Helper()
	f, err := hwdetect.Read(tree(t, machine), hwdetect.Options{Modules: index(t)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func machines(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/machines/*.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d machines in testdata, want 30 and more (%v)", len(files), err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".txt"))
	}
	return names
}

func encode(t testing.TB, f *hwdetect.Facts) []byte {
	t.Helper()
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func TestMachines(t *testing.T) {
	for _, name := range machines(t) {
		t.Run(name, func(t *testing.T) {
			got := encode(t, facts(t, name))
			golden := filepath.Join("testdata/machines", name+".golden.json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("facts differ (-want +got):\n%s", d)
			}
		})
	}
}

// TestSnapshotGivesTheSameFacts packs every machine and reads it back.
func TestSnapshotGivesTheSameFacts(t *testing.T) {
	for _, name := range machines(t) {
		t.Run(name, func(t *testing.T) {
			o := hwdetect.PackOptions{Options: hwdetect.Options{Modules: index(t)}, Serials: true}
			var first, second bytes.Buffer
			for _, b := range []*bytes.Buffer{&first, &second} {
				if err := hwdetect.Pack(b, tree(t, name), o); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(first.Bytes(), second.Bytes()) {
				t.Error("packed twice, different bytes")
			}
			if first.Len() > 64<<10 {
				t.Errorf("the snapshot has %d bytes", first.Len())
			}
			snapshot, err := hwdetect.OpenSnapshot(&first)
			if err != nil {
				t.Fatal(err)
			}
			got, err := hwdetect.Read(snapshot, hwdetect.Options{Modules: index(t)})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(facts(t, name), got); d != "" {
				t.Errorf("facts of the snapshot differ (-machine +snapshot):\n%s", d)
			}
		})
	}
}
