package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeQEMU stands for QEMU: its guest says what it hears, and switches off
// when the power button is pressed, unless it is deaf.
type fakeQEMU struct {
	says  string
	fails string
	deaf  bool
}

func (q fakeQEMU) Run(ctx context.Context, c Command) error {
	if q.fails != "" {
		return errors.New("exit status 1\n" + q.fails)
	}
	var dir string
	for _, b := range c.Binds {
		if b.Target == inside {
			dir = b.Source
		}
	}
	listener, err := net.Listen("unix", filepath.Join(dir, qmpSocket))
	if err != nil {
		return err
	}
	defer listener.Close()
	off := make(chan struct{}, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(conn, `{"QMP": {"version": {}, "capabilities": []}}`)
			lines := bufio.NewScanner(conn)
			for lines.Scan() {
				var order struct{ Execute string }
				json.Unmarshal(lines.Bytes(), &order)
				fmt.Fprintln(conn, `{"event": "RTC_CHANGE", "data": {}}`)
				switch order.Execute {
				case "human-monitor-command":
					fmt.Fprintln(conn, `{"return": "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  TCP[HOST_FORWARD]  12       127.0.0.1 40123       10.0.2.15    22     0     0\r\n"}`)
				case "no-such-order":
					fmt.Fprintln(conn, `{"error": {"class": "CommandNotFound", "desc": "The command no-such-order has not been found"}}`)
				default:
					fmt.Fprintln(conn, `{"return": {}}`)
				}
				if order.Execute == "system_powerdown" && !q.deaf {
					off <- struct{}{}
				}
			}
			conn.Close()
		}
	}()
	fmt.Fprint(c.Stdout, q.says)
	go func() {
		lines := bufio.NewScanner(c.Stdin)
		for lines.Scan() {
			fmt.Fprintf(c.Stdout, "heard %s\r\n", lines.Text())
		}
	}()
	select {
	case <-off:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func startFake(t *testing.T, q fakeQEMU) *Machine {
	t.Helper()
	disk := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(disk, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Start(t.Context(), Options{Disks: []Disk{{Path: disk}}}, q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestMachine(t *testing.T) {
	m := startFake(t, fakeQEMU{says: "\x1b[2J\x1b[1;1HBoot\x1b[0mLoader\r\nlogin: "})
	if m.SSHAddr() != "127.0.0.1:40123" {
		t.Errorf("ssh at %s", m.SSHAddr())
	}
	if err := m.Expect("BootLoader\nlogin: ", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := m.Send("root\n"); err != nil {
		t.Fatal(err)
	}
	if which, err := m.ExpectAny(time.Minute, "nothing", "heard root"); which != 1 || err != nil {
		t.Errorf("ExpectAny = %d, %v", which, err)
	}
	if err := m.Send("one\ntwo\n"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"heard one", "heard two"} {
		if line, err := m.ExpectLine("heard ", time.Minute); line != want || err != nil {
			t.Errorf("ExpectLine = %q, %v, want %q", line, err, want)
		}
	}
	err := m.Expect("login: ", 50*time.Millisecond) // it was said before
	if err == nil || !strings.Contains(err.Error(), "did not say") || !strings.Contains(err.Error(), "heard root") {
		t.Errorf("error %v", err)
	}
	if err := m.command(t.Context(), "no-such-order", nil, nil); err == nil || !strings.Contains(err.Error(), "has not been found") {
		t.Errorf("error %v", err)
	}
	log, err := os.ReadFile(m.LogFile)
	if err != nil || !strings.Contains(string(log), "\x1b[2J") {
		t.Errorf("log %q, %v", log, err)
	}
	if err := m.Shutdown(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	if err := m.Expect("more", time.Minute); err == nil || !strings.Contains(err.Error(), "ended before") {
		t.Errorf("error %v", err)
	}
	dir := m.dir
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%q is left", dir)
	}
}

func TestShutdownPullsThePlug(t *testing.T) {
	m := startFake(t, fakeQEMU{deaf: true})
	err := m.Shutdown(t.Context(), 50*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "did not switch off") {
		t.Errorf("error %v", err)
	}
	select {
	case <-m.Done():
	default:
		t.Error("the machine still runs")
	}
}

func TestStartSaysWhyQEMUFailed(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk.img")
	os.WriteFile(disk, nil, 0o600)
	_, err := Start(t.Context(), Options{Disks: []Disk{{Path: disk}}}, fakeQEMU{fails: "Could not set up host forwarding rule"})
	if err == nil || !strings.Contains(err.Error(), "Could not set up host forwarding rule") {
		t.Errorf("error %v", err)
	}
	_, err = Start(t.Context(), Options{
		Disks: []Disk{{Path: "/does/not/exist", Bus: "scsi", Serial: "a,b"}, {Path: disk, Removable: true, Later: true, Bad: []int64{1}}}, Firmware: "coreboot", Accel: "xen", MemoryMiB: 1, SSHPort: 70000,
		ISO: disk, ISOBus: NVMe,
	}, fakeQEMU{})
	for _, want := range []string{"/does/not/exist", `bus "scsi"`, `"a,b"`, `"coreboot"`, `"xen"`, "1 MiB", "70000", "is removable and on", "comes later and on", "has bad sectors: want Keep", `bus "nvme" of the CD`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func TestMachineEndsWithItsContext(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk.img")
	os.WriteFile(disk, nil, 0o600)
	ctx, cancel := context.WithCancel(t.Context())
	m, err := Start(ctx, Options{Disks: []Disk{{Path: disk}}}, fakeQEMU{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cancel()
	if err := m.Wait(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestAttach joins two pipes to the serial line.
func TestAttach(t *testing.T) {
	m := startFake(t, fakeQEMU{says: "hello\r\n"})
	if err := m.Expect("hello", time.Minute); err != nil {
		t.Fatal(err)
	}
	in, keys, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer keys.Close()
	screen, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	left := make(chan error, 1)
	go func() {
		left <- m.Attach(t.Context(), in, out)
		out.Close()
	}()
	fmt.Fprintln(keys, "typed")
	if err := m.Expect("heard typed", time.Minute); err != nil {
		t.Fatal(err)
	}
	keys.Write([]byte{EscapeKey})
	if err := <-left; !errors.Is(err, ErrDetached) {
		t.Errorf("error %v", err)
	}
	seen, _ := io.ReadAll(screen)
	if string(seen) != "hello\r\nheard typed\r\n" {
		t.Errorf("the screen shows %q", seen)
	}
}

func TestEscapesAcrossReads(t *testing.T) {
	const line = "a\x1b[1;31mred\x1b[0m \x1b7b\r\nlast"
	for cut := range len(line) {
		c := newConsole(io.Discard)
		c.add([]byte(line[:cut]))
		c.add([]byte(line[cut:]))
		if got := string(c.text); got != "ared b\nlast" {
			t.Errorf("cut at %d: %q", cut, got)
		}
	}
}

func FuzzConsole(f *testing.F) {
	f.Add([]byte("a\x1b[1;31mred"), 3)
	f.Fuzz(func(t *testing.T, said []byte, cut int) {
		c := newConsole(io.Discard)
		if cut > 0 && cut < len(said) {
			c.add(said[:cut])
			said = said[cut:]
		}
		c.add(said)
		if len(c.pending) > 64 {
			t.Errorf("%d bytes wait", len(c.pending))
		}
	})
}

func TestCommand(t *testing.T) {
	o := Options{
		Disks:    []Disk{{Path: "/a.img"}, {Path: "/b.img", Bus: NVMe, Serial: "N1", Keep: true}, {Path: "/c.img", Bus: USB}, {Path: "/d.img", Bus: SATA}},
		Firmware: SecureBoot, ISO: "/e.iso", NoReboot: true, Args: []string{"-device", "i6300esb"},
	}.withDefaults()
	argv, _ := o.command("/tmp/dir")
	got := strings.Join(argv, " ")
	for _, want := range []string{
		"-machine q35,smm=on -accel tcg,thread=single", "-m 1024 -smp 2", "hostfwd=tcp:127.0.0.1:0-:22",
		"if=pflash,unit=0,format=raw,file=/usr/share/OVMF/OVMF_CODE_4M.secboot.fd,readonly=on",
		"if=pflash,unit=1,format=raw,file=/usr/share/OVMF/OVMF_VARS_4M.ms.fd,snapshot=on",
		"file=/vm-disk0,snapshot=on -device virtio-blk-pci,drive=disk0,serial=reprise-0,bootindex=1",
		"file=/vm-disk1,cache=writeback -device nvme,drive=disk1,serial=N1,bootindex=2",
		"-device usb-storage,id=disk2device,bus=disk2usb.0,drive=disk2", "-device ide-hd,bus=ide.0,drive=disk3",
		"media=cdrom", "-device ide-cd,bus=ide.1,drive=cd,bootindex=5", "-no-reboot -device i6300esb",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	o.ISOBus, o.ISOFirst, o.Disks[2].Removable, o.Disks[1].Log = SCSI, true, true, "/n.log"
	argv, binds := o.command("/tmp/dir")
	for _, want := range []string{
		"-device virtio-scsi-pci,id=cdbus -device scsi-cd,bus=cdbus.0,drive=cd,bootindex=0", "bootindex=3,removable=on",
		`-blockdev {"driver":"blklogwrites","node-name":"disk1",`, `"filename":"/vm-disk1"}},"log":{"driver":"raw","file":{"driver":"file","filename":"/vm-log1"}}} -device nvme,drive=disk1`,
	} {
		if got := strings.Join(argv, " "); !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	bad := o
	bad.Disks = []Disk{{Path: "/b.img", Bus: SATA, Keep: true, Bad: []int64{7, 9}}}
	argv, _ = bad.command("/tmp/dir")
	if got, want := strings.Join(argv, " "), `"inject-error":[{"event":"none","iotype":"write","errno":5,"sector":7},{"event":"none","iotype":"write","errno":5,"sector":9}],`+
		`"image":{"driver":"file","discard":"unmap","filename":"/vm-disk0"}}} -device ide-hd,bus=ide.0,drive=disk0`; !strings.Contains(got, want) {
		t.Errorf("no %q in %s", want, got)
	}
	o.Disks[2].Later = true
	if argv, _ := o.command("/tmp/dir"); !slices.Contains(argv, "qemu-xhci,id=disk2usb") || strings.Contains(strings.Join(argv, " "), "drive=disk2,") {
		t.Errorf("a disk that comes later is there at once: %q", argv)
	}
	want := []Bind{
		{Source: "/tmp/dir", Target: "/vm", Writable: true}, {Source: "/a.img", Target: "/vm-disk0"}, {Source: "/b.img", Target: "/vm-disk1", Writable: true},
		{Source: "/n.log", Target: "/vm-log1", Writable: true}, {Source: "/c.img", Target: "/vm-disk2"}, {Source: "/d.img", Target: "/vm-disk3"}, {Source: "/e.iso", Target: "/vm-cd"},
	}
	if diff := cmp.Diff(want, binds); diff != "" {
		t.Errorf("binds (-want +got):\n%s", diff)
	}
}

// TestPlugRefuses names disks that nobody can put in or pull out.
func TestPlugRefuses(t *testing.T) {
	m := &Machine{disks: []Disk{{Bus: NVMe}, {Bus: USB}, {Bus: USB, Log: "/log"}, {Bus: USB, Later: true}}, pulled: map[int]bool{}}
	for index, do := range map[int]func(context.Context, int) error{0: m.Unplug, 1: m.Plug, 2: m.Unplug, 3: m.Unplug} {
		if err := do(t.Context(), index); err == nil || !strings.Contains(err.Error(), "disk "+strconv.Itoa(index)) {
			t.Errorf("disk %d: %v", index, err)
		}
	}
}
