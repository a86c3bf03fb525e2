package resolve

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/deb"
)

// universe reads packages from lines "name version key=relations; …".
func universe(t *testing.T, lines ...string) *Universe {
	t.Helper()
	var packages []deb.Package
	for _, line := range lines {
		head, rest, _ := strings.Cut(line, ";")
		words := strings.Fields(head)
		p := deb.Package{Name: words[0], Version: words[1], Architecture: "amd64", Priority: "optional"}
		for part := range strings.SplitSeq(rest, ";") {
			key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
			if !ok {
				continue
			}
			switch key {
			case "essential":
				p.Essential = true
				continue
			case "priority":
				p.Priority = value
				continue
			case "arch":
				p.Architecture = value
				continue
			}
			clauses, err := deb.ParseDepends(value)
			if err != nil {
				t.Fatal(err)
			}
			switch key {
			case "dep":
				p.Depends = clauses
			case "pre":
				p.PreDepends = clauses
			case "rec":
				p.Recommends = clauses
			case "con":
				p.Conflicts = clauses
			case "brk":
				p.Breaks = clauses
			case "prov":
				p.Provides = clauses
			default:
				t.Fatalf("unknown key %q", key)
			}
		}
		packages = append(packages, p)
	}
	return NewUniverse(packages, "amd64")
}

func TestSolve(t *testing.T) {
	for _, test := range []struct {
		name     string
		universe []string
		request  Request
		want     string
	}{
		{"chain", []string{"pa 1; dep=pb", "pb 1; pre=pc (>= 2)", "pc 2"}, Request{Roots: []string{"pa"}}, "pa_1 pb_1 pc_2"},
		{"cycle", []string{"pa 1; dep=pb", "pb 1; dep=pa"}, Request{Roots: []string{"pa"}}, "pa_1 pb_1"},
		{"newest", []string{"pa 1", "pa 3", "pa 2"}, Request{Roots: []string{"pa"}}, "pa_3"},
		{"held by the lock", []string{"pa 1", "pa 2"}, Request{Roots: []string{"pa"}, Prefer: map[string]string{"pa": "1"}}, "pa_1"},
		{"held version left the archive", []string{"pa 2"}, Request{Roots: []string{"pa"}, Prefer: map[string]string{"pa": "1"}}, "pa_2"},
		{"first alternative", []string{"pa 1; dep=pb | pc", "pb 1", "pc 1"}, Request{Roots: []string{"pa"}}, "pa_1 pb_1"},
		{"alternative already there", []string{"pa 1; dep=pb | pc", "pd 1; dep=pc", "pb 1", "pc 1"}, Request{Roots: []string{"pa", "pd"}}, "pa_1 pc_1 pd_1"},
		{"second alternative when the first is absent", []string{"pa 1; dep=px | pc", "pc 1"}, Request{Roots: []string{"pa"}}, "pa_1 pc_1"},
		{"provider by name, the last as apt", []string{"pa 1; dep=mta", "exim 1; prov=mta", "postfix 1; prov=mta"}, Request{Roots: []string{"pa"}}, "pa_1 postfix_1"},
		{"provider by priority", []string{"pa 1; dep=mta", "exim 1; prov=mta", "postfix 1; prov=mta; priority=standard"}, Request{Roots: []string{"pa"}}, "pa_1 postfix_1"},
		{"versioned provides", []string{"pa 1; dep=pv (>= 2)", "px 1; prov=pv", "py 1; prov=pv (= 1)", "pz 1; prov=pv (= 2)"}, Request{Roots: []string{"pa"}}, "pa_1 pz_1"},
		{"conflict steers the choice", []string{"pa 1; dep=pb | pc", "pd 1; con=pb", "pb 1", "pc 1"}, Request{Roots: []string{"pa", "pd"}}, "pa_1 pc_1 pd_1"},
		{"dead end deep in the first alternative", []string{"pa 1; dep=pb | pc", "pb 1; dep=missing", "pc 1"}, Request{Roots: []string{"pa"}}, "pa_1 pc_1"},
		{"provides what it conflicts with", []string{"pa 1; prov=mta; con=mta"}, Request{Roots: []string{"pa"}}, "pa_1"},
		{"breaks only old", []string{"pa 2; brk=pb (<< 2)", "pb 2"}, Request{Roots: []string{"pa", "pb"}}, "pa_2 pb_2"},
		{"essential", []string{"pa 1", "bash 5; essential=yes; dep=libc", "libc 2"}, Request{Roots: []string{"pa"}, Essential: true}, "bash_5 libc_2 pa_1"},
		{"recommends", []string{"pa 1; rec=pb, missing", "pb 1"}, Request{Roots: []string{"pa"}, Recommends: true}, "pa_1 pb_1"},
		{"recommends left out", []string{"pa 1; rec=pb", "pb 1"}, Request{Roots: []string{"pa"}}, "pa_1"},
		{"recommended that conflicts is left out", []string{"pa 1; rec=pb; con=pb", "pb 1"}, Request{Roots: []string{"pa"}, Recommends: true}, "pa_1"},
		{"excluded", []string{"pa 1; dep=pb | pc", "pb 1", "pc 1"}, Request{Roots: []string{"pa"}, Exclude: []string{"pb"}}, "pa_1 pc_1"},
		{"alone", []string{"pa 1; dep=pb", "pb 1"}, Request{Roots: []string{"pa"}, Alone: true}, "pa_1"},
		{"other architecture", []string{"pa 1; dep=pb | pc", "pb 1; arch=arm64", "pc 1; arch=all"}, Request{Roots: []string{"pa"}}, "pa_1 pc_1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := universe(t, test.universe...).Solve(test.request)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, p := range got {
				names = append(names, p.Name+"_"+p.Version)
			}
			if diff := cmp.Diff(test.want, strings.Join(names, " ")); diff != "" {
				t.Errorf("Solve (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSolveSaysWhyNot(t *testing.T) {
	u := universe(t, "ardour 8; dep=libx (>= 2)", "libx 1", "studio 1; dep=ardour", "pp 1; dep=pq", "pq 1; con=pr", "pr 1")
	_, err := u.Solve(Request{Roots: []string{"studio"}})
	want := `the packages cannot be installed together:
  studio is wanted
    studio depends on ardour
      ardour depends on libx (>= 2)
        the archive has libx 1`
	if err == nil || err.Error() != want {
		t.Errorf("Solve(studio) = %v, want\n%s", err, want)
	}
	_, err = u.Solve(Request{Roots: []string{"pp", "pr"}})
	var conflict *Conflict
	if !errors.As(err, &conflict) || !strings.Contains(err.Error(), "pq conflicts with pr") {
		t.Errorf("Solve(pp, pr) = %v, want a conflict of pq with pr", err)
	}
	_, err = u.Solve(Request{Roots: []string{"ardor"}})
	var unknown *Unknown
	if !errors.As(err, &unknown) || !cmp.Equal(unknown.Near, []string{"ardour"}) {
		t.Errorf("Solve(ardor) = %v, want an unknown name near ardour", err)
	}
}
