package stage1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
)

// driverSocket is where stage 1 tells that all drivers are there: whoever
// connects makes it load them, and the connection ends when devices are quiet.
const driverSocket = "/run/reprise/drivers"

// serve answers at the socket until the returned function is called.
func (c *carriedDrivers) serve() (stop func(), err error) {
	if err := os.MkdirAll(filepath.Dir(driverSocket), 0o755); err != nil {
		return nil, err
	}
	_ = os.Remove(driverSocket)
	l, err := net.Listen("unix", driverSocket)
	if err != nil {
		return nil, err
	}
	go c.answer(l)
	return func() { l.Close() }, nil
}

// answer lets whoever connects wait, until l is closed.
func (c *carriedDrivers) answer(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c.want()
		go func() {
			<-c.done
			conn.Close()
		}()
	}
}

// Settle waits until the drivers for all devices of this machine are loaded
// and nothing has moved for a while. Outside of an installation medium's
// initramfs there is nothing to wait for.
func (m Medium) Settle(ctx context.Context) error {
	if m.Drivers == "" {
		return nil
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", m.Drivers)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("wait for drivers: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_, err = io.Copy(io.Discard, conn)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("wait for drivers: %w", err)
	}
	return nil
}
