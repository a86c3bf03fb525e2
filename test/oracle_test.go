package test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/internal/archive"
	"reprise/internal/effect/oracle"
	"reprise/internal/lock"
	"reprise/internal/recipe"
)

var record = flag.Bool("record", false, "TestOracle: run Debian's scripts for every set and keep what they made (root; 15 minutes)")

const recordings = "../internal/effect/oracle/testdata"

// recordLimit is five times what mmdebstrap took for the desktop.
const recordLimit = time.Hour

// TestOracle holds a machine of ours against a root that Debian's own tools
// made of the same packages with all maintainer scripts and triggers. What
// differs stands in internal/effect/oracle with its reason.
//
// The judge is mmdebstrap. It needs real root and, for the desktop, a quarter
// of an hour, so its answers are recorded; the live-rig is asked anew whenever
// the test runs as root. To record again:
//
//	go test ./test -run TestOracle -record -timeout 2h
func TestOracle(t *testing.T) {
	rules, err := oracle.Rules()
	if err != nil {
		t.Fatal(err)
	}
	idle := map[string]int{} // place of a rule: judges that it was of no use to
	judges, whole := 0, true
	hold := func(t *testing.T, set string, judge *oracle.Listing, m *machine) {
		t.Helper()
		v, err := oracle.Compare(set, judge, m.tree, rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range v.Problems {
			t.Error(p)
		}
		judges++
		for _, r := range v.Idle {
			idle[r.Place]++
		}
		t.Logf("%d packages, %d paths compared, %d differences explained, %d not judged because packages have moved", len(judge.Packages), v.Compared, v.Explained, len(v.Moved))
		if len(v.Moved) > 0 {
			t.Logf("time to record again: %v", v.Moved[:min(len(v.Moved), 20)])
		}
	}
	sets := 0
	for _, set := range []struct {
		name    string
		make    func(*testing.T) *machine
		atLeast int  // packages
		live    bool // fast enough to be asked anew
	}{
		{name: "live-rig", make: func(t *testing.T) *machine {
			r := liveRig(t)
			return inspect(t, r.system, r.lock)
		}, atLeast: 150, live: true},
		{name: "desktop", make: func(t *testing.T) *machine {
			system, lock := desktop(t)
			return inspect(t, system, lock)
		}, atLeast: 500},
	} {
		t.Run(set.name, func(t *testing.T) {
			sets++
			m := set.make(t)
			if n := len(m.tree.Packages); n < set.atLeast {
				t.Errorf("%d packages, want %d or more", n, set.atLeast)
			}
			t.Run("packages", func(t *testing.T) { hold(t, set.name, m.packaged, m) })
			file := filepath.Join(recordings, set.name+".json.gz")
			switch isRoot := os.Geteuid() == 0; {
			case isRoot && (*record || set.live):
				t.Run("live", func(t *testing.T) {
					judge := debian(t, m)
					if *record {
						writeRecording(t, file, judge.Recorded())
					}
					hold(t, set.name, judge, m)
				})
			case *record:
				t.Fatal("-record needs root: mmdebstrap does")
			case set.live:
				whole = false // a recording does not tell all
			}
			t.Run("recorded", func(t *testing.T) { hold(t, set.name, readRecording(t, file), m) })
		})
	}
	if whole && sets == 2 && !t.Failed() {
		for _, r := range rules {
			if idle[r.Place] == judges {
				t.Errorf("%s: nothing needs the rule for %q", r.Place, r.Pattern)
			}
		}
	}
}

// desktop builds a machine of some hundred packages and returns its system and
// its lock.
func desktop(t *testing.T) (system, lockFile string) {
	t.Helper()
	dir := t.TempDir()
	lockFile = filepath.Join(dir, "desktop.lock")
	c := exec.Command(program, "--store", store, "build", "testdata/desktop.jsonnet", "--authorize", "auto", "--lock", lockFile, "-o", filepath.Join(dir, "desktop.img"))
	c.Env = append(os.Environ(), "HOME="+dir)
	r := run(t, buildLimit, c)
	if r.code != 0 {
		t.Fatalf("build the desktop: exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	for line := range strings.Lines(r.stdout) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "system "); ok {
			return path, lockFile
		}
	}
	t.Fatalf("the build names no system:\n%s", r.stdout)
	return "", ""
}

// systemPackages reads what a machine consists of from its lock.
func systemPackages(t *testing.T, lockFile string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	l, err := lock.Parse(lockFile, data)
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]string{}
	for _, p := range l.In(recipe.SystemSet) {
		packages[p.Name] = p.Version
	}
	return packages
}

// judgeTools are mmdebstrap and what it calls without saying so, because every
// Debian system has it.
const judgeTools = "mmdebstrap,debian-archive-keyring,ca-certificates,bash,coreutils,dash,debianutils,diffutils,dpkg,findutils,grep,gzip,hostname,libc-bin,mount,passwd,perl-base,sed,tar,util-linux,xz-utils"

// debian lets mmdebstrap make a root of the packages of m, scripts and all.
func debian(t *testing.T, m *machine) *oracle.Listing {
	t.Helper()
	sources, err := archive.MachineSources(os.DirFS("/"), os.Getenv("REPRISE_MIRROR"))
	if err != nil {
		t.Fatal(err)
	}
	var include []string
	for name, version := range m.tree.Packages {
		include = append(include, name+"="+version)
	}
	slices.Sort(include)
	args := []string{"--store", store, "tool", "-q", "-p", judgeTools, "--all-ids", "--nests", "--network", "--bind", t.TempDir() + ":/out:rw",
		"--env", "TMPDIR=/out", "--env", "LC_ALL=C", "--", "mmdebstrap", "--quiet", "--mode=root", "--variant=custom", "--format=tar", "--include=" + strings.Join(include, ","), "trixie", "-"}
	for _, s := range sources {
		args = append(args, fmt.Sprintf("deb %s %s %s", s.URL, s.Suite, strings.Join(s.Components, " ")))
	}
	read, write := io.Pipe()
	type answer struct {
		listing *oracle.Listing
		err     error
	}
	listed := make(chan answer)
	go func() {
		l, err := oracle.ReadTar(read)
		io.Copy(io.Discard, read) // the archive's padding, or what cannot be read
		listed <- answer{l, err}
	}()
	started := time.Now()
	var said bytes.Buffer
	c := exec.CommandContext(t.Context(), program, args...)
	c.Stdout, c.Stderr = write, &said
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = time.Minute
	timer := time.AfterFunc(recordLimit, func() { c.Process.Signal(os.Interrupt) })
	err = c.Run()
	timer.Stop()
	write.Close()
	a := <-listed
	if err := errors.Join(err, a.err); err != nil {
		t.Fatalf("mmdebstrap: %v\n%s", err, &said)
	}
	t.Logf("mmdebstrap took %s", time.Since(started).Round(time.Second))
	return a.listing
}

func readRecording(t *testing.T, file string) *oracle.Listing {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	l, err := oracle.ParseListing(z)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func writeRecording(t *testing.T, file string, l *oracle.Listing) {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Encode(z), z.Close(), os.WriteFile(file, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// kindOf turns a file's mode into oracle's word.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return oracle.Dir
	case mode.IsRegular():
		return oracle.File
	case mode.Type() == fs.ModeSymlink:
		return oracle.Link
	}
	return oracle.Device
}
