package installer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/activation"
	"reprise/internal/progress"
	"reprise/store"
	"reprise/store/generation"
	"reprise/store/storepath"
)

func makePlan(t testing.TB, w *world) *plan.Plan {
	t.Helper()
	p, err := plan.Make(w.request)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// check says what is wrong with a finished installation.
func check(t *testing.T, w *world, target *fileTarget) {
	t.Helper()
	if target.mounted || target.mapped {
		t.Error("the root is mounted still")
	}
	s, err := store.Open(t.Context(), target.root)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, err := s.Verify(t.Context(), store.VerifyOptions{Contents: true})
	if err != nil || len(found) > 0 {
		t.Errorf("the store: %v, %v", found, err)
	}
	profile, err := generation.Of(s, "system")
	if err != nil {
		t.Fatal(err)
	}
	gens, err := profile.List()
	if err != nil || len(gens) != 1 || gens[0].Number != 1 || !gens[0].Current || gens[0].Path != w.medium.Systems[0].Path {
		t.Errorf("generations are %v, %v", gens, err)
	}
	if got, err := s.Closure(t.Context(), w.medium.Systems[0].Path); err != nil || !slices.Equal(got, w.medium.Systems[0].Closure) {
		t.Errorf("closure: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(target.root, ConfigurationDir, ConfigurationFile)); err != nil || !strings.Contains(string(text), "live-rig") {
		t.Errorf("the configuration is %q, %v", text, err)
	}
	shadow, err := os.ReadFile(filepath.Join(target.root, activation.Shadow))
	if err != nil || !strings.HasPrefix(string(shadow), "rig:$6$abcdefgh$xx") {
		t.Errorf("shadow is %q, %v", shadow, err)
	}
	if data, err := os.ReadFile(filepath.Join(target.root, PlanFile)); err != nil || bytes.Contains(data, []byte("$6$")) {
		t.Errorf("the plan on the machine: %v; no hash may be in it", err)
	}
	if _, err := os.Stat(filepath.Join(target.root, stateDir)); err == nil {
		t.Error("the list of the copy was left")
	}
}

// content is a hash of what an installation wrote to the disk: the first MiB, the
// boot partition without the journal, the EFI system partition, the last MiB.
func content(t testing.TB, target *fileTarget) string {
	t.Helper()
	h := sha256.New()
	p := target.plan
	block, zeros := make([]byte, 64<<10), make([]byte, 64<<10)
	for _, span := range [][2]int64{
		{0, 1 << 20}, {p.Table.BIOSBoot.Offset(), p.Table.BIOSBoot.Bytes() - journalBytes},
		{p.Table.ESP.Offset(), p.Table.ESP.Bytes()}, {p.Disk.SizeBytes - 1<<20, 1 << 20},
	} {
		for at := span[0]; at < span[0]+span[1]; at += int64(len(block)) {
			data, err := unix.Seek(int(target.disk.Fd()), at, unix.SEEK_DATA)
			if err != nil || data >= span[0]+span[1] {
				break
			}
			at = max(at, data/int64(len(block))*int64(len(block)))
			n, err := target.disk.ReadAt(block, at)
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if !bytes.Equal(block[:n], zeros[:n]) {
				fmt.Fprintln(h, at)
				h.Write(block[:n])
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestInstall(t *testing.T) {
	w := makeWorld(t)
	p := makePlan(t, w)
	target := w.target(t, p)
	job := w.job(p, target)
	job.Log, job.Timeout = filepath.Join(t.TempDir(), "install.log"), 7
	if err := os.WriteFile(job.Log, []byte("step copy-store: done\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	job.Report = Lines(&lines)
	result, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result.System != w.medium.Systems[0].Path || result.Generation != 1 || result.Before {
		t.Errorf("result is %+v", result)
	}
	check(t, w, target)
	if log, err := os.ReadFile(filepath.Join(target.root, LogFile)); err != nil || string(log) != "step copy-store: done\n" {
		t.Errorf("the log on the machine is %q, %v", log, err)
	}
	esp := make([]byte, 16<<20) // the first of it: there is little else
	if _, err := target.disk.ReadAt(esp, p.Table.ESP.Offset()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"timeout 7\ndefault ", "timeout=7\n"} { // of systemd-boot, of GRUB
		if !bytes.Contains(esp, []byte(want)) {
			t.Errorf("no boot menu has %q", want)
		}
	}
	const want = `reprise-install: step=check-medium status=started
reprise-install: step=check-medium status=done
reprise-install: step=partition status=started
reprise-install: step=partition status=done
reprise-install: step=make-file-systems status=started
reprise-install: step=make-file-systems status=done
reprise-install: step=mount status=started
reprise-install: step=mount status=done
reprise-install: step=copy-store status=started
reprise-install: step=copy-store status=done
reprise-install: step=register-store status=started
reprise-install: step=register-store status=done
reprise-install: step=write-configuration status=started
reprise-install: step=write-configuration status=done
reprise-install: step=install-boot-loaders status=started
reprise-install: step=install-boot-loaders status=done
reprise-install: step=write-entry status=started
reprise-install: step=write-entry status=done
reprise-install: step=finish status=started
reprise-install: step=finish status=done
`
	if d := cmp.Diff(want, lines.String()); d != "" {
		t.Error(d)
	}

	// A stick that was left in the machine does nothing.
	before := content(t, target)
	if err := os.WriteFile(filepath.Join(target.root, "home/song"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	result, err = w.job(p, target).Run(t.Context())
	if err != nil || !result.Before {
		t.Errorf("again: %+v, %v", result, err)
	}
	if _, err := os.Stat(filepath.Join(target.root, "home/song")); err != nil || before != content(t, target) {
		t.Errorf("a finished installation was done again: %v", err)
	}
	// But somebody may want it.
	job = w.job(p, target)
	job.Again = true
	if result, err := job.Run(t.Context()); err != nil || result.Before {
		t.Errorf("again: %+v, %v", result, err)
	}
	if _, err := os.Stat(filepath.Join(target.root, "home/song")); err == nil {
		t.Error("installed again, and the old files are there")
	}
	check(t, w, target)
}

// TestFailingWrites lets each operation on the disk fail, one a run, and
// installs again: the result is that of a run without failures.
func TestFailingWrites(t *testing.T) { everyFault(t, eio) }

// TestPowerCuts cuts the power at each operation on the disk. What was not
// synced reaches it in part, or not; and in the root file system, files that
// were not synced are cut short.
func TestPowerCuts(t *testing.T) { everyFault(t, errCut) }

func everyFault(t *testing.T, fault error) {
	w := makeWorld(t)
	p := makePlan(t, w)
	reference := w.target(t, p)
	if _, err := w.job(p, reference).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, total := content(t, reference), reference.ops
	if total < 25 {
		t.Fatalf("only %d operations", total)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
	for k := 1; k <= total; k++ {
		target := w.target(t, p)
		kind := ""
		target.fault = func(op int, what string) error {
			if op == k {
				kind = what
				return fault
			}
			return nil
		}
		_, err := w.job(p, target).Run(t.Context())
		name := fmt.Sprintf("operation %d of %d (%s)", k, total, kind)
		if err == nil && kind != "open" { // that the journal cannot be opened is no failure
			t.Errorf("%s: the run did not notice", name)
		}
		var step *StepError
		if err != nil && !errors.As(err, &step) {
			t.Errorf("%s: %v is no StepError", name, err)
		} else if err != nil && (step.Do == "" || step.Log == "" || step.Device != "/dev/vda") {
			t.Errorf("%s: %v says too little", name, err)
		}
		if target.mounted {
			t.Errorf("%s: the root is mounted still", name)
		}
		if errors.Is(fault, errCut) {
			loseUnsynced(t, target)
		}
		target.fault, target.cutOff, target.pending = nil, false, nil
		if _, err := w.job(p, target).Run(t.Context()); err != nil {
			t.Errorf("%s: the rerun: %v", name, err)
			continue
		}
		if want != content(t, target) {
			t.Errorf("%s: the disk has other content than that of an undisturbed run", name)
		}
		check(t, w, target)
	}
	if data, err := os.ReadFile(other); err != nil || string(data) != want {
		t.Error("another disk has changed")
	}
}

// loseUnsynced cuts files of the root short that no sync has covered: those of
// paths that the list does not have, unless they are registered.
func loseUnsynced(t *testing.T, target *fileTarget) {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(target.root, copied))
	if err != nil {
		return // nothing is copied, or all is registered
	}
	paths, err := filepath.Glob(filepath.Join(target.root, "nix/store/*/*/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range paths {
		below, err := filepath.Rel(filepath.Join(target.root, "nix/store"), file)
		if err != nil {
			t.Fatal(err)
		}
		base, _, _ := strings.Cut(below, "/")
		if !strings.Contains(string(list), base) {
			if err := errors.Join(os.Chmod(file, 0o644), os.Truncate(file, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCutAtEachStep stops a run at the beginning and at the end of each step.
func TestCutAtEachStep(t *testing.T) {
	w := makeWorld(t)
	w.request.Answers.Encryption = answers.LUKS2
	p := makePlan(t, w)
	want := ""
	for _, status := range []Status{Started, Done} {
		for _, step := range p.Steps {
			target := w.target(t, p)
			ctx, cancel := context.WithCancel(t.Context())
			job := w.job(p, target)
			job.Passphrase = []byte("correct horse")
			job.Report = func(name plan.Name, s Status) {
				if name == step.Name && s == status {
					cancel()
				}
			}
			_, err := job.Run(ctx)
			cancel()
			if err == nil && (step.Name != plan.Finish || status != Done) {
				// A step that does not wait may still be done; the next one is not.
				if step.Name != plan.Finish {
					t.Errorf("%s %s: the run went on", step.Name, status)
				}
			}
			if target.mounted || target.mapped {
				t.Errorf("%s %s: something is mounted still", step.Name, status)
			}
			var kept []plan.Name
			job = w.job(p, target)
			job.Passphrase = []byte("correct horse")
			job.Report = func(name plan.Name, s Status) {
				if s == Kept {
					kept = append(kept, name)
				}
			}
			if _, err := job.Run(t.Context()); err != nil {
				t.Fatalf("%s %s: the rerun: %v", step.Name, status, err)
			}
			if step.Name == plan.RegisterStore && status == Started && !slices.Contains(kept, plan.CopyStore) {
				t.Errorf("what was copied is copied again: kept %v", kept)
			}
			check(t, w, target)
			if got := content(t, target); want == "" {
				want = got
			} else if want != got {
				t.Errorf("%s %s: the disk has other content", step.Name, status)
			}
		}
	}
}

// TestCutInTheCopy stops at moments of the copy.
func TestCutInTheCopy(t *testing.T) {
	w := makeWorld(t)
	p := makePlan(t, w)
	for moment := range int64(20) {
		target := w.target(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		job := w.job(p, target)
		sink := &stopping{Sink: progress.Discard, stop: cancel}
		sink.left.Store(p.Copy.Bytes * moment / 20)
		job.Sink = sink
		if _, err := job.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("moment %d: %v", moment, err)
		}
		cancel()
		loseUnsynced(t, target)
		if _, err := w.job(p, target).Run(t.Context()); err != nil {
			t.Errorf("moment %d: the rerun: %v", moment, err)
		}
		check(t, w, target)
	}
}

// stopping stops after so many bytes of a copy.
type stopping struct {
	progress.Sink
	left atomic.Int64
	stop func()
}

func (s *stopping) Start(name string, unit progress.Unit, total int64) progress.Task {
	if !strings.HasPrefix(name, "copy ") {
		return s.Sink.Start(name, unit, total)
	}
	return &stoppingTask{s.Sink.Start(name, unit, total), s}
}

type stoppingTask struct {
	progress.Task
	*stopping
}

func (t *stoppingTask) Add(n int64) {
	if t.left.Add(-n) <= 0 {
		t.stop()
	}
}

func TestDamagedMedium(t *testing.T) {
	w := makeWorld(t)
	p := makePlan(t, w)
	file := filepath.Join(w.source.Store, w.medium.Systems[0].Closure[3].Base())
	var victim string
	err := filepath.WalkDir(file, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			victim = name
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(victim)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 1
	for _, change := range []func() error{
		func() error { return errors.Join(os.Chmod(victim, 0o644), os.WriteFile(victim, bad, 0o444)) },
		func() error { return errors.Join(os.Chmod(filepath.Dir(victim), 0o755), os.Remove(victim)) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		target := w.target(t, p)
		_, err = w.job(p, target).Run(t.Context())
		var step *StepError
		if !errors.As(err, &step) || step.Step != plan.CopyStore || !strings.Contains(err.Error(), "the medium is damaged") {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(filepath.Join(target.root, "nix/var/nix/db")); err == nil {
			t.Error("something was registered")
		}
	}
	// The whole path is away: the stick was pulled out.
	if err := errors.Join(os.Chmod(file, 0o755), os.Rename(file, file+"-gone")); err != nil {
		t.Fatal(err)
	}
	_, err = w.job(p, w.target(t, p)).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "was it pulled out?") {
		t.Errorf("%v", err)
	}
}

func TestAnotherDisk(t *testing.T) {
	w := makeWorld(t)
	p := makePlan(t, w)
	for name, change := range map[string]func(*plan.Disk){
		"serial": func(d *plan.Disk) { d.Serial = "OTHER" },
		"size":   func(d *plan.Disk) { d.SizeBytes++ },
		"medium": func(d *plan.Disk) { d.Medium = true },
		"use":    func(d *plan.Disk) { d.Uses = []plan.Use{{Device: "/dev/vda1", Kind: plan.UseMount, By: "/mnt"}} },
	} {
		target := w.target(t, p)
		before := content(t, target)
		change(&target.about)
		if _, err := w.job(p, target).Run(t.Context()); err == nil {
			t.Errorf("%s: the disk was taken", name)
		}
		if before != content(t, target) {
			t.Errorf("%s: something was written", name)
		}
		// While the medium is checked.
		target = w.target(t, p)
		job := w.job(p, target)
		job.Check = func(context.Context, progress.Sink) error {
			change(&target.about)
			return nil
		}
		if _, err := job.Run(t.Context()); err == nil {
			t.Errorf("%s while the medium was checked: the disk was taken", name)
		}
		if before != content(t, target) {
			t.Errorf("%s while the medium was checked: something was written", name)
		}
	}
}

func TestCompose(t *testing.T) {
	w := makeWorld(t)
	p := makePlan(t, w)
	target := w.target(t, p)
	job := w.job(p, target)
	job.Compose = func(_ context.Context, root, configuration string) (storepath.Path, error) {
		if text, err := os.ReadFile(configuration); err != nil || root != target.root || len(text) == 0 {
			t.Errorf("compose in %q from %q: %v", root, configuration, err)
		}
		return w.medium.Systems[0].Path, nil
	}
	if _, err := job.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(t, w, target)

	job = w.job(p, w.target(t, p))
	job.Compose = func(context.Context, string, string) (storepath.Path, error) {
		return storepath.MakeText("nothing", nil, nil)
	}
	if _, err := job.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "is not in the store") {
		t.Errorf("a system that is not there: %v", err)
	}
}

func FuzzParseSlot(f *testing.F) {
	slot, err := journal{Plan: "x", Sequence: 3, Done: []plan.Name{plan.MakePartitions}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(slot)
	f.Add(slot[:100])
	f.Fuzz(func(t *testing.T, data []byte) {
		j, ok := parseSlot(data)
		if !ok {
			return
		}
		again, err := j.encode()
		if err != nil {
			return // larger than we would write
		}
		if k, ok := parseSlot(again); !ok || !cmp.Equal(j, k) {
			t.Errorf("%+v is read back as %+v", j, k)
		}
	})
}
