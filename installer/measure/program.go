package measure

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// Command is cyclictest as a program of this machine; args go before those of
// the measurement. A key that interrupts this program does not reach it: it is
// ended when ctx ends.
func Command(name string, args ...string) Program {
	return func(ctx context.Context, more []string, stdout io.Writer) error {
		var said bytes.Buffer
		c := exec.CommandContext(ctx, name, append(args[:len(args):len(args)], more...)...)
		c.Stdout, c.Stderr = stdout, &said
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		c.WaitDelay = 5 * time.Second
		if err := c.Run(); err != nil {
			const most = 1024
			text := said.Bytes()
			return fmt.Errorf("cyclictest: %w: %s", err, bytes.TrimSpace(text[max(0, len(text)-most):]))
		}
		return nil
	}
}
