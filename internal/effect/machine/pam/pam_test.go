package pam

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// load reads a set: templates, profiles, and pam-auth-update's own result.
func load(t *testing.T, file string) (templates map[string]string, profiles []*Profile, want map[string]string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	templates, want = map[string]string{}, map[string]string{}
	for _, f := range archive.Files {
		kind, name, _ := strings.Cut(f.Name, "/")
		switch kind {
		case "template":
			templates[name] = string(f.Data)
		case "want":
			want[name] = string(f.Data)
		case "profile":
			p, err := ParseProfile(name, f.Data)
			if err != nil {
				t.Fatal(err)
			}
			if p != nil {
				profiles = append(profiles, p)
			}
		}
	}
	return templates, profiles, want
}

// The sets were written by pam-auth-update in trixie roots whose maintainer
// scripts ran.
func TestGenerateEqualsPamAuthUpdate(t *testing.T) {
	for _, set := range []string{"rig", "many"} {
		templates, profiles, want := load(t, filepath.Join("testdata", set+".txtar"))
		got, err := Generate(templates, profiles, nil)
		if err != nil {
			t.Errorf("%s: %v", set, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", set, diff)
		}
	}
}

func TestEnable(t *testing.T) {
	templates, profiles, _ := load(t, "testdata/rig.txtar")
	got, err := Generate(templates, profiles, []string{"mkhomedir"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got["session"], "pam_mkhomedir.so") || strings.Contains(got["session-noninteractive"], "pam_mkhomedir.so") {
		t.Errorf("mkhomedir is for interactive sessions alone:\n%s\n%s", got["session"], got["session-noninteractive"])
	}
	if _, err := Generate(templates, profiles, []string{"no-such"}); err == nil {
		t.Error("Generate with an unknown profile: no error")
	}
}

// decide follows the control values of a stack for a module that says yes or
// no, as libpam does, and reports whether it lets somebody in.
func decide(t *testing.T, stack string, yes func(module string) bool) bool {
	t.Helper()
	lines := slices.DeleteFunc(strings.Split(stack, "\n"), func(l string) bool { return l == "" || l[0] == '#' })
	granted := false
	for i := 0; i < len(lines); i++ {
		m := moduleLine.FindStringSubmatch(strings.TrimSpace(strings.TrimPrefix(lines[i], "auth")))
		module := strings.Fields(m[1])[len(strings.Fields(m[1]))-1]
		ok := module == "pam_permit.so" || (module != "pam_deny.so" && yes(module))
		switch control := strings.TrimSuffix(m[1], module); {
		case strings.HasPrefix(control, "[success="):
			if ok {
				i += int(control[len("[success=")] - '0')
			}
		case strings.HasPrefix(control, "requisite"):
			if !ok {
				return false
			}
			granted = true
		case strings.HasPrefix(control, "required"):
			granted = ok
		}
	}
	return granted
}

func TestAuthDeniesAWrongPassword(t *testing.T) {
	for _, set := range []string{"rig", "many"} {
		templates, profiles, _ := load(t, filepath.Join("testdata", set+".txtar"))
		files, err := Generate(templates, profiles, nil)
		if err != nil {
			t.Fatal(err)
		}
		if decide(t, files["auth"], func(string) bool { return false }) {
			t.Errorf("%s: nobody vouches and the stack lets in:\n%s", set, files["auth"])
		}
		if !decide(t, files["auth"], func(m string) bool { return m == "pam_unix.so" }) {
			t.Errorf("%s: the password is right and the stack denies:\n%s", set, files["auth"])
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	templates, profiles, _ := load(t, "testdata/rig.txtar")
	if _, err := Generate(templates, nil, nil); err == nil || !strings.Contains(err.Error(), "everybody would be let in") {
		t.Errorf("Generate without profiles: %v", err)
	}
	for _, name := range Types() {
		without := maps.Clone(templates)
		delete(without, name)
		if _, err := Generate(without, profiles, nil); err == nil {
			t.Errorf("Generate without template %s: no error", name)
		}
		for _, mark := range []string{markPrimary, markFallback, markAdditional, markEnd} {
			without[name] = strings.Replace(templates[name], mark, "# nothing", 1)
			if _, err := Generate(without, profiles, nil); err == nil {
				t.Errorf("Generate with template %s without %q: no error", name, mark)
			}
		}
	}
}

func TestParseProfileRefuses(t *testing.T) {
	for _, text := range []string{
		"",
		"Name: x\nPriority: high\n",
		"Priority: 1\n",
		"  stray\nName: x\nPriority: 1\n",
		"Name: x\nPriority: 1\nAuth:\n\trequired pam_x.so\n",
		"Name: x\nPriority: 1\nAuth-Type: Other\nAuth:\n\trequired pam_x.so\n",
		"Name: x\nPriority: 1\nAuth-Type: Primary\nAuth:\n\trequired\n",
	} {
		if p, err := ParseProfile("x", []byte(text)); err == nil {
			t.Errorf("ParseProfile(%q) = %v, want an error", text, p)
		}
	}
	if p, err := ParseProfile("x", []byte("Name: x\nPriority: 1\nAuth-Type: Primary\nAuth:\n\trequired pam_tally.so\n")); p != nil || err != nil {
		t.Errorf("a profile of a removed module: %v, %v", p, err)
	}
}

func FuzzParseProfile(f *testing.F) {
	f.Add("Name: x\nDefault: yes\nPriority: 1\nAuth-Type: Primary\nAuth:\n\t[success=end default=ignore] pam_x.so a b\nConflicts: a, b\n")
	templates := map[string]string{}
	for _, name := range Types() {
		templates[name] = strings.Join([]string{markPrimary, markFallback, markAdditional, markEnd, ""}, "\n")
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParseProfile("x", []byte(s))
		if err != nil || p == nil {
			return
		}
		p.Default = true
		files, err := Generate(templates, []*Profile{p}, nil)
		if err == nil && strings.Contains(files["auth"], "\nauth\t[default=1]") {
			t.Errorf("profile %q made an auth stack without a decision", s)
		}
	})
}
