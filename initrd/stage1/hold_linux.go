package stage1

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"reprise/initrd/rescue"
)

// idleShell is how long a shell that a key press opened waits for a first
// line. A loose serial cable types too, and must not keep a machine from
// going back to its last good generation.
const idleShell = 5 * time.Minute

// hold tells on every console why the machine does not start, reboots it when
// nobody presses a key in time, and else gives a shell on each console. It
// returns when a person has left a shell with exit, to try again.
func (b *boot) hold(err error) {
	b.log.printf(logError, "stage 1 stops: %v", err)
	// The drivers that load now would write over what a person reads and types.
	defer quietConsole()()
	b.loadKeymap()
	screens := openScreens()
	screens.print(text(err))
	stop := b.attend()
	idle := time.Duration(0)
	if err != errRescue && err != errMounted {
		timeout := b.line.Timeout
		if f := new(Failure); errors.As(err, &f) && f.Stay {
			timeout = 0
		}
		if !screens.countdown(timeout) {
			halt(screens, "Nobody there: rebooting.")
		}
		if timeout > 0 {
			idle = idleShell
		}
	}
	again := screens.shells(idle)
	stop()
	// With the old root gone there is nothing to try again.
	if !again || b.switched {
		halt(screens, "Rebooting.")
	}
	screens.close()
}

// attend goes on loading modules for every device, keyboards too, until stop
// is called.
func (b *boot) attend() (stop func()) {
	if b.devices == nil {
		return func() {}
	}
	if b.carried != nil {
		b.carried.start(b)
	}
	done := make(chan struct{})
	var attending sync.WaitGroup
	attending.Go(func() {
		b.devices.extend(everything)
		b.devices.coldplug()
		for {
			select {
			case <-done:
				return
			default:
				b.devices.pause(500 * time.Millisecond)
			}
		}
	})
	return func() {
		close(done)
		attending.Wait()
	}
}

// halt writes everything down and reboots.
func halt(screens screens, why string) {
	screens.print(why + "\n")
	screens.drain()
	undo()
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	select {} // the firmware takes its time
}

// shells runs a shell on each screen until a person leaves one of them, which
// ends the others. It is false when none of them is there for anybody: no
// screen, nobody typed, or the shells have died.
func (s screens) shells(idle time.Duration) bool {
	type end struct {
		process *os.Process
		status  int
	}
	ends := make(chan end)
	var running []*os.Process
	s.settle()
	for _, screen := range s {
		f := screen.file
		// Our own program, whatever has become of the file.
		cmd := exec.Command("/proc/self/exe", strconv.Itoa(int(idle.Seconds())))
		cmd.Args[0] = shellName
		cmd.Dir = "/"
		cmd.Env = []string{"HOME=/", "TERM=linux", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, f
		// A session of its own, with the screen as its terminal, so that
		// Ctrl-C reaches the shell.
		cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			fmt.Fprintf(screen, "reprise: no shell: %v\n", err)
			continue
		}
		running = append(running, cmd.Process)
		go func() {
			_ = cmd.Wait()
			ends <- end{cmd.Process, cmd.ProcessState.ExitCode()}
		}()
	}
	again := false
	for range running {
		e := <-ends
		if e.status != rescue.ExitGoOn || again {
			continue
		}
		again = true
		for _, p := range running {
			if p != e.process {
				_ = unix.Kill(-p.Pid, unix.SIGKILL)
			}
		}
	}
	return again
}
