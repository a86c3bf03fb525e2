package bootmenu

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGRUB(t *testing.T) {
	got, err := GRUB(Options{
		Label: "REPRISE", Params: []string{"quiet"},
		Live: []System{
			{Name: "studio", Path: "/nix/store/00000000000000000000000000000000-system-studio", Params: []string{"preempt=full", "threadirqs"}},
			{Name: "live-rig", Path: "/nix/store/00000000000000000000000000000001-system-rig", Kernel: "boot/live-rig/kernel", Initrd: "boot/live-rig/initrd"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/grub.cfg"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("grub.cfg (-want +got):\n%s", diff)
	}
}

func TestGRUBTellsEveryProblem(t *testing.T) {
	_, err := GRUB(Options{
		Label: "my stick", Timeout: -1, Params: []string{"a b", "", "x='y'", "reprise.mode=live", AccessibleParam, strings.Repeat("z", 2048)},
		Live: []System{{Name: "bad name", Path: "no/path", Params: []string{"tab\t"}, Kernel: "/boot/'k"}, {Name: "a", Path: "/p"}, {Name: "a", Path: "/p"}},
	})
	for _, want := range []string{
		`label "my stick"`, "-1 seconds", `parameter "a b"`, `parameter ""`, `"x='y'"`, `"reprise.mode=live" is set`, `"reprise.accessible" is set`,
		`system "bad name": want`, `path "no/path"`, `system "bad name": kernel parameter "tab\t"`, `system "a" is there twice`, `file "/boot/'k"`, "wants an initramfs of its own", `kernel line of "Rescue shell"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}
