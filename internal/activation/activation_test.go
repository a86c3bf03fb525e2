package activation

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

var update = flag.Bool("update", false, "rewrite golden files")

var sample = &Data{
	Version: Version, HostName: "live-rig", ShadowGroup: 42,
	Users: []User{
		{Name: "messagebus", UID: 101, GID: 101, Home: "/nonexistent", Shell: "/usr/sbin/nologin"},
		{Name: "rig", UID: 1000, GID: 1000, Home: "/home/rig", HomeMode: 0o700, Shell: "/bin/bash"},
		{Name: "root", Home: "/root", Shell: "/bin/bash"},
	},
	Groups: []Group{{Name: "audio", GID: 29, Members: []string{"rig"}}, {Name: "root"}},
	State: []Item{
		{Path: "home", Kind: Dir, Mode: 0o755},
		{Path: "var/tmp", Kind: Dir, Mode: 0o1777},
		{Path: StateDir, Kind: Dir, Mode: 0o755},
		{Path: "var/mail", Kind: Dir, Mode: 0o2775, GID: 8},
		{Path: "var/run", Kind: Link, Target: "/run"},
		{Path: MachineID, Kind: ID, Mode: 0o444},
		{Path: StateDir + "/adjtime", Kind: File, Mode: 0o644, Content: "0.0 0 0.0\n0\nUTC\n"},
		{Path: StateDir + "/ssh", Kind: Dir, Mode: 0o755},
		{Path: HostKey, Kind: SSHKey, Mode: 0o600, Content: "root@live-rig"},
		{Path: "var/lib/systemd/linger/rig", Kind: File, Mode: 0o644},
	},
	Skel: []Item{
		{Path: ".bashrc", Kind: File, Mode: 0o644, Content: "# bashrc\n"},
		{Path: ".config", Kind: Dir, Mode: 0o755},
		{Path: ".config/x", Kind: Link, Target: "../.bashrc"},
	},
}

// A disk is a directory whose owners are only remembered: tests need not be
// root's. FailAt lets the k-th change of an owner fail, once.
type disk struct {
	dir    string
	root   *os.Root
	owner  map[string][2]int
	count  int
	failAt int
}

var errCut = errors.New("the power is cut")

func newDisk(t testing.TB) *disk {
	t.Helper()
	d := &disk{dir: t.TempDir(), owner: map[string][2]int{}}
	var err error
	if d.root, err = os.OpenRoot(d.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.root.Close() })
	return d
}

func (d *disk) chown(_ *os.Root, name string, uid, gid int) error {
	if d.count++; d.count == d.failAt {
		return errCut
	}
	clean := []string{}
	for _, part := range strings.Split(name, "/") {
		clean = append(clean, strings.TrimPrefix(part, tempPrefix))
	}
	d.owner[strings.Join(clean, "/")] = [2]int{uid, gid}
	return nil
}

func (d *disk) apply(data *Data) error { return Apply(d.root, data, Options{Chown: d.chown}) }

func (d *disk) read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// list prints the tree: mode, owner where it was set, path, link target.
func (d *disk) list(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(d.dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == d.dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(d.dir, p)
		target := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			to, _ := os.Readlink(p)
			target = " -> " + to
			fmt.Fprintf(&b, "l %s%s\n", rel, target)
			return nil
		}
		who := ""
		if o := d.owner[rel]; o != [2]int{} {
			who = fmt.Sprintf(" %d:%d", o[0], o[1])
		}
		fmt.Fprintf(&b, "%s %s%s\n", info.Mode(), rel, who)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestApply(t *testing.T) {
	d := newDisk(t)
	if err := d.apply(sample); err != nil {
		t.Fatal(err)
	}
	golden(t, "tree", d.list(t))
	if got, want := d.read(t, Shadow), "messagebus:*::0:99999:7:::\nrig:*::0:99999:7:::\nroot:*::0:99999:7:::\n"; got != want {
		t.Errorf("shadow is %q, want %q", got, want)
	}
	if got, want := d.read(t, GShadow), "audio:*::rig\nroot:*::\n"; got != want {
		t.Errorf("gshadow is %q, want %q", got, want)
	}
	signer, err := ssh.ParsePrivateKey([]byte(d.read(t, HostKey)))
	if err != nil {
		t.Fatal(err)
	}
	public, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(d.read(t, HostKey+".pub")))
	if err != nil || comment != "root@live-rig" || !bytes.Equal(public.Marshal(), signer.PublicKey().Marshal()) {
		t.Errorf("the public key is %v %q, %v", public, comment, err)
	}
}

// contents are all files of a tree.
func contents(t *testing.T, d *disk) map[string]string {
	files := map[string]string{}
	for line := range strings.Lines(d.list(t)) {
		if f := strings.Fields(line); strings.HasPrefix(f[0], "-") {
			files[f[1]] = d.read(t, f[1])
		}
	}
	return files
}

func TestApplyKeepsWhatPeopleChanged(t *testing.T) {
	d := newDisk(t)
	if err := d.apply(sample); err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(d.read(t, Shadow), "rig:*::", "rig:$y$j9T$x:20000:", 1)
	for name, text := range map[string]string{Shadow: changed, "home/rig/.bashrc": "mine\n", StateDir + "/adjtime": "1\n"} {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := contents(t, d)
	if err := d.apply(sample); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, contents(t, d)); diff != "" {
		t.Errorf("the second Apply changed (-before +after):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(d.dir, Shadow))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("shadow has mode %v, %v; want it put right", info.Mode(), err)
	}
}

func TestRemovedUserReturns(t *testing.T) {
	d := newDisk(t)
	if err := d.apply(sample); err != nil {
		t.Fatal(err)
	}
	secret := "rig:$y$j9T$x:20000:0:99999:7:::\n"
	if err := os.WriteFile(filepath.Join(d.dir, Shadow), []byte(secret+"root:*::0:99999:7:::\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	without := *sample
	without.Users = slices.DeleteFunc(slices.Clone(sample.Users), func(u User) bool { return u.Name == "rig" })
	if err := d.apply(&without); err != nil {
		t.Fatal(err)
	}
	if got := d.read(t, Shadow); strings.Contains(got, "rig:") {
		t.Errorf("shadow is %q: a removed user can log in", got)
	}
	if got := d.read(t, ShadowAside); got != secret {
		t.Errorf("aside is %q, want %q", got, secret)
	}
	if err := d.apply(sample); err != nil {
		t.Fatal(err)
	}
	if got := d.read(t, Shadow); !strings.Contains(got, secret) {
		t.Errorf("shadow is %q, want the line back", got)
	}
	if got := d.read(t, ShadowAside); got != "" {
		t.Errorf("aside is %q, want it empty", got)
	}
}

func TestMergeShadow(t *testing.T) {
	users := []User{{Name: "a"}, {Name: "b"}}
	for _, test := range []struct{ name, have, aside, shadow, nextAside string }{
		{"new machine", "", "", "a:*::0:99999:7:::\nb:*::0:99999:7:::\n", ""},
		{"half a line is none", "a:$y$half", "", "a:*::0:99999:7:::\nb:*::0:99999:7:::\n", ""},
		{"a user of another time", "a:x:1:0:9:7:::\nold:y:1:0:9:7:::\n", "", "a:x:1:0:9:7:::\nb:*::0:99999:7:::\n", "old:y:1:0:9:7:::\n"},
		{"in both after a cut", "a:new:1:0:9:7:::\n", "a:old:1:0:9:7:::\n", "a:new:1:0:9:7:::\nb:*::0:99999:7:::\n", ""},
		{"no user twice", "a:x:1:0:9:7:::\na::1:0:9:7:::\n", "", "a:x:1:0:9:7:::\nb:*::0:99999:7:::\n", ""},
		{"a forced change stays", "a:x:0:0:9:7:::\n", "", "a:x:0:0:9:7:::\nb:*::0:99999:7:::\n", ""},
	} {
		shadow, aside := mergeShadow(users, test.have, test.aside)
		if diff := cmp.Diff([]string{test.shadow, test.nextAside}, []string{shadow, aside}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestMachineID(t *testing.T) {
	for _, have := range []string{"", "uninitialized\n", "0123\n", "0123456789ABCDEF0123456789abcdef\n"} {
		d := newDisk(t)
		if err := os.MkdirAll(filepath.Join(d.dir, StateDir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d.dir, MachineID), []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := d.apply(sample); err != nil {
			t.Fatal(err)
		}
		id := d.read(t, MachineID)
		if len(id) != 33 || id == have || id[12] != '4' {
			t.Errorf("machine-id %q became %q", have, id)
		}
		if err := d.apply(sample); err != nil {
			t.Fatal(err)
		}
		if again := d.read(t, MachineID); again != id {
			t.Errorf("machine-id moved from %q to %q", id, again)
		}
	}
}

// TestTwoMachinesDiffer gives two disks the same system: what tells machines
// apart is made on each, and the rest is the same.
func TestTwoMachinesDiffer(t *testing.T) {
	one, two := newDisk(t), newDisk(t)
	for _, d := range []*disk{one, two} {
		if err := d.apply(sample); err != nil {
			t.Fatal(err)
		}
	}
	own := []string{MachineID, HostKey, HostKey + ".pub"}
	for _, name := range own {
		if one.read(t, name) == two.read(t, name) {
			t.Errorf("two machines have the same %s", name)
		}
	}
	if diff := cmp.Diff(one.list(t), two.list(t)); diff != "" {
		t.Errorf("two machines have other files (-one +two):\n%s", diff)
	}
	err := fs.WalkDir(one.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || slices.Contains(own, name) {
			return err
		}
		if one.read(t, name) != two.read(t, name) {
			t.Errorf("two machines have another %s", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever step fails, the next Apply ends where an undisturbed one does, and
// no file was ever half there.
func TestApplyAfterACut(t *testing.T) {
	whole := newDisk(t)
	if err := whole.apply(sample); err != nil {
		t.Fatal(err)
	}
	for k := 1; k <= whole.count; k++ {
		d := newDisk(t)
		d.failAt = k
		if err := d.apply(sample); !errors.Is(err, errCut) {
			t.Fatalf("step %d: %v, want the cut", k, err)
		}
		if _, err := os.Stat(filepath.Join(d.dir, "home/rig")); err == nil {
			if d.read(t, "home/rig/.bashrc") != "# bashrc\n" {
				t.Errorf("step %d: the home directory is half there", k)
			}
		}
		if err := d.apply(sample); err != nil {
			t.Fatalf("after a cut at step %d: %v", k, err)
		}
		if diff := cmp.Diff(whole.list(t), d.list(t)); diff != "" {
			t.Errorf("after a cut at step %d (-want +got):\n%s", k, diff)
		}
	}
}

// One thing that cannot be done does not keep the rest from being done.
func TestApplyGoesOn(t *testing.T) {
	d := newDisk(t)
	if err := os.WriteFile(filepath.Join(d.dir, "home"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err := d.apply(sample)
	if err == nil || !strings.Contains(err.Error(), `state "home"`) || !strings.Contains(err.Error(), `home of "rig"`) {
		t.Errorf("Apply = %v, want both faults", err)
	}
	if d.read(t, Shadow) == "" || d.read(t, MachineID) == "" {
		t.Error("shadow and machine-id are not there")
	}
}

// Symlinks of the disk never lead out of it.
func TestApplyStaysOnTheDisk(t *testing.T) {
	d, outside := newDisk(t), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(d.dir, "home")); err != nil {
		t.Fatal(err)
	}
	if err := d.apply(sample); err == nil {
		t.Error("home leads out of the disk: no error")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside the disk: %v, %v", entries, err)
	}
}

func TestParse(t *testing.T) {
	data, err := sample.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "activation.json", string(data))
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, got); diff != "" {
		t.Errorf("Parse(Encode(sample)) (-want +got):\n%s", diff)
	}
	for old, replacement := range map[string]string{
		`"version": 1`:         `"version": 2`,
		`"hostName"`:           `"hostname2"`,
		`"name": "rig"`:        `"name": "ri:g"`,
		`"path": "var/mail"`:   `"path": "../mail"`,
		`"path": "home"`:       `"path": "/home"`,
		`"kind": "dir"`:        `"kind": "device"`,
		`"target": "/run"`:     `"target": ""`,
		`"home": "/home/rig"`:  `"home": "/home/../../rig"`,
		`"path": ".bashrc"`:    `"path": "../.bashrc"`,
		`"name": "messagebus"`: `"name": "zmessagebus"`,
	} {
		bad := strings.Replace(string(data), old, replacement, 1)
		if bad == string(data) {
			t.Fatalf("%s is not in the sample", old)
		}
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("Parse with %s: no error", replacement)
		}
	}
}

func TestRun(t *testing.T) {
	if err := Run(t.TempDir(), []byte("{}"), func(error) {}); err == nil {
		t.Error("Run of nothing: no error")
	}
}

func FuzzParse(f *testing.F) {
	data, err := sample.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b)
		if err != nil {
			return
		}
		again, err := d.Encode()
		if err != nil {
			t.Fatalf("Encode(Parse(%q)): %v", b, err)
		}
		if _, err := Parse(again); err != nil {
			t.Errorf("Parse(Encode(Parse(%q))): %v", b, err)
		}
	})
}

func FuzzMergeShadow(f *testing.F) {
	f.Add("a:x:1:0:9:7:::\n", "b:y:1:0:9:7:::\n")
	f.Fuzz(func(t *testing.T, have, aside string) {
		users := []User{{Name: "a"}, {Name: "b"}}
		shadow, rest := mergeShadow(users, have, aside)
		if strings.Count(shadow, "\n") != 2 || strings.Count(shadow, ":") != 16 {
			t.Errorf("shadow is %q", shadow)
		}
		again, restAgain := mergeShadow(users, shadow, rest)
		if again != shadow || restAgain != rest {
			t.Errorf("a second merge of %q, %q gives %q, %q", shadow, rest, again, restAgain)
		}
		// No line with a password is lost.
		for user, line := range shadowLines(have) {
			if kept := shadowLines(shadow + rest); !maps.Equal(map[string]string{user: kept[user]}, map[string]string{user: line}) {
				t.Errorf("line %q became %q", line, kept[user])
			}
		}
	})
}
