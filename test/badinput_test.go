package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// refuses holds that a run ended with code, that its message has the parts,
// and that it is a message and no accident.
func refuses(t *testing.T, r result, code int, parts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%s%s", r.code, code, r.stdout, r.stderr)
		return
	}
	if !strings.Contains(r.stderr, "reprise: ") {
		t.Errorf("no message:\n%s%s", r.stdout, r.stderr)
	}
	for _, part := range parts {
		if !strings.Contains(r.stderr, part) {
			t.Errorf("the message lacks %q:\n%s", part, r.stderr)
		}
	}
	for _, ugly := range []string{"goroutine ", "runtime error", "%!", "<nil>"} {
		if strings.Contains(r.stderr, ugly) {
			t.Errorf("the message holds %q:\n%s", ugly, r.stderr)
		}
	}
}

// listing returns the names, sizes and modes in a directory, hidden ones too.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		names = append(names, fmt.Sprint(path, " ", info.Mode(), " ", info.Size()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// unchanged holds that f leaves a directory as it was.
func unchanged(t *testing.T, dir string, f func()) {
	t.Helper()
	before := listing(t, dir)
	f()
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Errorf("%s changed (-before +after):\n%s", dir, diff)
	}
}

// sound holds that a store verifies, every byte of it.
func sound(t *testing.T, store string) {
	t.Helper()
	r := run(t, toolLimit, exec.Command(program, "--store", store, "store", "verify", "--contents"))
	if r.code != 0 {
		t.Errorf("store verify --contents: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// storeTemp is t.TempDir for a store: its directories are closed, and nobody
// but root can remove what is in them.
func storeTemp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if d != nil && d.IsDir() {
				os.Chmod(path, 0o755)
			}
			return nil
		})
	})
	return dir
}

// stanza finds one package of a lock.
func stanza(t *testing.T, lock, name string) string {
	t.Helper()
	for _, s := range strings.SplitAfter(lock, "\n\n") {
		if strings.HasPrefix(s, "Package: "+name+"\n") {
			return s
		}
	}
	t.Fatalf("no package %q in the lock", name)
	return ""
}

func sub(s, pattern, with string) string {
	return regexp.MustCompile("(?m)"+pattern).ReplaceAllString(s, with)
}

// TestLockEditedByHand changes the lock of a build in every way that a hand
// may, and holds that nothing is built that nobody asked for.
func TestLockEditedByHand(t *testing.T) {
	r := liveRig(t)
	data, err := os.ReadFile(r.lock)
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	less := stanza(t, good, "less")
	fresh := sub(less, `^NarHash: .*\n`, "") // makes the .deb needed again
	field := func(name string) string {
		return regexp.MustCompile(`(?m)^` + name + `: (.*)$`).FindStringSubmatch(less)[1]
	}
	flip := func(s string) string { // another last digit
		if strings.HasSuffix(s, "0") {
			return s[:len(s)-1] + "1"
		}
		return s[:len(s)-1] + "0"
	}
	otherNar := "sha256:" + strings.Replace(field("NarHash")[len("sha256:"):], field("NarHash")[20:21], map[bool]string{true: "1", false: "0"}[field("NarHash")[20] == '0'], 1)
	debName := filepath.Base(field("Path"))
	cases := []struct {
		name, lock string
		args       []string
		code       int
		parts      []string
	}{
		{"wrong SHA-256", strings.Replace(good, less, strings.Replace(fresh, field("SHA256"), flip(field("SHA256")), 1), 1), nil, 1,
			[]string{debName, field("SHA256"), flip(field("SHA256"))}},
		{"wrong size", strings.Replace(good, less, sub(fresh, `^Size: .*`, "Size: "+field("Size")+"0"), 1), nil, 1,
			[]string{debName, field("Size") + "0", field("Size")}},
		{"wrong NAR hash", strings.Replace(good, less, strings.Replace(less, field("NarHash"), otherNar, 1), 1), nil, 1,
			[]string{"less", field("NarHash")[len("sha256:"):], otherNar[len("sha256:"):]}},
		{"left the mirror", strings.Replace(good, less, sub(fresh, `^Path: .*`, "Path: pool/main/l/less/less_0.0-1_amd64.deb"), 1), nil, 1,
			[]string{"less_0.0-1_amd64.deb", "do:   run reprise update live-rig"}},
		{"unknown field", strings.Replace(good, less, "Colour: blue\n"+less, 1), nil, 3, []string{"x.lock:", "Colour"}},
		{"unknown field in a package", strings.Replace(good, less, sub(less, `^Size:`, "Sise:"), 1), nil, 3, []string{"x.lock:", "Sise", "Size is missing"}},
		{"no hash", strings.Replace(good, less, strings.Replace(less, field("SHA256"), "none", 1), 1), nil, 3, []string{"x.lock:", `SHA256 is "none"`}},
		{"path that climbs", strings.Replace(good, less, sub(less, `^Path: .*`, "Path: pool/../../etc/passwd"), 1), nil, 3, []string{"x.lock:", "Path"}},
		{"package twice", good + "\n" + less, nil, 3, []string{"x.lock:", "less"}},
		{"empty", "", nil, 3, []string{"x.lock:1", "empty"}},
		{"no text", "\x00\xff\x7fELF", nil, 3, []string{"x.lock:1"}},
		{"of the future", strings.Replace(good, "Lock: 1\n", "Lock: 99\n", 1), nil, 3, []string{"x.lock:1", "99"}},
		{"another request", sub(good, `^(Roots: .*) less( .*)$`, "$1$2"), []string{"--locked"}, 3,
			[]string{"x.lock", "does not serve the configuration", "do:   build without --locked, or run reprise lock"}},
		{"root removed", strings.Replace(good, less, "", 1), nil, 3, []string{"x.lock: lacks \"less\"", "do:   undo the change of the lock, or remove the lock and build again"}},
		{"dependency removed", strings.Replace(good, stanza(t, good, "libtinfo6"), "", 1), nil, 3, []string{"x.lock: lacks \"libtinfo6", "what package \"less\" depends on"}},
	}
	dir := t.TempDir()
	lock := filepath.Join(dir, "x.lock")
	// Where a .deb is known by its hash nothing is asked from the mirror, so
	// these run in a store that has nothing yet.
	cold, m := filepath.Join(storeTemp(t), "store"), localMirror(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.lock == good {
				t.Fatal("the edit changed nothing")
			}
			if err := os.WriteFile(lock, []byte(c.lock), 0o644); err != nil {
				t.Fatal(err)
			}
			unchanged(t, dir, func() {
				args := append([]string{"--store", store, "build", "live-rig", "--authorize", r.keyFile + ".pub", "-o", filepath.Join(dir, "x.img")}, c.args...)
				if strings.Contains(c.name, "size") || strings.Contains(c.name, "mirror") {
					args[1] = cold
					args = append(args, m.flag())
				}
				refuses(t, run(t, buildLimit, exec.Command(program, args...)), c.code, c.parts...)
			})
			if after, _ := os.ReadFile(lock); string(after) != c.lock {
				t.Error("the lock was written over")
			}
		})
	}
	sound(t, store)
	sound(t, cold)
}

// TestMirrorFails asks mirrors that are not there, are no mirror, and die in
// the middle.
func TestMirrorFails(t *testing.T) {
	m := localMirror(t)
	dir := storeTemp(t)
	own := filepath.Join(dir, "store")
	out := filepath.Join(dir, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	lock := func(url string) result {
		return run(t, toolLimit, exec.Command(program, "--store", own, "--mirror", url, "lock", "live-rig", "--lock", filepath.Join(out, "x.lock")))
	}
	unchanged(t, out, func() {
		refuses(t, lock("http://127.0.0.1:1/archive"), 1, "http://127.0.0.1:1/archive", "connection refused", "do: ")
		refuses(t, lock("http://no-such-host.invalid/archive"), 1, "no-such-host.invalid", "do: ")
		refuses(t, lock(m.URL+"/nothing"), 1, "404", "do: ")
		refuses(t, lock("file:///nosuch"), 1, "/nosuch", "do: ")
		refuses(t, run(t, toolLimit, exec.Command(program, "--store", filepath.Join(dir, "new"), "--offline", "lock", "live-rig", "--lock", filepath.Join(out, "x.lock"))), 1, "offline", "do: ")
	})

	r := liveRig(t)
	copyFile(t, r.lock, filepath.Join(out, "x.lock"))
	build := exec.Command(program, "--store", own, m.flag(), "build", "live-rig", "--authorize", r.keyFile+".pub", "-o", filepath.Join(out, "x.img"))
	m.dies(t, 30<<20)
	unchanged(t, out, func() {
		refuses(t, run(t, buildLimit, build), 1, m.URL, ".deb", "do: ")
	})
	sound(t, own)

	// The mirror is back: what had come is not asked again.
	m = localMirror(t)
	m.dies(t, 1<<40)
	if after := run(t, buildLimit, build); after.code != 0 {
		t.Fatalf("after the mirror is back: %+v", after)
	}
	sound(t, own)
	if got, want := sum(t, filepath.Join(out, "x.img")), sum(t, r.image); got != want {
		t.Errorf("the image has SHA-256 %s, that of another store %s", got, want)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestUnknownPackages holds that every unknown name is told at its line, with
// the names it is near to.
func TestUnknownPackages(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "studio.jsonnet")
	text := `(import 'reprise/live-rig.jsonnet') + {
  environment+: {
    systemPackages+: [
      'ardor',
      'jackd22',
      'frobnicate-the-stage',
    ],
  },
}
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	unchanged(t, dir, func() {
		for _, verb := range []string{"lock", "build"} {
			args := []string{verb, file}
			if verb == "build" {
				args = append(args, "--authorize", liveRig(t).keyFile+".pub", "-o", filepath.Join(dir, "studio.img"))
			}
			refuses(t, reprise(t, toolLimit, args...), 3, "studio.jsonnet:4:", `"ardor"`, "ardour",
				"studio.jsonnet:5:", `"jackd22"`, "jackd2", "studio.jsonnet:6:", `"frobnicate-the-stage"`)
		}
	})
	refuses(t, reprise(t, toolLimit, "tool", "-p", "gdiskk", "--", "sgdisk"), 3, `"gdiskk"`, "do:   write gdisk")
}
