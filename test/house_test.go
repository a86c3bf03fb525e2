package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// pure are the packages that decide: values in, values out.
var pure = []string{"hwdetect/advice", "image/iso9660", "image/layout", "installer/answers", "installer/latency", "installer/plan", "internal/bootentry", "internal/bootmenu", "internal/diag", "internal/layer", "internal/lock", "internal/recipe", "internal/resolve", "internal/systemdiff", "internal/tuning", "internal/unitdiff", "store/drv", "store/storepath"}

// TestHouse holds that the table of docs/architecture.md has every package, or
// the one above it, that what it has is there, and which it calls pure.
func TestHouse(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, house, found := strings.Cut(string(text), "\n| folder | what lives there | pure |\n")
	if !found {
		t.Fatal("docs/architecture.md has no table of folders")
	}
	var told, toldPure []string
	for line := range strings.Lines(house) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 {
			break // the table's end
		}
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			told = append(told, name[1])
			if strings.TrimSpace(cells[3]) == "yes" {
				toldPure = append(toldPure, name[1])
			}
		}
	}
	slices.Sort(toldPure)
	if diff := cmp.Diff(pure, toldPure); diff != "" {
		t.Errorf("pure packages (-the test +docs/architecture.md):\n%s", diff)
	}
	for _, name := range told {
		if info, err := os.Stat(filepath.Join("..", name)); err != nil || !info.IsDir() {
			t.Errorf("docs/architecture.md has %q, which is no folder", name)
		}
	}
	for _, p := range packages(t) {
		if name := strings.TrimPrefix(p.ImportPath, "reprise/"); nearest(name, told) == "" {
			t.Errorf("docs/architecture.md does not have %q", name)
		}
	}
}

// nearest returns which of names is name or the closest folder above it.
func nearest(name string, names []string) (best string) {
	for _, n := range names {
		if (name == n || strings.HasPrefix(name, n+"/")) && len(n) > len(best) {
			best = n
		}
	}
	return best
}

// TestPureTouchesNothing holds that deciding reads no disk and no network.
func TestPureTouchesNothing(t *testing.T) {
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
		"github.com/hashicorp/go-retryablehttp": {"internal/archive", "installer"},
		"github.com/vbauerster/mpb":             {"internal/progress"},
		"zombiezen.com/go/sqlite":               {"store"},
		"github.com/cavaliergopher/cpio":        {"initrd/build", "internal/vm/vmtest"},
		"github.com/u-root/u-root":              {"initrd", "internal/rootmount"},
		"mvdan.cc/sh":                           {"initrd/rescue", "internal/effect/machine/maint"},
		"github.com/spf13/cobra":                {"cmd/reprise"},
		"github.com/jaypipes":                   {"hwdetect"},
		"charm.land":                            {"tui"},
		"github.com/coreos/go-systemd":          {"internal/systemd"},
		"github.com/godbus/dbus":                {"internal/systemd"},
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
		{"store", "store/generation", "store/storetest", "store/sandbox", "internal/lock", "internal/resolve", "internal/systemdiff", "internal/archive", "internal/activation", "internal/compose", "internal/bootentry", "internal/bootmenu", "image/layout", "profiles", "initrd/kmod", "initrd/blockdev", "initrd/devmapper", "initrd/luks", "initrd/network"},
		{"store/realise", "internal/config", "internal/rootmount", "internal/growroot", "internal/passwdtool", "internal/sha256sums", "initrd/build", "initrd/loopdev", "hwdetect", "initrd/rescue", "internal/toolbox", "internal/vm", "image", "internal/builder/spec", "internal/esp"},
		{"internal/effect", "internal/flash", "internal/liveroot", "internal/unitdiff", "initrd/stage1"},
		{"internal/builder", "internal/recipe", "internal/systemd", "internal/tuning"},
		{"installer"},
		{"tui"},
		{"cmd/reprise"},
		{"test"},
	}
	floorOf := map[string]int{}
	var named []string
	for n, names := range floors {
		for _, name := range names {
			floorOf[name] = n
			named = append(named, name)
		}
	}
	all := packages(t)
	for _, name := range named {
		if !slices.ContainsFunc(all, func(p goPackage) bool { return p.ImportPath == "reprise/"+name }) {
			t.Errorf("there is no package %s for its floor", name)
		}
	}
	for _, p := range all {
		name := strings.TrimPrefix(p.ImportPath, "reprise/")
		home := nearest(name, named)
		if home == "" {
			t.Errorf("%s stands on no floor", name)
			continue
		}
		if home == "store" && name != home {
			t.Errorf("%s needs a floor of its own: store is no folder above, but a package beside", name)
		}
		for _, i := range p.Imports {
			below, ok := strings.CutPrefix(i, "reprise/")
			if other := nearest(below, named); ok && other != "" && floorOf[other] > floorOf[home] {
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
