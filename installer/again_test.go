package installer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/activation"
)

// cryptOf is a hash of some password, as answers have it.
func cryptOf(letter string) string { return "$6$abcdefgh$" + strings.Repeat(letter, 86) }

// withPassword is the world's plan for a person with another password.
func withPassword(t *testing.T, w *world, hash string) *plan.Plan {
	t.Helper()
	user := *w.request.Answers.User
	user.PasswordHash, user.Keys = hash, []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX a"}
	w.request.Answers.User = &user
	return makePlan(t, w)
}

// TestOtherMachine tries to install over a machine that other answers have made.
func TestOtherMachine(t *testing.T) {
	for name, change := range map[string]func(*answers.Answers){
		"host":     func(a *answers.Answers) { a.Host = "another" },
		"user":     func(a *answers.Answers) { a.User = &answers.User{Name: "other", PasswordHash: cryptOf("x")} },
		"password": func(a *answers.Answers) { a.User = &answers.User{Name: "rig", PasswordHash: cryptOf("y")} },
		"key": func(a *answers.Answers) {
			user := *a.User
			user.Keys = []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX a"}
			a.User = &user
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := makeWorld(t)
			p := makePlan(t, w)
			target := w.target(t, p)
			if _, err := w.job(p, target).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			before := content(t, target)
			change(&w.request.Answers)
			other := makePlan(t, w)
			target.plan = other
			job := w.job(other, target)
			job.Report = func(name plan.Name, s Status) { t.Errorf("step %s %s", name, s) }
			target.fault = func(_ int, kind string) error {
				if kind != "open" {
					t.Errorf("%s, and nothing may be written", kind)
				}
				return nil
			}
			_, err := job.Run(t.Context())
			var step *StepError
			if !errors.As(err, &step) || step.Step != "plan" || !strings.Contains(step.Reason(), `/dev/vda has a finished installation, "rig", that other answers have made: nothing was written`) || !strings.Contains(step.Do, `"again": true`) {
				t.Errorf("%v", err)
			}
			if before != content(t, target) {
				t.Error("the disk has changed")
			}
			target.fault = nil
			for i, want := range []bool{false, true} { // once, and then it is known to be complete
				job = w.job(other, target)
				job.Replace = true
				result, err := job.Run(t.Context())
				if err != nil || result.Before != want {
					t.Errorf("run %d, agreed to: %+v, %v", i, result, err)
				}
			}
		})
	}
}

// TestHalfOfAnother installs where another plan was cut off, which is no machine
// that anybody could miss.
func TestHalfOfAnother(t *testing.T) {
	w := makeWorld(t)
	p := makePlan(t, w)
	target := w.target(t, p)
	stopAfter(t, w.job(p, target), plan.InstallBootLoaders)
	w.request.Answers.Host = "another"
	other := makePlan(t, w)
	target.plan = other
	if _, err := w.job(other, target).Run(t.Context()); err != nil {
		t.Error(err)
	}
	check(t, w, target)
}

// stopAfter runs a job until a step is done.
func stopAfter(t *testing.T, job *Job, step plan.Name) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job.Report = func(name plan.Name, s Status) {
		if name == step && s == Done {
			cancel()
		}
	}
	if _, err := job.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped after %s: %v", step, err)
	}
}

// TestPasswordTypedAnew goes on after a power cut with another hash, as a person
// makes it who types the password again. The copy stays, and the new hash counts,
// whatever moment the next cut comes at.
func TestPasswordTypedAnew(t *testing.T) {
	for _, hashes := range [][]string{{cryptOf("y")}, {""}, {cryptOf("y"), cryptOf("x")}} {
		w := makeWorld(t)
		p := withPassword(t, w, cryptOf("x"))
		target := w.target(t, p)
		stopAfter(t, w.job(p, target), plan.WriteEntry)
		for _, hash := range hashes[:len(hashes)-1] { // cut once more, behind the password
			p = withPassword(t, w, hash)
			target.plan = p
			stopAfter(t, w.job(p, target), plan.WriteConfiguration)
		}
		hash := hashes[len(hashes)-1]
		p = withPassword(t, w, hash)
		target.plan = p
		var kept []plan.Name
		job := w.job(p, target)
		job.Report = func(name plan.Name, s Status) {
			if s == Kept {
				kept = append(kept, name)
			}
		}
		if _, err := job.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(kept, plan.CopyStore) || slices.Contains(kept, plan.WriteConfiguration) {
			t.Errorf("kept %v", kept)
		}
		shadow, err := os.ReadFile(filepath.Join(target.root, activation.Shadow))
		if want := "rig:" + hash + "::0:"; hash != "" && !strings.HasPrefix(string(shadow), want) || hash == "" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("shadow is %q, %v; want %q", shadow, err, want)
		}
		if result, err := w.job(p, target).Run(t.Context()); err != nil || !result.Before {
			t.Errorf("again: %+v, %v", result, err)
		}
	}
}

// TestPassphraseTypedAnew goes on with another passphrase: there is no machine
// yet whose data could be lost.
func TestPassphraseTypedAnew(t *testing.T) {
	w := makeWorld(t)
	w.request.Answers.Encryption = answers.LUKS2
	p := makePlan(t, w)
	for _, step := range []plan.Name{plan.Encrypt, plan.CopyStore, plan.WriteEntry} {
		target := w.target(t, p)
		job := w.job(p, target)
		job.Passphrase = []byte("correct horse")
		stopAfter(t, job, step)
		for range 2 {
			job = w.job(p, target)
			job.Passphrase = []byte("battery staple")
			if _, err := job.Run(t.Context()); err != nil {
				t.Errorf("%s: %v", step, err)
			}
		}
		if target.key != "battery staple" {
			t.Errorf("%s: the disk opens with %q", step, target.key)
		}
		check(t, w, target)
	}
}
