package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/hwdetect"
	"reprise/hwdetect/advice"
	"reprise/initrd/stage1"
	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/config"
	"reprise/internal/lock"
	"reprise/internal/recipe"
	"reprise/profiles"
)

// mediumWith is the directory of a medium that carries every profile, with a
// lock of what each asks for and of more packages.
func mediumWith(t *testing.T, more ...string) (string, *plan.Medium) {
	t.Helper()
	dir, about := t.TempDir(), &plan.Medium{Version: plan.MediumVersion}
	if err := os.MkdirAll(filepath.Join(dir, filesDir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range profiles.Names() {
		cfg, err := config.Evaluate(t.Context(), name, config.EvalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		l := &lock.Lock{Architecture: architecture, Sets: recipe.MediumSets(cfg),
			Archive: []lock.Suite{{Name: "trixie", Date: time.Date(2026, 9, 12, 0, 0, 0, 0, time.UTC), InReleaseSHA256: strings.Repeat("0", 64)}}}
		add := func(set string, names ...string) {
			for _, name := range names {
				if at := slices.IndexFunc(l.Packages, func(p lock.Package) bool { return p.Name == name }); at >= 0 {
					if !slices.Contains(l.Packages[at].Sets, set) {
						l.Packages[at].Sets = append(l.Packages[at].Sets, set)
					}
					continue
				}
				l.Packages = append(l.Packages, lock.Package{Name: name, Version: "1", Architecture: architecture, Suite: "trixie",
					Path: "pool/" + name + ".deb", Size: 1, SHA256: fmt.Sprintf("%064x", len(l.Packages)), Sets: []string{set}})
			}
		}
		add(recipe.SystemSet, cfg.Roots()...)
		add(recipe.SystemSet, more...)
		for _, set := range l.Sets {
			if set.Name != recipe.SystemSet {
				add(set.Name, set.Roots...)
			}
		}
		file := filesDir + name + ".lock"
		if err := os.WriteFile(filepath.Join(dir, file), l.Encode(), 0o644); err != nil {
			t.Fatal(err)
		}
		about.Systems = append(about.Systems, plan.System{Name: name, Configuration: name, Lock: file})
	}
	return dir, about
}

// TestEveryMachine writes /etc/reprise for each described machine and each
// profile, from a medium with little and from one with all that advice may ask
// for: the evaluator takes it, it wants nothing that the medium lacks, the lock
// that goes along serves it, and there is one kernel.
func TestEveryMachine(t *testing.T) {
	files, err := filepath.Glob("../../hwdetect/testdata/machines/*.golden.json")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d machines: %v", len(files), err)
	}
	// Either kernel, never both: a system has one.
	everything := slices.DeleteFunc(advice.Packages(), func(p string) bool { return strings.HasPrefix(p, "linux-image-") })
	// Advice from a medium with little is a part of that from one with all.
	few := []string{"gpu-nvidia-4070ti-rt", "fw-via-asm1083-ryzen3700x-lightbridge", "fw-ricoh-w530-motu828mk3", "pci-dual-delta1010lt", "usb-motu-m4"}
	for carried, more := range map[string][]string{"little": nil, "everything": everything} {
		dir, about := mediumWith(t, more...)
		base := &installation{medium: stage1.Medium{Dir: dir}, carried: about}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".golden.json")
			if carried == "little" && !slices.Contains(few, name) {
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			facts := &hwdetect.Facts{}
			if err := json.Unmarshal(data, facts); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for n := range about.Systems {
				s := &about.Systems[n]
				t.Run(carried+"/"+s.Name+"/"+name, func(t *testing.T) {
					t.Parallel()
					a := answers.Default()
					a.User = &answers.User{Name: "anna", Keys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX a"}}
					cfg, err := base.evaluated(t.Context(), s)
					if err != nil {
						t.Fatal(err)
					}
					i := &installation{medium: base.medium, carried: about, systems: map[string]*config.Config{s.Name: cfg}}
					i.facts.Store(facts)
					written, err := i.configuration(t.Context(), &plan.Plan{System: s.Name, Host: "box", Answers: a})
					if err != nil {
						t.Fatal(err)
					}
					own, l, err := judged(t.Context(), written)
					if err != nil {
						t.Fatalf("%v in\n%s\n%s", err, written[installer.ConfigurationFile], written[plan.HardwareFile])
					}
					if own.Networking.HostName != "box" {
						t.Errorf("the host is %q", own.Networking.HostName)
					}
					if !serves(machineLock(l, own), recipe.Sets(own)) {
						t.Error("the machine's lock does not serve its configuration")
					}
					kernels := 0
					for _, root := range own.Roots() {
						if strings.HasPrefix(root, "linux-image-") {
							kernels++
						}
					}
					if kernels != 1 {
						t.Errorf("%d kernels are asked for: %q", kernels, own.Roots())
					}
				})
			}
		}
	}
}
