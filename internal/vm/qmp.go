package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// qmpSocket is QEMU's monitor in the machine's working directory.
const qmpSocket = "qmp"

// startLimit is how long QEMU may take until its monitor answers.
const startLimit = 30 * time.Second

// command gives QEMU one order over its monitor and waits for the answer,
// which it decodes into answer unless that is nil.
// Source: docs/interop/qmp-spec.rst of QEMU 7.2.
func (m *Machine) command(ctx context.Context, name string, arguments any, answer any) error {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(m.dir, qmpSocket))
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(startLimit))
	encoder, decoder := json.NewEncoder(conn), json.NewDecoder(conn)
	type reply struct {
		Return json.RawMessage `json:"return"`
		Error  *struct{ Desc string }
		QMP    json.RawMessage // the greeting
	}
	next := func() (json.RawMessage, error) {
		for {
			var r reply
			if err := decoder.Decode(&r); err != nil {
				return nil, err
			}
			switch {
			case r.Error != nil:
				return nil, errors.New(r.Error.Desc)
			case r.Return != nil, r.QMP != nil:
				return r.Return, nil
			} // else an event
		}
	}
	ask := func(order map[string]any) (json.RawMessage, error) {
		if err := encoder.Encode(order); err != nil {
			return nil, err
		}
		return next()
	}
	if _, err := next(); err != nil {
		return fmt.Errorf("qemu monitor: %w", err)
	}
	if _, err := ask(map[string]any{"execute": "qmp_capabilities"}); err != nil {
		return fmt.Errorf("qemu monitor: %w", err)
	}
	order := map[string]any{"execute": name}
	if arguments != nil {
		order["arguments"] = arguments
	}
	result, err := ask(order)
	if err != nil {
		return fmt.Errorf("qemu monitor: %s: %w", name, err)
	}
	if answer != nil {
		return json.Unmarshal(result, answer)
	}
	return nil
}

// hostForward finds the port in a line of "info usernet":
//
//	TCP[HOST_FORWARD]  12       127.0.0.1 40123       10.0.2.15    22
var hostForward = regexp.MustCompile(`TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b`)

// forwardedPort waits until QEMU runs and returns the port on 127.0.0.1 that
// leads to the guest's ssh. QEMU chose it when wanted is 0: a port that is
// looked for here could be taken by the time QEMU opens it.
func (m *Machine) forwardedPort(ctx context.Context, wanted int) (int, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("qemu's monitor did not answer within %s", startLimit))
	defer cancel()
	for {
		var said string
		err := m.command(ctx, "human-monitor-command", map[string]string{"command-line": "info usernet"}, &said)
		if err == nil {
			found := hostForward.FindStringSubmatch(said)
			if found == nil {
				return 0, fmt.Errorf("qemu does not name the forwarded port: %q", said)
			}
			port, err := strconv.Atoi(found[1])
			if err == nil && wanted != 0 && port != wanted {
				return 0, fmt.Errorf("qemu forwards port %d, not %d", port, wanted)
			}
			return port, err
		}
		select {
		case <-m.done:
			if err := m.ended(); err != nil {
				return 0, err
			}
			return 0, errors.New("qemu ended at once")
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
