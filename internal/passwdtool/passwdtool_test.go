package passwdtool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary plays two more parts: the program that changes passwords
// (called by its name), and the caller inside a user namespace, where mounts
// are allowed.
func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "passwd":
		os.Exit(fakePasswd(os.Args[1:]))
	case os.Getenv("PASSWDTOOL_TEST") != "":
		dir := os.Getenv("PASSWDTOOL_TEST")
		code, err := layout(dir).Run(os.Args[1], os.Args[2:])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// fakePasswd does what pam_unix does: a new file beside shadow, renamed.
func fakePasswd(args []string) int {
	etc := args[0]
	fmt.Println(strings.Join(os.Environ(), " "))
	data, err := os.ReadFile(filepath.Join(etc, "shadow"))
	if err != nil {
		fmt.Println(err)
		return 3
	}
	text := string(data)
	// Nobody is kept waiting while this program asks a person.
	state := filepath.Join(filepath.Dir(etc), "state")
	unlock, err := Layout{State: state}.lock(0)
	if err != nil {
		fmt.Println(err)
		return 4
	}
	unlock()
	switch args[1] {
	case "set":
		text = strings.Replace(text, "rig:*:", "rig:$y$hash:", 1)
	case "lose":
		_, text, _ = strings.Cut(text, "\n")
	case "cut":
		text = text[:len(text)-9]
	case "fail":
		text = "x\n"
	case "meanwhile", "meanwhile-nothing":
		if args[1] == "meanwhile" {
			text = strings.Replace(text, "rig:*:", "rig:$y$hash:", 1)
		}
		if err := os.WriteFile(filepath.Join(state, "gshadow"), []byte(others), 0o640); err != nil {
			fmt.Println(err)
			return 3
		}
	}
	if err := os.WriteFile(filepath.Join(etc, "nshadow"), []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return 3
	}
	if err := os.Rename(filepath.Join(etc, "nshadow"), filepath.Join(etc, "shadow")); err != nil {
		fmt.Println(err)
		return 3
	}
	if args[1] == "fail" {
		return 10
	}
	return 0
}

func layout(dir string) Layout {
	return Layout{Etc: dir + "/etc", Tools: dir + "/tools", State: dir + "/state", Scratch: dir + "/scratch"}
}

const (
	shadow  = "rig:*::0:99999:7:::\nroot:*::0:99999:7:::\n"
	gshadow = "audio:*::rig\n"
	others  = "audio:*::rig,root\n" // gshadow as somebody else leaves it
)

// machineAt lays a machine out: /etc with links, state, the program.
func machineAt(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"etc", "tools", "state"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		os.WriteFile(dir+"/state/shadow", []byte(shadow), 0o640),
		os.WriteFile(dir+"/state/gshadow", []byte(gshadow), 0o640),
		os.Symlink(dir+"/state/shadow", dir+"/etc/shadow"),
		os.Symlink(dir+"/state/gshadow", dir+"/etc/gshadow"),
		os.Symlink("/nowhere/.pwd.lock", dir+"/etc/.pwd.lock"),
		os.Symlink(self, dir+"/tools/passwd"),
	)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// run calls the tool as root of a new user namespace.
func run(t *testing.T, dir string, args ...string) (string, int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "PASSWDTOOL_TEST="+dir, "PYTHONPATH=/tmp/evil", "LANG=de_DE.UTF-8", "LC_ALL=/tmp/evil")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestRun(t *testing.T) {
	for _, test := range []struct {
		action string
		code   int
		shadow string
		group  string // gshadow
		says   string
	}{
		{"set", 0, strings.Replace(shadow, "rig:*:", "rig:$y$hash:", 1), gshadow, ""},
		{"nothing", 0, shadow, gshadow, ""},
		{"fail", 10, shadow, gshadow, ""},
		{"lose", 1, shadow, gshadow, "is gone"},
		{"cut", 1, shadow, gshadow, "not of its form"},
		{"meanwhile", 1, shadow, others, "gshadow was changed meanwhile; nothing of yours is kept, try again"},
		{"meanwhile-nothing", 0, shadow, others, ""},
	} {
		dir := machineAt(t)
		out, code := run(t, dir, "passwd", dir+"/etc", test.action)
		if code != test.code || !strings.Contains(out, test.says) {
			t.Errorf("%s: exit %d, want %d; says\n%s", test.action, code, test.code, out)
		}
		if strings.Contains(out, "evil") || !strings.Contains(out, "LANG=de_DE.UTF-8") {
			t.Errorf("%s: the program's environment is\n%s", test.action, out)
		}
		for name, want := range map[string]string{"shadow": test.shadow, "gshadow": test.group} {
			got, err := os.ReadFile(filepath.Join(dir, "state", name))
			if err != nil || string(got) != want {
				t.Errorf("%s: %s is %q, %v, want %q", test.action, name, got, err, want)
			}
			if info, err := os.Stat(filepath.Join(dir, "state", name)); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("%s: %s has mode %v, %v", test.action, name, info.Mode(), err)
			}
		}
		// Nothing of it shows outside.
		if to, err := os.Readlink(dir + "/etc/shadow"); err != nil || to != dir+"/state/shadow" {
			t.Errorf("%s: /etc/shadow is %q, %v", test.action, to, err)
		}
		if left, err := filepath.Glob(dir + "/state/" + ".reprise-tmp-*"); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind %q, %v", test.action, left, err)
		}
	}
}

func TestLockHeld(t *testing.T) {
	l := Layout{State: t.TempDir()}
	unlock, err := l.lock(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.lock(20 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("held by another: %v", err)
	}
	unlock()
	if unlock, err = l.lock(0); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestRunRefuses(t *testing.T) {
	dir := machineAt(t)
	if out, code := run(t, dir, "sh", "-c", "id"); code == 0 || !strings.Contains(out, "no program of the state tool") {
		t.Errorf("another program: exit %d\n%s", code, out)
	}
	if err := os.Remove(dir + "/state/shadow"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", dir+"/state/shadow"); err != nil {
		t.Fatal(err)
	}
	if out, code := run(t, dir, "passwd", dir+"/etc", "set"); code == 0 || !strings.Contains(out, "no regular file") {
		t.Errorf("shadow is a link: exit %d\n%s", code, out)
	}
}

func FuzzPlausible(f *testing.F) {
	f.Add([]byte(shadow))
	f.Fuzz(func(t *testing.T, after []byte) {
		if plausible("shadow", []byte(shadow), after) == nil && !bytes.Contains(append([]byte("\n"), after...), []byte("\nroot:")) {
			t.Errorf("%q has no root and is plausible", after)
		}
	})
}
