package alternative

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/effect/machine/maint"
)

func always(string) bool { return true }

// rig.calls are the commands that the postinst scripts of a trixie set run,
// rig.links the links of the root where they ran.
func TestResolveEqualsUpdateAlternatives(t *testing.T) {
	calls, err := os.ReadFile("testdata/rig.calls")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/rig.links")
	if err != nil {
		t.Fatal(err)
	}
	absent := map[string]bool{}
	var choices []Choice
	for line := range strings.Lines(string(calls)) {
		words := strings.Fields(line)
		if words[0] == "#" {
			absent[words[2]] = true
			continue
		}
		found, err := FromCalls(words[0], []maint.Call{{Args: words[1:], Sure: true}})
		if err != nil {
			t.Fatal(err)
		}
		choices = append(choices, found...)
	}
	links, err := Resolve(choices, func(p string) bool { return !absent[p] })
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, l := range links {
		fmt.Fprintln(&got, l.Name, l.Target)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func TestResolve(t *testing.T) {
	choice := func(path string, priority int, slaves ...Slave) Choice {
		return Choice{"p", "/usr/bin/x", "x", path, priority, slaves}
	}
	man := func(path string) Slave { return Slave{"/usr/share/man/man1/x.1.gz", "x.1.gz", path} }
	for _, test := range []struct {
		name    string
		choices []Choice
		exists  func(string) bool
		want    []Link
	}{
		{"highest priority", []Choice{choice("/usr/bin/a", 5), choice("/usr/bin/b", 50), choice("/usr/bin/c", -1)}, always,
			[]Link{{"etc/alternatives/x", "/usr/bin/b"}, {"usr/bin/x", "/etc/alternatives/x"}}},
		{"a tie goes to the first name", []Choice{choice("/usr/bin/b", 5), choice("/usr/bin/a", 5)}, always,
			[]Link{{"etc/alternatives/x", "/usr/bin/a"}, {"usr/bin/x", "/etc/alternatives/x"}}},
		{"only the slaves of the chosen, only those that are there",
			[]Choice{choice("/usr/bin/a", 5, man("/man/a")), choice("/usr/bin/b", 6, man("/man/b"))},
			func(p string) bool { return p != "/man/b" },
			[]Link{{"etc/alternatives/x", "/usr/bin/b"}, {"usr/bin/x", "/etc/alternatives/x"}}},
		{"a link in the merged usr", []Choice{{"cpp", "/lib/cpp", "cpp", "/usr/bin/cpp", 10, nil}}, always,
			[]Link{{"etc/alternatives/cpp", "/usr/bin/cpp"}, {"usr/lib/cpp", "/etc/alternatives/cpp"}}},
		{"a choice that is the link of another group",
			[]Choice{{"p", "/usr/bin/editor", "editor", "/usr/bin/x", 0, nil}, choice("/usr/bin/x-nox", 1)},
			func(p string) bool { return p == "/usr/bin/x-nox" },
			[]Link{{"etc/alternatives/editor", "/usr/bin/x"}, {"etc/alternatives/x", "/usr/bin/x-nox"},
				{"usr/bin/editor", "/etc/alternatives/editor"}, {"usr/bin/x", "/etc/alternatives/x"}}},
		{"no choices", nil, always, []Link{}},
	} {
		got, err := Resolve(test.choices, test.exists)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, words := range []string{
		"update-alternatives --install /usr/bin/x x /usr/bin/y",
		"update-alternatives --install /usr/bin/x x /usr/bin/y high",
		"update-alternatives --install usr/bin/x x /usr/bin/y 1",
		"update-alternatives --install /usr/bin/x ../x /usr/bin/y 1",
		"update-alternatives --install /usr/../etc/shadow x /usr/bin/y 1",
		"update-alternatives --install /usr/bin/x x /usr/bin/y 1 --slave /a b",
		"update-alternatives --install /usr/bin/x x /usr/bin/y 1 --unheard-of",
		"update-alternatives --install /usr/bin/x x /usr/bin/" + maint.Unknown + " 1",
	} {
		if got, err := FromCalls("p", []maint.Call{{Args: strings.Fields(words), Sure: true}}); err == nil {
			t.Errorf("FromCalls(%q) = %v, want an error", words, got)
		}
	}
	if _, err := Resolve([]Choice{{"p", "/usr/bin/x", "x", "/usr/bin/y", 1, nil}}, func(string) bool { return false }); err == nil {
		t.Error("a choice that is not there: no error")
	}
	if _, err := Resolve([]Choice{{"p", "/usr/bin/x", "x", "/y", 1, nil}, {"q", "/bin/x", "x", "/y", 2, nil}}, always); err == nil {
		t.Error("two generic links for one name: no error")
	}
}
