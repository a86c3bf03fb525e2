package stage1

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"reprise/initrd/network"
)

// networkMain is the process that brings wired links up. What it has to say
// goes to the kernel's log.
func networkMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	var log journal
	log.open()
	err := network.Run(ctx, network.File, func(format string, args ...any) {
		log.printf(logInfo, "network: "+format, args...)
	})
	if ctx.Err() != nil {
		return 0
	}
	log.printf(logWarning, "network: %v", err)
	return 1
}

// A networkProcess is a process of its own, so that a fault in it is no fault
// of process 1.
type networkProcess struct {
	mu      sync.Mutex
	running *os.Process
	ended   bool
}

// start begins it, and begins it anew after a fault, a few times.
func (n *networkProcess) start(b *boot) {
	go func() {
		for range faults {
			err := n.run()
			if err == nil {
				return
			}
			b.log.printf(logWarning, "network: %v", err)
			time.Sleep(time.Second)
		}
	}()
}

var errEnded = errors.New("ended")

// run returns nil when it was told to end.
func (n *networkProcess) run() error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args[0] = networkName
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=/", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	n.mu.Lock()
	if n.ended {
		n.mu.Unlock()
		return nil
	}
	err := cmd.Start()
	n.running = cmd.Process
	n.mu.Unlock()
	if err != nil {
		return err
	}
	err = cmd.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = nil
	if n.ended {
		return nil
	}
	if err == nil {
		err = errEnded
	}
	return fmt.Errorf("the process that asks for addresses: %w", err)
}

// end stops it. Addresses that were given stay.
func (n *networkProcess) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	if n.running != nil {
		_ = n.running.Signal(unix.SIGTERM)
	}
}
