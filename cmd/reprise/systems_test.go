package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"reprise/internal/builder"
	"reprise/internal/compose"
	"reprise/internal/layer"
	"reprise/internal/systemdiff"
	"reprise/store/generation"
	"reprise/store/storepath"
)

// A fakeMachine is a store with generations that nobody built.
type fakeMachine struct {
	t   *testing.T
	dir string
}

func (m fakeMachine) write(p storepath.Path, name, text string) {
	m.t.Helper()
	file := filepath.Join(m.dir, string(p), name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m fakeMachine) path(name, what string) storepath.Path {
	m.t.Helper()
	p, err := storepath.MakeText(name, []byte(what), nil)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// system makes generation n of packages, by control file, and files of /etc and
// units.
func (m fakeMachine) system(n int, about string, params []string, controls []string, files map[string]string) storepath.Path {
	t := m.t
	t.Helper()
	self := m.path("system-rig", fmt.Sprint(n, about, params, controls, files))
	var closure []string
	for _, control := range controls {
		p := m.path("package", control)
		m.write(p, "DEBIAN/control", control)
		closure = append(closure, string(p))
	}
	etc := m.path("etc", fmt.Sprint(files))
	closure = append(closure, string(etc))
	var manifest layer.Manifest
	seen := map[string]bool{}
	for name, text := range files {
		for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
			if !seen[dir] {
				seen[dir] = true
				manifest = append(manifest, layer.Entry{Path: dir, Kind: layer.Dir, Mode: 0o755})
			}
		}
		m.write(etc, name, text)
		manifest = append(manifest, layer.Entry{Path: name, Kind: layer.File, Mode: 0o644, Size: int64(len(text))})
	}
	manifest.Sort()
	plan, err := compose.Merge([]compose.Layer{{Path: etc, Manifest: manifest}})
	if err != nil {
		t.Fatal(err)
	}
	image, err := plan.EROFS()
	if err != nil {
		t.Fatal(err)
	}
	boot, err := json.Marshal(builder.Boot{Version: builder.BootVersion, Host: "rig", KernelVersion: "6.12-rt", Params: params})
	if err != nil {
		t.Fatal(err)
	}
	m.write(self, "root.erofs", string(image))
	m.write(self, "boot.json", string(boot))
	m.write(self, "closure", strings.Join(closure, "\n")+"\n")
	if about != "" {
		m.write(self, systemdiff.AboutFile, about)
	}
	for _, name := range []string{"kernel", "initrd"} {
		if err := os.Symlink(string(m.path(name, ""))+"/"+name, filepath.Join(m.dir, string(self), name)); err != nil {
			t.Fatal(err)
		}
	}
	profiles := filepath.Join(m.dir, "nix/var/nix/profiles")
	if err := os.MkdirAll(profiles, 0o755); err != nil {
		t.Fatal(err)
	}
	link := generation.LinkName(machineProfile, n)
	os.Remove(filepath.Join(profiles, machineProfile))
	for name, target := range map[string]string{link: string(self), machineProfile: link} {
		if err := os.Symlink(target, filepath.Join(profiles, name)); err != nil {
			t.Fatal(err)
		}
	}
	return self
}

const (
	controlJack  = "Package: jackd2\nVersion: 1.9-4\nArchitecture: amd64\nDepends: libjack (= 1.9-4) | libjack-0.125, libc6\nDescription: x\n"
	controlLib   = "Package: libjack-jackd2-0\nVersion: 1.9-4\nArchitecture: amd64\nProvides: libjack (= 1.9-4)\nDepends: libc6 (>= 2.3)\nDescription: x\n"
	controlLibc  = "Package: libc6\nVersion: 2.41-1\nArchitecture: amd64\nDescription: x\n"
	controlLibc2 = "Package: libc6\nVersion: 2.41-2\nArchitecture: amd64\nDescription: x\n"
	controlBash  = "Package: bash\nVersion: 5.2\nArchitecture: amd64\nEssential: yes\nPre-Depends: libc6\nDescription: x\n"
	controlLost  = "Package: lost\nVersion: 1\nArchitecture: amd64\nDescription: x\n"
)

const (
	aboutOne = `{"version":1,"packages":[{"name":"jackd2","for":[{"by":"services.jack.jackd.enable","at":":9:5"}]}],"options":[
{"name":"boot.kernelParams","value":["quiet","threadirqs"],"from":[{"element":"0","at":":2:10"},{"element":"1","by":"musnix.enable"}]},
{"name":"musnix.enable","value":true,"from":[{"at":"<reprise>/live-rig.jsonnet:26:5"}]},
{"name":"networking.hostName","value":"rig","from":[{"at":":3:5"}]},
{"name":"services.jack.jackd.enable","value":true,"from":[{"at":":9:5"}]},
{"name":"systemd.units[\"a.service\"].text","value":"old","from":[{"by":"musnix.enable"}]},
{"name":"time.timeZone","value":"Etc/UTC"}
]}`
	aboutTwo = `{"version":1,"packages":[{"name":"jackd2","for":[{"by":"services.jack.jackd.enable","at":":10:5"}]}],"options":[
{"name":"boot.kernelParams","value":["threadirqs","nosmt"],"from":[{"element":"0","by":"musnix.enable"},{"element":"1","at":"lib/hardware.jsonnet:4:10","near":true}]},
{"name":"musnix.enable","value":true,"from":[{"at":"<reprise>/live-rig.jsonnet:26:5"}]},
{"name":"networking.hostName","value":"rig","from":[{"at":":4:5"}]},
{"name":"services.jack.jackd.enable","value":true,"from":[{"at":":10:5"}]},
{"name":"systemd.units[\"a.service\"].text","value":"new","from":[{"by":"musnix.enable"}]},
{"name":"time.timeZone","value":"Europe/Berlin","from":[{"at":":5:3"}]}
]}`
)

func newFakeMachine(t *testing.T) (m fakeMachine, systems []storepath.Path) {
	m = fakeMachine{t, t.TempDir()}
	one := m.system(1, aboutOne, []string{"quiet", "threadirqs"}, []string{controlBash, controlJack, controlLib, controlLibc},
		map[string]string{"etc/hostname": "rig\n", "etc/gone": "x\n", "etc/same": "same\n", "etc/systemd/system/a.service": "old\n", "etc/systemd/system/multi-user.target.wants/a.service": "l"})
	two := m.system(2, aboutTwo, []string{"threadirqs", "nosmt"}, []string{controlBash, controlJack, controlLib, controlLibc2, controlLost},
		map[string]string{"etc/hostname": "rig\n", "etc/localtime": "Berlin\n", "etc/same": "same\nmore\n", "etc/systemd/system/a.service": "new\n", "etc/systemd/system/b.service": "b\n"})
	return m, []storepath.Path{one, two}
}

// ask runs a verb against the store of m.
func (m fakeMachine) ask(args ...string) (code int, out, errs string) {
	m.t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(context.Background(), append([]string{"--store", m.dir}, args...), strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestGenerationsDiffWhy(t *testing.T) {
	m, made := newFakeMachine(t)
	for _, test := range []struct {
		args []string
		code int
		want []string // pieces of the output, or of the message
		not  []string
	}{
		{[]string{"diff"}, 0, []string{"generation 1 → generation 2\n", "  + lost 1\n", "    libc6 2.41-1 → 2.41-2\n",
			"    - \"quiet\"                           was configuration.jsonnet:2:10\n", "    + \"nosmt\"                           near lib/hardware.jsonnet:4:10\n",
			"    \"Etc/UTC\" → \"Europe/Berlin\"         configuration.jsonnet:5:3\n", "what follows: systemd.units[\"a.service\"]\n",
			"  - quiet\n  + nosmt\n", "    a.service: no longer wanted by multi-user.target, text\n", "  + b.service\n", "  - /etc/gone\n  + /etc/localtime\n    /etc/same\n"},
			[]string{"hostName", "/etc/hostname", "musnix.enable\n", "+more"}},
		{[]string{"diff", "2", "1"}, 0, []string{"generation 2 → generation 1\n", "  - lost 1\n", "    libc6 2.41-2 → 2.41-1\n", "\"Etc/UTC\", the default"}, nil},
		{[]string{"diff", "1"}, 0, []string{"generation 1 → generation 2\n"}, nil},
		{[]string{"diff", string(made[0]), filepath.Join(m.dir, string(made[1]))}, 0, []string{"libc6 2.41-1 → 2.41-2"}, nil},
		{[]string{"diff", "2", "2"}, 0, []string{"nothing changes: they are one system"}, []string{"Packages"}},
		{[]string{"diff", "-u"}, 0, []string{"--- a/etc/same\n+++ b/etc/same\n", "+more\n", "-old\n+new\n", "--- /dev/null\n+++ b/etc/localtime\n"}, nil},
		{[]string{"diff", "7"}, 1, []string{"generation 7 is not there", "one of 1, 2"}, nil},
		{[]string{"diff", "1", "2", "3"}, 2, []string{"is given 3 arguments"}, nil},
		{[]string{"diff", "nothing.jsonnet"}, 3, []string{"is neither a file nor a profile"}, nil},
		{[]string{"generations"}, 0, []string{"   2  ", "   1  ", "  6.12-rt\n", "      default\n", "+1 ~1 packages, 2 options\n"}, nil},
		{[]string{"why", "libjack-jackd2-0"}, 0, []string{"libjack-jackd2-0 1.9-4, in generation 2\n", "services.jack.jackd.enable asks for jackd2", "configuration.jsonnet:10:5",
			"    jackd2 depends on libjack (= 1.9-4) | libjack-0.125\n      (libjack-jackd2-0 is one)\n"}, nil},
		{[]string{"why", "jackd2"}, 0, []string{"services.jack.jackd.enable asks for jackd2", "configuration.jsonnet:10:5"}, nil},
		{[]string{"why", "jackd2", "--of", "1"}, 0, []string{"in generation 1\n", "configuration.jsonnet:9:5"}, nil},
		{[]string{"why", "libc6"}, 0, []string{"jackd2 depends on libc6", "Debian marks bash essential", "bash pre-depends on libc6"}, nil},
		{[]string{"why", "bash"}, 0, []string{"Debian marks bash essential"}, nil},
		{[]string{"why", "lost"}, 0, []string{"nothing needs it: it came with the lock"}, nil},
		{[]string{"why", "libjack"}, 1, []string{"is a name that packages provide", "ask for libjack-jackd2-0"}, nil},
		{[]string{"why", "jackd"}, 2, []string{"is neither a package of generation 2 nor an option", "ask for jackd2"}, nil},
		{[]string{"why", "networking.hostname"}, 2, []string{"ask for networking.hostName"}, nil},
		{[]string{"why", "boot.kernelParams"}, 0, []string{"\"threadirqs\"", "by musnix.enable, <reprise>/live-rig.jsonnet:26:5", "near lib/hardware.jsonnet:4:10"}, nil},
		{[]string{"why", "boot.kernelParams[1]"}, 0, []string{"near lib/hardware.jsonnet:4:10"}, nil},
		{[]string{"why", "services.jack"}, 0, []string{"services.jack.jackd.enable = true\n  set at configuration.jsonnet:10:5\n"}, nil},
		{[]string{"why", "time.timeZone", "--of", "1"}, 0, []string{"time.timeZone = \"Etc/UTC\"\n  nothing sets it: the default"}, nil},
		{[]string{"why", "a.<b>.<c>"}, 2, []string{"is neither"}, nil},
		{[]string{"why", "image.marginMiB"}, 1, []string{"image.marginMiB"}, nil},
	} {
		code, out, errs := m.ask(test.args...)
		if code != test.code {
			t.Errorf("%q: exit %d, want %d: %s%s", test.args, code, test.code, out, errs)
			continue
		}
		if code != 0 {
			out = errs
		}
		for _, want := range test.want {
			if !strings.Contains(out, want) {
				t.Errorf("%q lacks %q:\n%s", test.args, want, out)
			}
		}
		for _, not := range test.not {
			if strings.Contains(out, not) {
				t.Errorf("%q has %q:\n%s", test.args, not, out)
			}
		}
		for line := range strings.Lines(out) {
			if code == 0 && utf8.RuneCountInString(line)-1 > systemdiff.Width {
				t.Errorf("%q: a line of over %d columns: %q", test.args, systemdiff.Width, line)
			}
		}
		if code, out, _ := m.ask(append(test.args, "--json")...); code == 0 {
			for line := range strings.Lines(out) {
				var event struct{ Event string }
				if json.Unmarshal([]byte(line), &event) != nil || event.Event == "" {
					t.Errorf("%q --json: %q", test.args, line)
				}
			}
		}
	}
	empty := fakeMachine{t, t.TempDir()}
	for _, args := range [][]string{{"generations"}, {"diff"}, {"why", "bash"}} {
		if code, _, errs := empty.ask(args...); code != 1 || !strings.Contains(errs, "has no generations") {
			t.Errorf("%q in an empty store: exit %d, %s", args, code, errs)
		}
	}
}

// TestDamagedSystems holds that what cannot be read is told by name.
func TestDamagedSystems(t *testing.T) {
	for _, name := range []string{"boot.json", "about.json", "closure", "root.erofs"} {
		m, made := newFakeMachine(t)
		m.write(made[1], name, "{ torn")
		code, out, errs := m.ask("diff")
		if code != 1 || !strings.Contains(errs, string(made[1])) {
			t.Errorf("with a torn %s: exit %d, %s%s", name, code, out, errs)
		}
	}
}

func TestRunningSystem(t *testing.T) {
	a, b := "/nix/store/"+strings.Repeat("a", 32)+"-system-a", "/nix/store/"+strings.Repeat("b", 32)+"-system-b"
	line := &fstest.MapFile{Data: []byte("root=x reprise.system=" + a + " quiet\n")}
	link := &fstest.MapFile{Data: []byte(b), Mode: os.ModeSymlink | 0o777}
	for _, test := range []struct {
		root fstest.MapFS
		want string
	}{
		{fstest.MapFS{}, ""},
		{fstest.MapFS{"proc/cmdline": {Data: []byte("quiet reprise.system=nonsense")}}, ""},
		{fstest.MapFS{"proc/cmdline": line}, a},
		{fstest.MapFS{"proc/cmdline": line, "run/reprise/booted-system": link}, b},
		{fstest.MapFS{"proc/cmdline": line, "run/reprise/current-system": link, "run/reprise/booted-system": {Data: []byte(a), Mode: os.ModeSymlink}}, b},
	} {
		if got := runningSystem(test.root); string(got) != test.want {
			t.Errorf("runningSystem = %q, want %q", got, test.want)
		}
	}
}

// fakeMenu is an ESP: the default, and tries left and done by generation.
type fakeMenu struct {
	chosen int
	tries  map[int][2]int
}

func (m fakeMenu) Default() int { return m.chosen }
func (m fakeMenu) Numbers() []int {
	var numbers []int
	for n := range m.tries {
		numbers = append(numbers, n)
	}
	return numbers
}
func (m fakeMenu) Tries(n int) (left, done int) { return m.tries[n][0], m.tries[n][1] }

func TestStateOf(t *testing.T) {
	menu := fakeMenu{2, map[int][2]int{1: {0, 0}, 2: {0, 0}, 3: {2, 1}, 4: {0, 3}}}
	p := storepath.Path("/nix/store/x")
	for _, test := range []struct {
		g    generation.Generation
		run  storepath.Path
		menu bootStates
		want []string
	}{
		{generation.Generation{Number: 1, Path: p}, p, menu, []string{"running", "good"}},
		{generation.Generation{Number: 2}, "", menu, []string{"default", "good"}},
		{generation.Generation{Number: 3, Current: true}, "", menu, []string{"on trial (2 of 3 tries left)"}},
		{generation.Generation{Number: 4}, "", menu, []string{"failed"}},
		{generation.Generation{Number: 5}, "", menu, []string{"not in the boot menu"}},
		{generation.Generation{Number: 5, Current: true}, "", nil, []string{"default"}},
	} {
		if got := stateOf(test.g, test.run, test.menu); !slices.Equal(got, test.want) {
			t.Errorf("generation %d: %q, want %q", test.g.Number, got, test.want)
		}
	}
}
