package stage1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"reprise/initrd/blockdev"
	"reprise/internal/rootmount"
)

// A Medium is the installation medium that the machine was started from, as
// the installer gets it.
type Medium struct {
	Dir     string // where it is mounted, read-only
	Store   string // where its store is mounted: what is /nix/store on a machine
	Device  string // of the file system: "/dev/sdb", "/dev/sr0", "/dev/sdb1"
	Disk    string // the whole disk or drive; never a place to install to
	Line    string // the kernel line
	Console string // "tty1", "ttyS0"; "" for an unattended installation
	Drivers string // see Settle; "" where stage 1 is not there any more
}

// Next is what the machine does when an installer has ended.
type Next string

const (
	Reboot   Next = "reboot"
	PowerOff Next = "power off"
	Shell    Next = "shell" // on every console; leaving it starts the installer again
	Again    Next = "again" // the installer starts again
	// Leave restarts the machine once the medium is out: one that starts from it
	// again would come to the same end again, for ever.
	Leave Next = "restart without the medium"
)

// Exit statuses of an installer's process. Anything else is a failure.
var statuses = map[int]Next{40: Reboot, 41: PowerOff, 42: Shell, 43: Again, 46: Leave}

const (
	noAnswers = 44 // nobody said what to do unattended
	hasBegun  = 45 // and nobody will: a person is at work
)

// ErrBegun is what Programs.Unattended returns when a person has begun.
var ErrBegun = errors.New("a person has begun")

// installer is the process of an installer. It returns its exit status.
func (p Programs) installer(name string, args []string) int {
	var m Medium
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &m) != nil {
		fmt.Fprintln(os.Stderr, "reprise: this program is started by stage 1, never by hand")
		return 2
	}
	// A second signal ends it at once.
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGHUP, unix.SIGINT)
	signal.Ignore(unix.SIGQUIT)
	context.AfterFunc(ctx, stop)
	found, next, err := true, Reboot, error(nil)
	if name == unattendedName {
		found, next, err = p.Unattended(ctx, m, os.Stdout)
	} else {
		next, err = p.Install(ctx, m)
	}
	if errors.Is(err, ErrBegun) {
		return hasBegun
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "\nreprise: %v\n", err)
		return 1
	}
	if !found {
		return noAnswers
	}
	for status, n := range statuses {
		if n == next {
			return status
		}
	}
	return 1
}

// install runs the installer: unattended where answers are found, else for a
// person on every console. It returns only with an error.
func (b *boot) install(d blockdev.Device) error {
	if b.programs.Install == nil || b.programs.Unattended == nil {
		return &Failure{Medium: true, Got: "it has no installer", Do: []string{"take another entry of the boot menu"}}
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	m := Medium{Dir: rootmount.Medium, Store: carriedStore, Device: "/dev/" + d.Name, Disk: "/dev/" + d.Name, Line: strings.TrimSpace(string(line))}
	if d.Disk != "" {
		m.Disk = "/dev/" + d.Disk
	}
	b.log.printf(logInfo, "stage 1: %s", b.times())
	hangUp, err := b.carried.serve()
	if err != nil {
		b.log.printf(logWarning, "nobody can wait for drivers: %v", err)
	} else {
		m.Drivers = driverSocket
		defer hangUp()
	}
	restore := quietConsole()
	defer restore()
	stop := b.attend()
	defer stop()
	consoles := findConsoles()
	screens, disks := consoles.screens(), blockDevices()
	screens.all((*screen).steady)
	next, err := b.unattended(context.Background(), m, screens)
	screens.close()
	if errors.Is(err, errNoAnswers) {
		next, err = b.guided(m, consoles, disks)
	}
	for err == nil {
		switch next {
		case Again:
		case Shell:
			screens := consoles.screens()
			again := screens.shells(0)
			screens.close()
			if !again {
				return errors.New("no shell can be started")
			}
		default:
			return b.after(next, consoles.screens(), newDrive(os.DirFS("/sys"), m.Disk))
		}
		next, err = b.guided(m, consoles, disks)
	}
	return err
}

// after does what an installer asked for.
func (b *boot) after(next Next, s screens, drive *drive) error {
	s.all((*screen).steady)
	switch next {
	case Reboot:
		s.print("Rebooting. Take the medium out.\n")
	case PowerOff:
		s.print("Switching off.\n")
	case Leave:
		leave(s, drive)
		drive = nil // the tray is closed, and empty
	default:
		return fmt.Errorf("the installer wants %q next, and nobody is there for it", next)
	}
	quitMedium(next, s, drive)
	return nil
}

const (
	lookForMedium = 500 * time.Millisecond
	// reminder is how often who comes later is told what is waited for.
	reminder = time.Minute
)

// leave waits until the medium is out, for ever if need be.
func leave(s screens, drive *drive) {
	undo()
	drive.eject()
	out := make(chan struct{})
	go func() {
		drive.wait(lookForMedium)
		close(out)
	}()
	for {
		if drive.optical() {
			s.print("reprise: take the disc out and close the tray: this machine restarts then.\n")
		} else {
			s.print("reprise: take the medium out: this machine restarts then.\n")
		}
		select {
		case <-out:
			s.print("Rebooting.\n")
			return
		case <-time.After(reminder):
		}
	}
}

var (
	errNoAnswers = errors.New("no answers")
	errBegun     = fmt.Errorf("%w, and a person has begun", errNoAnswers)
)

// command is this program in another role. It lies in memory: the medium may be
// taken out while it runs.
func command(ctx context.Context, name string, m Medium, env ...string) (*exec.Cmd, error) {
	arg, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", string(arg))
	cmd.Args[0] = name
	cmd.Dir = "/"
	cmd.Env = append([]string{"HOME=/", "LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	return cmd, nil
}

// unattended installs without a person where answers are found, and writes all
// that it says to out.
func (b *boot) unattended(ctx context.Context, m Medium, out io.Writer) (Next, error) {
	cmd, err := command(ctx, unattendedName, m, "TERM=dumb")
	if err != nil {
		return "", err
	}
	both := oneStream(out)
	cmd.Stdout, cmd.Stderr = both, both
	err = cmd.Run()
	status := cmd.ProcessState.ExitCode()
	if next, ok := statuses[status]; ok {
		return next, nil
	}
	switch status {
	case noAnswers:
		return "", errNoAnswers
	case hasBegun:
		return "", errBegun
	}
	return "", &Failure{Medium: true, Got: "the unattended installation has failed", Err: fmt.Errorf("the installer: %w", err), Stay: true,
		Do: []string{"mend what is said above, and start again"}}
}

// oneStream is w in a form that package exec knows to be the same twice: what a
// program says on its two outputs then arrives in the order in which it was said.
// Screens are a slice, which cannot be compared.
func oneStream(w io.Writer) *struct{ io.Writer } { return &struct{ io.Writer }{w} }

// faults bounds how often an installer is started again after a fault.
const faults = 3

// guided runs the installer on every console until one of them says what is
// next; that ends the others. Answers on a disk that was not among disks end them
// all, while nobody has pressed a key.
func (b *boot) guided(m Medium, all consoles, disks []string) (Next, error) {
	type end struct {
		console int
		status  int
		err     error
	}
	ends := make(chan end)
	running := map[int]*os.Process{}
	run := func(i int) {
		m := m
		m.Console = all[i].name
		cmd, err := command(context.Background(), installName, m, "TERM="+all[i].term())
		var f *os.File
		if err == nil {
			f, err = all[i].open()
		}
		if err == nil {
			defer f.Close()
			cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, f
			cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
			size(f)
			err = cmd.Start()
		}
		if err != nil {
			go func() { ends <- end{i, -1, err} }()
			return
		}
		running[i] = cmd.Process
		go func() {
			err := cmd.Wait()
			ends <- end{i, cmd.ProcessState.ExitCode(), err}
		}()
	}
	for i := range all {
		run(i)
	}
	late := b.lookAgain(m, all, disks)
	defer late.stop()
	failed := map[int]int{}
	var last error
	for busy := len(all); busy > 0; busy-- {
		stop := func(busy int) { // also those that did not start have an end
			stopAll(running)
			for range busy {
				<-ends
			}
		}
		var e end
		select {
		case e = <-ends:
		case <-late.begins:
			stop(busy)
			close(late.begun)
			<-late.ended
			return late.next, late.err
		}
		delete(running, e.console)
		if next, ok := statuses[e.status]; ok {
			waitForInstallation(all[e.console])
			stop(busy - 1)
			return next, nil
		}
		last = e.err
		failed[e.console]++
		all[e.console].restore(fmt.Sprintf("reprise: the installer has ended: %v\r\n", e.err))
		if failed[e.console] < faults {
			time.Sleep(time.Second)
			run(e.console)
			busy++
		}
	}
	return "", &Failure{Medium: true, Got: "the installer does not run on any console", Err: last, Stay: true}
}

// InstallDir has what installers mount, and what they keep in memory.
const InstallDir = "/run/reprise/install"

// InstallLock is held (flock(2)) by the process that installs.
const InstallLock = InstallDir + "/lock"

// waitForInstallation waits until no other console installs: what a person
// wants on this one is no reason to leave a disk half written.
func waitForInstallation(c console) {
	f, err := os.Open(InstallLock)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return
	}
	c.restore("reprise: another console is installing; this waits until it has ended.\r\n")
	_ = unix.Flock(int(f.Fd()), unix.LOCK_SH)
}

// stopAll ends processes with all that they have started.
func stopAll(running map[int]*os.Process) {
	for _, p := range running {
		_ = unix.Kill(-p.Pid, unix.SIGKILL)
	}
}
