package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain makes the test binary its own sandbox-init, and the process whose
// death and whose poverty some tests look at.
func TestMain(m *testing.M) {
	Init(inProcess)
	if what := os.Getenv(roleEnv); what != "" {
		os.Exit(role(what))
	}
	os.Exit(m.Run())
}

// roleEnv makes the test binary do one Run and tell how it ended.
const roleEnv = "REPRISE_SANDBOX_ROLE"

// inProcess is what Spec.InProcess calls in these tests.
func inProcess(argv []string) int {
	switch argv[1] {
	case "exit":
		code, _ := strconv.Atoi(argv[2])
		return code
	}
	fmt.Println(os.Getpid(), os.Getuid(), os.Args, os.Environ())
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "CapEff") || strings.HasPrefix(line, "NoNewPrivs") {
			fmt.Print(line)
		}
	}
	panic("an end without a report")
}

// compile builds testdata/probe once: static, for there is no dynamic loader
// in an empty root.
var compile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "reprise-probe-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "probe")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", name, "./testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(name)
})

// probing adds to spec the probe at /probe as the program to run.
func probing(t *testing.T, spec Spec, args ...string) Spec {
	t.Helper()
	content, err := compile()
	if err != nil {
		t.Fatal(err)
	}
	probe := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(probe, content, 0o755); err != nil {
		t.Fatal(err)
	}
	spec.Binds = append([]Bind{{Source: probe, Target: "/probe"}}, spec.Binds...)
	spec.Argv = append([]string{"/probe"}, args...)
	return spec
}

// inside runs the probe in a sandbox and returns what it printed.
func inside(t *testing.T, spec Spec, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	spec = probing(t, spec, args...)
	spec.Stdout, spec.Stderr = &out, &out
	err := Run(ctx, spec)
	return strings.TrimSpace(out.String()), err
}

func fill(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("text\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestInside(t *testing.T) {
	dir := fill(t, "file", "deep/down/file")
	rw := t.TempDir()
	tree := fill(t, "usr/bin/tool", "etc/conf", "top", "var/tmp/.keep")
	if err := os.Symlink("usr/bin", filepath.Join(tree, "bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(tree, "home"), 0o755); err != nil {
		t.Fatal(err)
	}
	in := Bind{Source: dir, Target: "/in/here"}
	tests := []struct {
		name string
		spec Spec
		args []string
		want string
	}{
		{"only what is declared", Spec{Binds: []Bind{in}}, []string{"list", "/", "/in", "/in/here", "/dev", "/etc"},
			"/: dev etc in probe proc\n/in: here\n/in/here: deep file\n" +
				"/dev: fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n/etc: group hosts passwd"},
		{"one file", Spec{Binds: []Bind{{Source: dir + "/file", Target: "/a/b/c"}}}, []string{"cat", "/a/b/c"}, "text"},
		{"one in another", Spec{Binds: []Bind{{Source: dir + "/file", Target: "/in/deep/file2"}, {Source: rw, Target: "/in/deep", Writable: true}, {Source: dir, Target: "/in"}}},
			[]string{"list", "/in", "/in/deep"}, "/in: deep file\n/in/deep: file2"},
		{"tmpfs", Spec{Tmpfs: []string{"/tmp", "/var/x"}}, []string{"write", "/var/x/file", "x"}, ""},
		{"a tree", Spec{Root: tree, Binds: []Bind{in}, Tmpfs: []string{"/var/tmp"}}, []string{"list", "/", "/usr/bin", "/bin", "/in/here", "/var/tmp"},
			"/: bin dev etc home in probe proc top usr var\n/usr/bin: tool\n/bin: tool\n/in/here: deep file\n/var/tmp:"},
		{"below an empty directory of a tree", Spec{Root: tree, Binds: []Bind{{Source: dir, Target: "/home/me/store"}}}, []string{"list", "/home/me/store"}, "/home/me/store: deep file"},
		{"a build's identity", Spec{Env: []string{"A=b", "PATH=/"}, Dir: "/etc"}, []string{"self"}, "1000 100 localhost /etc 022 [A=b PATH=/]"},
		{"root's identity", Spec{AsRoot: true, Hostname: "studio"}, []string{"self"}, "0 0 studio / 022 []"},
		{"no capabilities", Spec{}, []string{"status", "CapPrm", "CapEff", "CapInh", "CapAmb", "NoNewPrivs"},
			"CapInh 0000000000000000\nCapPrm 0000000000000000\nCapEff 0000000000000000\nCapAmb 0000000000000000\nNoNewPrivs 1"},
		{"devices", Spec{}, []string{"devices"}, "2 in /dev/pts"},
		{"loopback only", Spec{}, []string{"loopback"}, "lo"},
		{"an orphan", Spec{}, []string{"orphan"}, ""},
		{"a nested user namespace", Spec{}, []string{"nested"}, "0 0 localhost / 022 []"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := inside(t, test.spec, test.args...)
			if err != nil || strings.TrimSpace(strings.ReplaceAll(got, ": \n", ":\n")) != test.want {
				t.Errorf("%v, inside:\n%s\nwant:\n%s", err, got, test.want)
			}
		})
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("the host's directory holds %v", left)
	}
}

func TestRefused(t *testing.T) {
	dir := fill(t, "file")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	spec := Spec{Binds: []Bind{{Source: dir, Target: "/in"}}, Tmpfs: []string{"/tmp"}}
	got, err := inside(t, spec, "refused", dir, listener.Addr().String())
	if err != nil || got != "" {
		t.Errorf("%v\n%s", err, got)
	}
	spec.Network = true
	if got, err = inside(t, spec, "refused", dir, listener.Addr().String()); err != nil || got != "could reach the network" {
		t.Errorf("with the network: %v\n%s", err, got)
	}
}

// TestRootCannotUndoMounts: a tool root's files are the store's own, so what is
// shown read-only must stay so, for a root too.
func TestRootCannotUndoMounts(t *testing.T) {
	dir := fill(t, "file")
	spec := Spec{AsRoot: true, Binds: []Bind{{Source: dir, Target: "/in"}}, Tmpfs: []string{"/tmp"}}
	no, readOnly := unix.EPERM.Error(), "open /in/file: "+unix.EROFS.Error()
	denied := "remount: " + no + "\nunmount: " + no + "\nunmount /proc/sys: " + no + "\nmount: " + no + "\nwrite: " + readOnly
	// In a user namespace of its own it may mount, over what it does not own.
	locked := "remount: " + no + "\nunmount: " + unix.EINVAL.Error() + "\nunmount /proc/sys: " + unix.EINVAL.Error() + "\nmount: <nil>\nwrite: " + readOnly
	for _, all := range []bool{false, true} {
		if all && os.Geteuid() != 0 {
			break
		}
		spec.AllIDs = all
		got, err := inside(t, spec, "remount", "nested")
		if want := denied + "\n" + locked; err != nil || got != want {
			t.Errorf("all ids %v: %v, inside:\n%s\nwant:\n%s", all, err, got, want)
		}
		const admin = 1 << unix.CAP_SYS_ADMIN
		got, err = inside(t, spec, "status", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
		if err != nil || strings.Count(got, "\n") != 4 {
			t.Errorf("%v %s", err, got)
		}
		for line := range strings.Lines(got) {
			name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
			if set, err := strconv.ParseUint(digits, 16, 64); err != nil || set&admin != 0 {
				t.Errorf("%s: %s %v", name, digits, err)
			} else if name == "CapEff" && set&(1<<unix.CAP_CHOWN|1<<unix.CAP_DAC_OVERRIDE) == 0 {
				t.Errorf("nothing of root is left: %s", digits)
			}
		}
	}
	// No thread of process 1 has kept it for the program to take. That process
	// is the probe's, for a test binary with cgo cannot reach its threads.
	got, err := inside(t, Spec{AsRoot: true, Nests: true}, "run-as-root", "threads", "CapPrm")
	if err != nil || got == "" {
		t.Errorf("%v %s", err, got)
	}
	for line := range strings.Lines(got) {
		if set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64); err != nil || set&(1<<unix.CAP_SYS_ADMIN) != 0 {
			t.Errorf("a thread of process 1 has %s %v", line, err)
		}
	}
	if content, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(content) != "text\n" {
		t.Errorf("the file is %q, %v", content, err)
	}
	spec.Nests = true
	if got, err := inside(t, spec, "remount"); err != nil || !strings.Contains(got, "\nmount: <nil>") {
		t.Errorf("a program that nests: %v %s", err, got)
	}
}

func TestWritable(t *testing.T) {
	out, tree := t.TempDir(), fill(t, "usr/file")
	if got, err := inside(t, Spec{Binds: []Bind{{Source: out, Target: "/out", Writable: true}}}, "write", "/out/file", "x"); err != nil {
		t.Errorf("%v %s", err, got)
	}
	info, err := os.Stat(filepath.Join(out, "file"))
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != os.Geteuid() {
		t.Errorf("the file belongs to %d", uid)
	}
	var exit *ExitError
	if got, err := inside(t, Spec{Root: tree}, "write", "/usr/file", "x"); !errors.As(err, &exit) {
		t.Errorf("wrote a read-only tree: %v %s", err, got)
	}
	if got, err := inside(t, Spec{Root: tree, RootWritable: true}, "write", "/usr/file", "x"); err != nil {
		t.Errorf("%v %s", err, got)
	}
}

func TestExit(t *testing.T) {
	var exit *ExitError
	if out, err := inside(t, Spec{}, "exit", "7"); !errors.As(err, &exit) || exit.Code != 7 || exit.Status() != 7 || out != "leaving" {
		t.Errorf("exit 7: %v %q", err, out)
	}
	if _, err := inside(t, Spec{}, "die"); !errors.As(err, &exit) || exit.Signal != syscall.SIGTERM || exit.Status() != 143 || exit.Error() != "ended by signal 15 (SIGTERM)" {
		t.Errorf("killed: %v", err)
	}
	if _, err := inside(t, Spec{InProcess: true}, "exit", "9"); !errors.As(err, &exit) || exit.Code != 9 {
		t.Errorf("in process: %v", err)
	}
}

func TestInProcess(t *testing.T) {
	var out bytes.Buffer
	spec := probing(t, Spec{InProcess: true, Env: []string{"A=b"}}, "tell")
	spec.Stdout = &out
	err := Run(t.Context(), spec)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 2 { // the panic's
		t.Errorf("panic: %v", err)
	}
	got := strings.Join(strings.Fields(out.String()), " ")
	if want := "1 1000 [/probe tell] [A=b] CapEff: 0000000000000000 NoNewPrivs: 1"; got != want {
		t.Errorf("inside: %s, want %s", got, want)
	}
}

func TestChroot(t *testing.T) {
	tree, out := fill(t, "usr/file"), t.TempDir()
	spec := Spec{Tmpfs: []string{"/tmp"}, Binds: []Bind{{Source: tree, Target: "/tree"}, {Source: out, Target: "/out", Writable: true}}}
	for _, test := range []struct{ args, want string }{
		{"list / /usr", "/: dev new out proc tmp usr\n/usr: file"},
		{"write /out/made by-the-inner", ""},
		{"devices", ""},
	} {
		got, err := inside(t, spec, append([]string{"chroot"}, strings.Fields(test.args)...)...)
		if err != nil || test.want != "" && got != test.want {
			t.Errorf("%s: %v\n%s", test.args, err, got)
		}
	}
	if b, err := os.ReadFile(filepath.Join(out, "made")); err != nil || string(b) != "by-the-inner" {
		t.Errorf("made: %q %v", b, err)
	}
	if entries, err := os.ReadDir(tree); err != nil || len(entries) != 1 {
		t.Errorf("the tree holds %v now", entries)
	}
}

// TestSandboxInSandbox looks who is process 1 in the inner /proc: its own
// sandbox-init where the outer sandbox lets it mount one, else still one.
func TestSandboxInSandbox(t *testing.T) {
	for _, spec := range []Spec{{}, {AsRoot: true}, {AsRoot: true, Nests: true}} {
		got, err := inside(t, spec, "run", "cat", "/proc/1/cmdline")
		if err != nil || !strings.HasPrefix(got, "reprise\x00sandbox-init\x00") {
			t.Errorf("%+v: %v %q", spec, err, got)
		}
	}
	got, err := inside(t, Spec{AsRoot: true, Nests: true}, "run", "list", "/proc")
	if processes := regexp.MustCompile(`\b[0-9]+\b`).FindAllString(got, -1); err != nil || len(processes) != 2 {
		t.Errorf("%v: the inner sandbox sees the processes %v", err, processes)
	}
}

func TestErrors(t *testing.T) {
	dir := fill(t, "file", "script")
	if err := os.WriteFile(dir+"/script", []byte("#!/no/shell\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir+"/script", 0o755); err != nil {
		t.Fatal(err)
	}
	in := []Bind{{Source: dir, Target: "/in"}}
	for _, test := range []struct {
		spec Spec
		want string
	}{
		{Spec{}, "no program is named"},
		{Spec{Argv: []string{"/nowhere"}}, `execute "/nowhere": no such file or directory`},
		{Spec{Argv: []string{"nowhere"}, Env: []string{"PATH=/a:/b"}}, `program "nowhere" is not in PATH "/a:/b"`},
		{Spec{Argv: []string{"/in/script"}, Binds: in}, "its interpreter or dynamic loader is not"},
		{Spec{Argv: []string{"/in/file"}, Binds: in}, "permission denied"},
		{Spec{Argv: []string{"/x"}, Binds: []Bind{{Source: "/no/such/file", Target: "/x"}}}, `bind "/no/such/file": no such file or directory`},
		{Spec{Argv: []string{"/x"}, Binds: []Bind{{Source: dir, Target: "x"}}}, `mount at "x"`},
		{Spec{Argv: []string{"/x"}, Binds: []Bind{{Source: dir, Target: "/x/../../y"}}}, "not an absolute, clean path"},
		{Spec{Argv: []string{"/x"}, Binds: []Bind{{Source: dir, Target: "/"}}}, "below /"},
		{Spec{Argv: []string{"/x"}, Binds: append(in, Bind{Source: dir, Target: "/in/new/place"})}, `at "/in/new/place"`},
		{Spec{Argv: []string{"/x"}, Root: "/no/such/tree"}, `"/no/such/tree"`},
		{Spec{Argv: []string{"/x"}, Dir: "/away"}, "/away"},
		{Spec{Argv: []string{"/x"}, Tmpfs: []string{"tmp"}}, `mount at "tmp"`},
		{Spec{Argv: []string{"/x\x00y"}}, "zero byte"},
	} {
		err := Run(t.Context(), test.spec)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "open /no", `"/no`), test.want) && !strings.Contains(err.Error(), strings.Trim(test.want, `"`)) {
			t.Errorf("%+v: %v, want %q", test.spec, err, test.want)
		}
	}
}

// TestCancel ends a sandbox whose processes are deaf and in sessions of their
// own.
func TestCancel(t *testing.T) {
	mark := fmt.Sprintf("reprise-mark-%d", os.Getpid())
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	spec := probing(t, Spec{}, "sleep", mark)
	spec.Stdout = writer
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, spec); writer.Close() }()
	if _, err := reader.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if n := running(t, mark); n == 0 {
		t.Fatal("the child is not there")
	}
	reason := errors.New("enough")
	cancel(reason)
	if err := <-ended; !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
	gone(t, mark)
}

// TestCallerKilled kills the process that called Run.
func TestCallerKilled(t *testing.T) {
	mark := fmt.Sprintf("reprise-orphan-%d", os.Getpid())
	probe := probing(t, Spec{}).Binds[0].Source
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleEnv+"=sleep", "PROBE="+probe, "MARK="+mark)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if n := running(t, mark); n == 0 {
		t.Fatal("the child is not there")
	}
	cmd.Process.Kill()
	cmd.Wait()
	gone(t, mark)
}

// role is another life of the test binary: one Run.
func role(what string) int {
	spec := Spec{
		Binds: []Bind{{Source: os.Getenv("PROBE"), Target: "/probe"}}, Stdout: os.Stdout, Stderr: os.Stderr,
		Argv: []string{"/probe", what, os.Getenv("MARK")},
	}
	if limit := os.Getenv("LIMIT"); limit != "" {
		// This process is root of a user namespace of its own, in which it
		// forbids more of them.
		if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte(limit), 0o644); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	if err := Check(); err != nil {
		fmt.Println("check:", err)
	}
	if err := Run(context.Background(), spec); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// poor runs role in a user namespace that allows no further ones: as its root
// or without privileges.
func poor(t *testing.T, root bool, what string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleEnv+"="+what, "PROBE="+probing(t, Spec{}).Binds[0].Source, "LIMIT=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
	}
	if !root {
		cmd.SysProcAttr.UidMappings[0].ContainerID = 4242
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_RESOURCE} // to set the limit
	}
	out, _ := cmd.CombinedOutput()
	return strings.TrimSpace(string(out))
}

func TestRootWithoutUserNamespaces(t *testing.T) {
	if got := poor(t, true, "self"); !strings.HasPrefix(got, "0 0 localhost / 022") {
		t.Errorf("as root: %s", got)
	}
}

func TestForbidden(t *testing.T) {
	got := poor(t, false, "self")
	if strings.Count(got, "user.max_user_namespaces is 0") != 2 || !strings.Contains(got, "sysctl -w user.max_user_namespaces") {
		t.Errorf("an ordinary user got: %s", got)
	}
}

func TestAllIDs(t *testing.T) {
	spec := Spec{AllIDs: true, Tmpfs: []string{"/tmp"}}
	got, err := inside(t, spec, "chown")
	if os.Geteuid() != 0 {
		if err == nil || !strings.Contains(err.Error(), "only root") {
			t.Errorf("not root: %v", err)
		}
		return
	}
	if err != nil || got != "4242 4343" {
		t.Errorf("%v %s", err, got)
	}
}

// running counts the processes of the machine with mark as their name.
func running(t *testing.T, mark string) (n int) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if b, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(b), mark+"\x00") {
			n++
		}
	}
	return n
}

func gone(t *testing.T, mark string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); running(t, mark) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("processes of the sandbox are still there")
		}
	}
}
