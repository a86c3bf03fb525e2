package unitdiff

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

// view is a tree in memory. The content of a file says which store path it
// comes from, when it begins with "from NAME": that line is a part of it.
type view struct{ fstest.MapFS }

func (v view) Source(name string) (string, error) {
	data, err := v.ReadFile(name)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if owner, ok := strings.CutPrefix(line, "from "); ok {
		return "/00000000000000000000000000000000-" + owner + "/" + name, nil
	}
	return "", nil
}

// put adds a file; content "-> target" makes a link, "empty" an empty file.
func (v view) put(name, content string) {
	if target, ok := strings.CutPrefix(content, "-> "); ok {
		v.MapFS[name] = &fstest.MapFile{Data: []byte(strings.TrimSpace(target)), Mode: fs.ModeSymlink | 0o777}
		return
	}
	if content == "empty\n" {
		content = ""
	}
	v.MapFS[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
}

// A scene is a file of testdata/plan: what both views have below both/, what
// one of them has below old/ or new/, the units of the manager one a line
// ("NAME ACTIVE SUB [JOB]", of any fragment with "@FRAGMENT" behind), the options one a line, and the
// plan.
type scene struct {
	archive  *txtar.Archive
	old, new view
	units    []Unit
	options  Options
	plan     string
}

func readScene(t *testing.T, name string) *scene {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{archive: archive, old: view{fstest.MapFS{}}, new: view{fstest.MapFS{}}}
	var units string
	for _, f := range archive.Files {
		side, place, _ := strings.Cut(f.Name, "/")
		switch text := string(f.Data); side {
		case "both":
			s.old.put(place, text)
			s.new.put(place, text)
		case "old":
			s.old.put(place, text)
		case "new":
			s.new.put(place, text)
		case "units":
			units = text
		case "options":
			s.options.RestartAudio = strings.Contains(text, "restart-audio")
			if _, self, ok := strings.Cut(text, "self "); ok {
				s.options.Self = strings.Fields(self)[:1]
			}
		case "plan":
			s.plan = text
		default:
			t.Fatalf("%s: what is %q?", name, f.Name)
		}
	}
	s.units = s.manager(t, units)
	return s
}

// manager reads the list of units, and looks for their files in the old view.
func (s *scene) manager(t *testing.T, text string) []Unit {
	t.Helper()
	tree, err := newTree(newFiles(s.old), "system")
	if err != nil {
		t.Fatal(err)
	}
	var units []Unit
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		u := Unit{Name: words[0], Active: "active", Sub: "running"}
		for i, w := range words[1:] {
			switch {
			case strings.HasPrefix(w, "@"):
				u.Fragment = w[1:]
			case i == 0:
				u.Active = w
			case i == 1:
				u.Sub = w
			default:
				u.Job = w
			}
		}
		if d, err := tree.load(u.Name); err == nil && d != nil && d.path != "" && u.Fragment == "" {
			u.Fragment = "/" + d.path
		}
		units = append(units, u)
	}
	return units
}

func show(p *Plan) string {
	var b strings.Builder
	for _, d := range p.Units {
		showOne(&b, "", d)
	}
	fmt.Fprintf(&b, "manager: %s\n", p.Manager)
	if p.UserManagers {
		b.WriteString("managers of people: reload\n")
	}
	for _, d := range p.User {
		showOne(&b, "people: ", d)
	}
	for _, f := range p.Tmpfiles {
		fmt.Fprintf(&b, "tmpfiles: %s\n", f)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

func showOne(b *strings.Builder, prefix string, d Decision) {
	action := string(d.Action)
	if d.StopFirst {
		action = "stop, start"
	}
	fmt.Fprintf(b, "%s%s %s: %s\n", prefix, action, d.Unit, d.Sentence())
}

func TestPlan(t *testing.T) {
	names, err := filepath.Glob("testdata/plan/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			s := readScene(t, name)
			plan, err := Make(s.old, s.new, s.units, s.options)
			if err != nil {
				t.Fatal(err)
			}
			got := show(plan)
			if *update {
				for i := range s.archive.Files {
					if s.archive.Files[i].Name == "plan" {
						s.archive.Files[i].Data = []byte(got)
					}
				}
				if err := os.WriteFile(name, txtar.Format(s.archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(s.plan, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			for _, v := range []view{s.old, s.new} {
				same, err := Make(v, v, s.units, s.options)
				if err != nil || !same.Empty() {
					t.Errorf("a view and itself: %v\n%s", err, show(same))
				}
			}
		})
	}
}

func TestJobs(t *testing.T) {
	p := &Plan{Units: []Decision{
		{Unit: "gone.service", Action: Stop},
		{Unit: "quick.service", Action: Restart},
		{Unit: "slow.service", Action: Restart, StopFirst: true},
		{Unit: "ssh.service", Action: Reload},
		{Unit: "fresh.service", Action: Start},
		{Unit: "pipewire.service", Action: Leave},
		{Unit: "dbus.service", Action: Reboot},
	}}
	if diff := cmp.Diff([]Job{{Stop, "gone.service"}, {Stop, "slow.service"}}, p.Before()); diff != "" {
		t.Errorf("Before (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Job{{Restart, "quick.service"}, {Start, "slow.service"}, {Reload, "ssh.service"}, {Start, "fresh.service"}}, p.After()); diff != "" {
		t.Errorf("After (-want +got):\n%s", diff)
	}
}

// broken is a view of which one file cannot be read.
type broken struct {
	view
	file string
}

var errDisk = errors.New("input/output error")

func (b broken) Open(name string) (fs.File, error) {
	if name == b.file {
		return nil, errDisk
	}
	return b.view.Open(name)
}

func (b broken) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == b.file {
		return nil, errDisk
	}
	return b.view.ReadDir(name)
}

func TestMakeSaysWhatItCannotRead(t *testing.T) {
	v := view{fstest.MapFS{}}
	v.put("etc/systemd/system/a.service", "[Service]\nExecStart=/bin/a\n")
	v.put("etc/systemd/system/a.service.d/x.conf", "[Service]\nUser=a\n")
	v.put("etc/systemd/system/b.target.wants/a.service", "-> /etc/systemd/system/a.service")
	v.put("etc/systemd/system/b.target", "[Unit]\n")
	v.put("etc/fstab", "LABEL=x /x ext4\n")
	units := []Unit{{Name: "b.target", Active: "active", Fragment: "/etc/systemd/system/b.target"}}
	for _, file := range []string{"etc/systemd/system", "etc/systemd/system/a.service", "etc/systemd/system/a.service.d/x.conf", "etc/systemd/system/b.target.wants", "etc/fstab"} {
		for _, side := range []string{"old", "new"} {
			old, new := View(v), View(v)
			if side == "old" {
				old = broken{v, file}
			} else {
				new = broken{v, file}
			}
			if _, err := Make(old, new, units, Options{}); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "/"+file) {
				t.Errorf("%q of the %s view cannot be read: error %v", file, side, err)
			}
		}
	}
	v.put("etc/systemd/system/a.service", "[Service]\n#"+string(bytes.Repeat([]byte("x"), maxUnitFile))+"\n")
	if _, err := Make(v, v, units, Options{}); !errors.Is(err, errTooLarge) {
		t.Errorf("a unit of more than a MiB: error %v", err)
	}
}
