package stage1

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestStandingScreen shows a long text on two terminals, one of which nobody
// reads: nobody waits for it, and the other one has all.
func TestStandingScreen(t *testing.T) {
	_, standing := terminal(t)
	person, screen := terminal(t)
	s := screens{newScreen(standing), newScreen(screen)}
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "line %04d of an installation\n", i)
	}
	var reading sync.WaitGroup
	var got string
	reading.Go(func() { got = displayed(t, person, "the end") })
	written := make(chan struct{})
	go func() {
		for line := range strings.Lines(text.String()) {
			s.print(line)
		}
		s.print("the end")
		close(written)
	}()
	<-written // or the test hangs
	reading.Wait()
	if got = strings.ReplaceAll(got, "\r", ""); got != text.String()+"the end" {
		t.Errorf("%d bytes are shown, want %d", len(got), text.Len()+len("the end"))
	}
	s.drain()
	if !s[0].givenUp || s[1].givenUp {
		t.Errorf("given up are %v and %v", s[0].givenUp, s[1].givenUp)
	}
	s.print("more")
	s.close()
}

// TestQueueIsBounded keeps what was said last.
func TestQueueIsBounded(t *testing.T) {
	_, standing := terminal(t)
	s := newScreen(standing)
	block := bytes.Repeat([]byte("x"), mostQueued/4)
	for range 8 {
		s.Write(block)
	}
	s.Write([]byte("the end"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > mostQueued || !bytes.HasSuffix(s.queue, []byte("the end")) {
		t.Errorf("%d bytes are kept, want %d, and the last ones", len(s.queue), mostQueued)
	}
}

// shows reads what the person sees until text is there; a key that stops nothing
// is shown itself.
func shows(t *testing.T, person *os.File, text string) {
	t.Helper()
	var all []byte
	for buffer := make([]byte, 64); !bytes.Contains(all, []byte(text)); {
		n, err := person.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		all = append(all, buffer[:n]...)
	}
}

// TestStopKey presses Ctrl-S before and after the screen is made steady.
func TestStopKey(t *testing.T) {
	person, tty := terminal(t)
	const xoff = "\x13"
	if _, err := person.WriteString(xoff); err != nil {
		t.Fatal(err)
	}
	s := newScreen(tty)
	s.Write([]byte("one "))
	time.Sleep(10 * time.Millisecond)
	s.steady()
	shows(t, person, "one ")
	if _, err := person.WriteString(xoff); err != nil {
		t.Fatal(err)
	}
	s.Write([]byte("two"))
	shows(t, person, "two")
	if !s.settle() {
		t.Error("the screen was given up")
	}
	other, err := unix.FcntlInt(tty.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	s.close()
	if now, err := unix.IoctlGetTermios(other, unix.TCGETS); err != nil || now.Iflag&unix.IXON == 0 {
		t.Errorf("the terminal is not as it was: %+v, %v", now, err)
	}
}

// TestMediumIsOut asks drives of a made-up /sys.
func TestMediumIsOut(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text + "\n")} }
	const there = "class/block/sdb/"
	stick := func() fstest.MapFS {
		return fstest.MapFS{there + "size": file("61440000"), there + "diskseq": file("7"), there + "device/type": file("0")}
	}
	disc := func() fstest.MapFS {
		m := stick()
		m[there+"device/type"] = file("5")
		return m
	}
	for _, c := range []struct {
		name   string
		sys    fstest.MapFS
		change func(fstest.MapFS)
		status int
		err    error
		want   bool
	}{
		{name: "a stick stays", sys: stick(), change: func(fstest.MapFS) {}},
		{name: "a stick goes", sys: stick(), change: func(m fstest.MapFS) { clear(m) }, want: true},
		{name: "a card goes", sys: stick(), change: func(m fstest.MapFS) { m[there+"size"] = file("0") }, want: true},
		{name: "another stick comes", sys: stick(), change: func(m fstest.MapFS) { m[there+"diskseq"] = file("9") }, want: true},
		{name: "a kernel without numbers", sys: fstest.MapFS{there + "size": file("61440000")}, change: func(fstest.MapFS) {}},
		{name: "a disc stays", sys: disc(), change: func(fstest.MapFS) {}, status: 4},
		{name: "a disc is read anew", sys: disc(), change: func(m fstest.MapFS) { m[there+"diskseq"] = file("9") }, status: 4},
		{name: "a tray is open", sys: disc(), change: func(fstest.MapFS) {}, status: 2},
		{name: "a drive does not know", sys: disc(), change: func(fstest.MapFS) {}, err: unix.ENOSYS},
		{name: "a disc is out", sys: disc(), change: func(fstest.MapFS) {}, status: 1, want: true},
		{name: "a drive on a cable goes", sys: disc(), change: func(m fstest.MapFS) { clear(m) }, status: 4, want: true},
	} {
		d := newDrive(c.sys, "/dev/sdb")
		const discIsIn = 4
		d.status = func() (int, error) { return discIsIn, nil }
		if d.gone() {
			t.Errorf("%s: it was never there", c.name)
		}
		d.status = func() (int, error) { return c.status, c.err }
		c.change(c.sys)
		if d.gone() != c.want {
			t.Errorf("%s: out is %v", c.name, !c.want)
		}
	}
}

// sysOf is a /sys that is another one at each look at the size.
type sysOf func() fstest.MapFS

func (s sysOf) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "/size") {
		return s().Open(name)
	}
	return nil, fs.ErrNotExist
}

// TestWaitForMedium takes a stick that comes back for one that has not gone.
func TestWaitForMedium(t *testing.T) {
	looks := 0
	d := newDrive(sysOf(func() fstest.MapFS {
		if looks++; looks == 3 || looks == 5 || looks > 8 {
			return nil
		}
		return fstest.MapFS{"class/block/sdb/size": &fstest.MapFile{Data: []byte("8\n")}}
	}), "/dev/sdb")
	d.wait(time.Microsecond)
	if looks < 12 {
		t.Errorf("after %d looks it is taken to be out", looks)
	}
}

// TestReachIsShared widens the reach while a device comes; the race detector looks on.
func TestReachIsShared(t *testing.T) {
	d := &devices{}
	var both sync.WaitGroup
	both.Go(func() { d.extend(buses) })
	both.Go(func() { d.plug("hid:b0003g0001v0000046Dp0000C31C") }) // out of reach: nothing is loaded
	both.Wait()
	if d.extend(swift); d.within() != buses {
		t.Errorf("the reach is %d, want %d", d.within(), buses)
	}
}

func TestMountedBelow(t *testing.T) {
	const mountinfo = `22 1 0:20 / /sys rw - sysfs sysfs rw
40 1 8:1 / /run/reprise/install/target rw,noatime - ext4 /dev/sda3 rw
41 1 0:5 / /run/reprise/install/tools/root/dev rw - devtmpfs dev rw
42 1 0:6 / /run/reprise/installer rw - tmpfs tmpfs rw
`
	want := []string{"/run/reprise/install/target", "/run/reprise/install/tools/root/dev"}
	if d := cmp.Diff(want, mountedBelow(mountinfo, InstallDir)); d != "" {
		t.Error(d)
	}
}

// TestOneStream: what a program says on both of its outputs keeps its order.
func TestOneStream(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := screens{newScreen(w)}
	both := oneStream(all)
	cmd := exec.Command("/bin/sh", "-c", "i=0; while [ $i -lt 300 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done")
	cmd.Stdout, cmd.Stderr = both, both
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	all.close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i := range 300 {
		fmt.Fprintf(&want, "o%d\ne%d\n", i, i)
	}
	if string(got) != want.String() {
		t.Errorf("the lines arrived in another order: %.100q", got)
	}
}
