package test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reprise/internal/atomicfile"
)

// onSmallDisk is the word that makes this test binary run programs with a
// small file system mounted, in a mount namespace of its own.
const onSmallDisk = "on-small-disk"

// A smallDisk says what to run there.
type smallDisk struct {
	Dir    string // where the file system is
	MiB    int
	Copy   map[string]string // file in Dir → file to copy to it first
	Argvs  [][]string
	Report string // file that gets the []smallRun
}

type smallRun struct {
	Code   int
	Output string
	Left   []string // names in Dir afterwards, two levels deep
}

// smallDiskMain is the process in the namespace.
func smallDiskMain(spec string) error {
	var d smallDisk
	if err := json.Unmarshal([]byte(spec), &d); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	if err := unix.Mount("small", d.Dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", d.MiB)); err != nil {
		return fmt.Errorf("mount a small disk: %w", err)
	}
	for to, from := range d.Copy {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(d.Dir, to), data, 0o644); err != nil {
			return err
		}
	}
	var runs []smallRun
	for _, argv := range d.Argvs {
		c := exec.Command(argv[0], argv[1:]...)
		out, _ := c.CombinedOutput()
		r := smallRun{Code: c.ProcessState.ExitCode(), Output: string(out)}
		for _, pattern := range []string{"*", ".*", "*/*", "*/nix/var/reprise/tmp/*"} {
			names, err := filepath.Glob(filepath.Join(d.Dir, pattern))
			if err != nil {
				return err
			}
			r.Left = append(r.Left, names...)
		}
		runs = append(runs, r)
	}
	data, err := json.Marshal(runs)
	if err != nil {
		return err
	}
	return os.WriteFile(d.Report, data, 0o644)
}

// runSmall runs argvs on a file system of so many MiB at the returned place of
// the spec.
func runSmall(t *testing.T, d smallDisk) []smallRun {
	t.Helper()
	d.Report = filepath.Join(t.TempDir(), "report")
	spec, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/proc/self/exe", onSmallDisk, string(spec))
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		c.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	timer := time.AfterFunc(buildLimit, func() { c.Process.Signal(os.Interrupt) })
	defer timer.Stop()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", onSmallDisk, err, out)
	}
	data, err := os.ReadFile(d.Report)
	if err != nil {
		t.Fatal(err)
	}
	var runs []smallRun
	if err := json.Unmarshal(data, &runs); err != nil {
		t.Fatal(err)
	}
	return runs
}

// TestFullDisk writes an image, and keeps a store, where too little room is.
// The message says so, nothing half written stays, and the store is sound and
// can be cleaned.
func TestFullDisk(t *testing.T) {
	r, m := liveRig(t), localMirror(t)
	dir := t.TempDir()
	build := []string{program, "build", "live-rig", "--authorize", r.keyFile + ".pub"}

	// The image: 470 MiB where 100 fit.
	runs := runSmall(t, smallDisk{Dir: dir, MiB: 100, Copy: map[string]string{"x.lock": r.lock},
		Argvs: [][]string{append(build, "--store", store, "-o", filepath.Join(dir, "x.img"))}})
	refuses(t, result{stderr: runs[0].Output, code: runs[0].Code}, 1, "x.img", "no space left on device", "do:   make room")
	if got := strings.Join(runs[0].Left, " "); got != filepath.Join(dir, "x.lock") {
		t.Errorf("left beside the image: %s", got)
	}

	// The store: while it downloads, and while it unpacks. The packages are
	// 173 MiB, one of them 100; unpacked they are some 420.
	for _, size := range []int{60, 330} {
		lock := filepath.Join(t.TempDir(), "x.lock")
		copyFile(t, r.lock, lock)
		own := []string{"--store", filepath.Join(dir, "store")}
		verify := append([]string{program, "store", "verify", "--contents"}, own...)
		runs := runSmall(t, smallDisk{Dir: dir, MiB: size, Argvs: [][]string{
			append(append(build, "--lock", lock, m.flag(), "-o", strings.TrimSuffix(lock, "lock")+"img"), own...),
			verify,
			append([]string{program, "store", "gc"}, own...),
			verify,
		}})
		refuses(t, result{stderr: runs[0].Output, code: runs[0].Code}, 1, "no space left on device", "do:   make room")
		for i, what := range []string{"", "verify", "gc", "verify after gc"} {
			if i > 0 && runs[i].Code != 0 {
				t.Errorf("%d MiB: %s: %+v", size, what, runs[i])
			}
		}
		for _, name := range runs[0].Left {
			if strings.Contains(name, "/tmp/") && strings.Contains(name, "/nix/var/") {
				t.Errorf("%d MiB: left in the store: %s", size, name)
			}
		}
		if names := listing(t, filepath.Dir(lock)); len(names) != 2 {
			t.Errorf("%d MiB: beside the image: %q", size, names)
		}
	}
	sound(t, store)
}

// TestUnwritable runs as an ordinary user, who may not write everywhere.
func TestUnwritable(t *testing.T) {
	r := liveRig(t)
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o555); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(r.keyFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	ordinary := func(args ...string) result {
		t.Helper()
		c := exec.Command(program, args...)
		c.Dir = "/"
		c.Env = []string{"HOME=" + closed, "PATH=" + os.Getenv("PATH")}
		if os.Geteuid() == 0 {
			// Nobody's ids; the directories above are open to all.
			for up := closed; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
				if up != closed {
					os.Chmod(up, 0o755)
				}
			}
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		return run(t, toolLimit, c)
	}
	unchanged(t, dir, func() {
		image := filepath.Join(closed, "x.img")
		refuses(t, ordinary("build", "live-rig", "--authorize", string(key), "-o", image), 1,
			image+": cannot be written", "permission denied", "want: a directory that you may write to", "do:   choose another place with -o")
		refuses(t, ordinary("lock", "live-rig", "--lock", filepath.Join(closed, "x.lock")), 1, "permission denied", "do:   choose another place with --lock")
		refuses(t, ordinary("docs", filepath.Join(closed, "man")), 1, "permission denied")
		// The store of this user would be below the closed home.
		refuses(t, ordinary("tool", "-p", "less", "--", "less"), 1, closed, "permission denied")
	})
}

// TestSameOutput builds to a place that another process writes, which may have
// any store: this one has none.
func TestSameOutput(t *testing.T) {
	r := liveRig(t)
	dir := t.TempDir()
	copyFile(t, r.lock, filepath.Join(dir, "x.lock"))
	image := filepath.Join(dir, "x.img")
	build := []string{"build", "live-rig", "--authorize", r.keyFile + ".pub", "-o", image}
	release, err := atomicfile.Own(image)
	if err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(dir, atomicfile.TempPrefix+"x.img-17")
	if err := os.WriteFile(theirs, []byte("half an image"), 0o644); err != nil {
		t.Fatal(err)
	}
	unchanged(t, dir, func() {
		refuses(t, reprise(t, buildLimit, build...), 1, image+": is being written by another reprise build", "do:   wait for it")
	})
	release()
	must(t, buildLimit, build...)
	if names := listing(t, dir); len(names) != 3 {
		t.Errorf("beside the image: %q", names)
	}
}
