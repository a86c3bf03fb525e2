package test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "reprise/...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// TestPureTouchesNothing holds that deciding reads no disk and no network.
func TestPureTouchesNothing(t *testing.T) {
	pure := []string{"store/storepath", "store/drv", "image/layout", "image/iso9660", "internal/bootentry", "internal/bootmenu", "internal/resolve", "internal/lock", "internal/recipe", "internal/layer", "internal/diag", "hwdetect/advice", "installer/answers", "installer/plan"}
	doing := []string{"os", "os/exec", "net", "net/http", "syscall", "golang.org/x/sys/unix"}
	seen := 0
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "reprise/")
		if !slices.Contains(pure, name) {
			continue
		}
		seen++
		for _, i := range p.Imports {
			if slices.Contains(doing, i) {
				t.Errorf("%s is pure and imports %s", name, i)
			}
		}
	}
	if seen != len(pure) {
		t.Errorf("found %d of the %d pure packages", seen, len(pure))
	}
}

// TestLibrariesLiveInOnePackage holds that each outside library is used in one
// place, so that it can be replaced there.
func TestLibrariesLiveInOnePackage(t *testing.T) {
	home := map[string][]string{
		"github.com/google/go-jsonnet":          {"internal/config"},
		"github.com/diskfs/go-diskfs":           {"image", "internal/growroot", "initrd/stage1/boottest"},
		"github.com/erofs/go-erofs":             {"internal/compose"},
		"github.com/ProtonMail/go-crypto":       {"internal/archive"},
		"github.com/hashicorp/go-retryablehttp": {"internal/archive"},
		"github.com/vbauerster/mpb":             {"internal/progress"},
		"zombiezen.com/go/sqlite":               {"store"},
		"github.com/cavaliergopher/cpio":        {"initrd/build"},
		"github.com/u-root/u-root":              {"initrd", "internal/rootmount"},
		"mvdan.cc/sh":                           {"initrd/rescue", "internal/effect/machine/maint"},
		"github.com/spf13/cobra":                {"cmd/reprise"},
		"github.com/jaypipes":                   {"hwdetect"},
		"charm.land":                            {"tui"},
	}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "reprise/")
		for _, i := range p.Imports {
			for library, homes := range home {
				if strings.HasPrefix(i, library) && !slices.ContainsFunc(homes, func(h string) bool { return name == h || strings.HasPrefix(name, h+"/") }) {
					t.Errorf("%s imports %s, whose home is %s", name, i, strings.Join(homes, ", "))
				}
			}
		}
	}
}

// TestImportsGoDown holds the order of the house: a package imports only from
// its own floor or those below.
func TestImportsGoDown(t *testing.T) {
	floors := [][]string{
		{"internal/diag", "internal/progress", "internal/atomicfile", "internal/layer", "store/storepath"},
		{"store/nar", "store/drv", "store/tree", "internal/deb"},
		{"store", "store/generation", "store/sandbox", "internal/lock", "internal/resolve", "internal/archive", "internal/activation", "internal/compose", "internal/bootentry", "internal/bootmenu", "image/layout", "profiles", "initrd/kmod"},
		{"store/realise", "internal/config", "internal/rootmount", "internal/growroot", "internal/sha256sums", "initrd/build", "initrd/blockdev", "hwdetect", "initrd/loopdev", "internal/toolbox", "internal/vm", "image", "internal/builder/spec"},
		{"internal/effect", "internal/flash", "initrd/stage1"},
		{"internal/builder", "internal/recipe"},
		{"installer"},
		{"tui"},
		{"cmd/reprise"},
	}
	floor := func(p string) int {
		best, length := -1, 0
		for n, names := range floors {
			for _, name := range names {
				if (p == name || strings.HasPrefix(p, name+"/")) && len(name) > length {
					best, length = n, len(name)
				}
			}
		}
		return best
	}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "reprise/")
		for _, i := range p.Imports {
			below, ok := strings.CutPrefix(i, "reprise/")
			if !ok || floor(name) < 0 || floor(below) < 0 {
				continue
			}
			if floor(below) > floor(name) {
				t.Errorf("%s imports %s, which is above it", name, below)
			}
		}
	}
}

// TestNothingActsBeforeMain holds libraries out of the program that start
// programs or look for them by the environment when they are loaded: it is
// setuid root in one of its roles, see package passwdtool. lipgloss runs tmux
// from PATH, clipboard looks for programs there; huh and bubbles bring both.
func TestNothingActsBeforeMain(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "reprise/cmd/reprise")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(out)) {
		for _, bad := range []string{"charm.land/lipgloss", "charm.land/huh", "charm.land/bubbles/", "github.com/charmbracelet/lipgloss", "github.com/atotto/clipboard"} {
			if strings.HasPrefix(name, bad) {
				t.Errorf("the program has %s in it", strings.TrimSpace(name))
			}
		}
	}
}
