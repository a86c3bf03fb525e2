package unitdiff

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// randomView makes a view of a target and of up to ten units that it may want.
// Some are the same in every view, and others need these.
func randomView(r *rand.Rand) view {
	v := view{fstest.MapFS{}}
	v.put("usr/lib/systemd/system/all.target", "[Unit]\n")
	v.put("usr/lib/systemd/system/default.target", "-> all.target")
	v.put("usr/lib/systemd/system/base.service", "[Service]\nExecStart=/usr/bin/base\n")
	v.put("etc/systemd/system/all.target.wants/base.service", "-> /usr/lib/systemd/system/base.service")
	v.put("usr/bin/prog", fmt.Sprintf("from prog-%d\n", r.IntN(2)))
	v.put("etc/conf", fmt.Sprint(r.IntN(2)))
	for i := range 10 {
		name := fmt.Sprintf("u%d%s", i, []string{".service", ".timer", ".service", ".socket", ".service"}[i%5])
		if r.IntN(4) == 0 {
			continue
		}
		text := "[Unit]\n"
		if i%3 == 0 {
			text += "Requires=base.service\n"
		}
		if r.IntN(4) == 0 {
			text += "Description=other\n"
		}
		switch kind(name) {
		case ".service":
			text += fmt.Sprintf("[Service]\nExecStart=/usr/bin/prog /etc/conf %d\n", r.IntN(2))
			if i == 7 {
				text += "ExecReload=/bin/true\n"
			}
			if i == 2 {
				text += "ExecStop=/usr/bin/prog stop\n"
			}
		case ".timer":
			text += fmt.Sprintf("[Timer]\nUnit=other.service\nOnBootSec=%d\n", r.IntN(2))
		case ".socket":
			text += fmt.Sprintf("[Socket]\nService=other.service\nListenStream=%d\n", r.IntN(2))
		}
		v.put("usr/lib/systemd/system/"+name, text)
		if r.IntN(6) == 0 {
			v.put("etc/systemd/system/"+name, "-> /dev/null")
		}
		if r.IntN(3) == 0 {
			v.put("etc/systemd/system/"+name+".d/a.conf", "[Unit]\nConditionPathExists=/a\n")
		}
		if r.IntN(3) > 0 {
			v.put("etc/systemd/system/all.target.wants/"+name, "-> /usr/lib/systemd/system/"+name)
		}
	}
	return v
}

// settled is what a manager has once everything that a view wants is started.
func settled(t *testing.T, v view) map[string]bool {
	t.Helper()
	tree, err := newTree(newFiles(v), "system")
	if err != nil {
		t.Fatal(err)
	}
	by, err := tree.pulled([]string{"all.target"}, false)
	if err != nil {
		t.Fatal(err)
	}
	running := map[string]bool{"all.target": true}
	for name := range by {
		if d, err := tree.load(name); err == nil && d != nil && !d.masked {
			running[name] = true
		}
	}
	return running
}

func manager(v view, running map[string]bool) []Unit {
	var units []Unit
	for _, name := range slices.Sorted(maps.Keys(running)) {
		units = append(units, Unit{Name: name, Active: "active", Sub: "running", Fragment: "/usr/lib/systemd/system/" + name})
	}
	return units
}

// TestAnyTwoViews goes from one random view to another and back: what runs then
// is what the view wants, as if it had just started, and the way back touches
// the units of the way there.
func TestAnyTwoViews(t *testing.T) {
	seed := rand.Uint64()
	for i := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, i))
		a, b := randomView(r), randomView(r)
		running := settled(t, a)
		var touched [2][]string
		for way, step := range []struct{ from, to view }{{a, b}, {b, a}} {
			plan, err := Make(step.from, step.to, manager(step.from, running), Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range plan.Units {
				touched[way] = append(touched[way], d.Unit)
				if d.Action == Leave || d.Action == Reboot || d.Reason == "" {
					t.Errorf("seed %d case %d: %+v", seed, i, d)
				}
			}
			for _, j := range slices.Concat(plan.Before(), plan.After()) {
				if running[j.Unit] == (j.Do == Start) {
					t.Errorf("seed %d case %d: %s %s, which runs: %v", seed, i, j.Do, j.Unit, running[j.Unit])
				}
				switch j.Do {
				case Stop:
					delete(running, j.Unit)
				case Start:
					running[j.Unit] = true
				}
			}
			if diff := cmp.Diff(settled(t, step.to), running); diff != "" {
				t.Errorf("seed %d case %d way %d: what runs (-want +got):\n%s\nplan:\n%s", seed, i, way, diff, show(plan))
			}
			slices.Sort(touched[way])
		}
		if diff := cmp.Diff(touched[0], touched[1]); diff != "" {
			t.Errorf("seed %d case %d: units touched there and back (-there +back):\n%s", seed, i, diff)
		}
		if t.Failed() {
			return
		}
	}
}
