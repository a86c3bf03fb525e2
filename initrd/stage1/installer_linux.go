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
)

// Exit statuses of an installer's process. Anything else is a failure.
var statuses = map[int]Next{40: Reboot, 41: PowerOff, 42: Shell, 43: Again}

const noAnswers = 44 // nobody said what to do unattended

// installer is the process of an installer. It returns its exit status.
func (p Programs) installer(name string, args []string) int {
	var m Medium
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &m) != nil {
		fmt.Fprintln(os.Stderr, "reprise: this program is started by stage 1, never by hand")
		return 2
	}
	// A second signal ends it at once.
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGHUP)
	context.AfterFunc(ctx, stop)
	found, next, err := true, Reboot, error(nil)
	if name == unattendedName {
		found, next, err = p.Unattended(ctx, m, os.Stdout)
	} else {
		next, err = p.Install(ctx, m)
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
	screens := consoles.screens()
	next, err := b.unattended(m, screens)
	screens.close()
	switch {
	case errors.Is(err, errNoAnswers):
	case err != nil:
		return &Failure{Medium: true, Got: "the unattended installation has failed", Err: err, Stay: true,
			Do: []string{"mend what is said above, and start again"}}
	default:
		return b.after(next, consoles.screens())
	}
	for {
		next, err := b.guided(m, consoles)
		if err != nil {
			return err
		}
		if next == Shell {
			screens := consoles.screens()
			again := screens.shells(0)
			screens.close()
			if !again {
				return errors.New("no shell can be started")
			}
			continue
		}
		if next != Again {
			return b.after(next, consoles.screens())
		}
	}
}

// after does what an installer asked for.
func (b *boot) after(next Next, s screens) error {
	switch next {
	case Reboot:
		s.print("Rebooting. Take the medium out.\n")
	case PowerOff:
		s.print("Switching off.\n")
	default:
		return fmt.Errorf("the installer wants %q next, and nobody is there for it", next)
	}
	quitMedium(next, s)
	return nil
}

var errNoAnswers = errors.New("no answers")

// command is this program in another role. It lies in memory: the medium may be
// taken out while it runs.
func command(name string, m Medium, env ...string) (*exec.Cmd, error) {
	arg, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", string(arg))
	cmd.Args[0] = name
	cmd.Dir = "/"
	cmd.Env = append([]string{"HOME=/", "LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	return cmd, nil
}

// unattended installs without a person, and shows on every screen what it says.
func (b *boot) unattended(m Medium, s screens) (Next, error) {
	cmd, err := command(unattendedName, m, "TERM=dumb")
	if err != nil {
		return "", err
	}
	all := make([]io.Writer, len(s))
	for i, f := range s {
		all[i] = patient{f}
	}
	cmd.Stdout = io.MultiWriter(all...)
	cmd.Stderr = cmd.Stdout
	err = cmd.Run()
	status := cmd.ProcessState.ExitCode()
	if next, ok := statuses[status]; ok {
		return next, nil
	}
	if status == noAnswers {
		return "", errNoAnswers
	}
	return "", fmt.Errorf("the installer: %w", err)
}

// patient writes to a screen and goes on when that fails: a serial line that
// hangs up must not end an installation.
type patient struct{ w io.Writer }

func (p patient) Write(data []byte) (int, error) {
	_, _ = p.w.Write(data)
	return len(data), nil
}

// faults bounds how often an installer is started again after a fault.
const faults = 3

// guided runs the installer on every console until one of them says what is
// next; that ends the others.
func (b *boot) guided(m Medium, all consoles) (Next, error) {
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
		cmd, err := command(installName, m, "TERM="+all[i].term())
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
	failed := map[int]int{}
	var last error
	for busy := len(all); busy > 0; busy-- {
		e := <-ends
		delete(running, e.console)
		if next, ok := statuses[e.status]; ok {
			for range stopAll(running) {
				<-ends
			}
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

// stopAll ends processes with all that they have started, and returns them.
func stopAll(running map[int]*os.Process) map[int]*os.Process {
	for _, p := range running {
		_ = unix.Kill(-p.Pid, unix.SIGKILL)
	}
	return running
}
