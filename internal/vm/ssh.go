package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSHAddr is the address that leads to the guest's port 22.
func (m *Machine) SSHAddr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(m.sshPort)) }

// SSH logs in as user with key. A guest that is not up yet is tried again
// until ctx ends; a guest that refuses the key three times is not.
//
// The host key is not checked: it is made by the guest on its first boot, and
// the way to it is a port on the loopback that QEMU alone has opened.
func (m *Machine) SSH(ctx context.Context, user string, key ssh.Signer) (*ssh.Client, error) {
	config := &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 30 * time.Second,
	}
	refused := 0
	for {
		client, err := m.dial(ctx, config)
		if err == nil {
			return client, nil
		}
		// x/crypto/ssh has no type for a refused login; this is its text
		// (ssh/client_auth.go of v0.58.0). sshd also refuses while it starts.
		if bytes.Contains([]byte(err.Error()), []byte("unable to authenticate")) {
			if refused++; refused == 3 {
				return nil, m.explain(fmt.Errorf("ssh as %q: %w", user, err))
			}
		}
		select {
		case <-m.done:
			return nil, m.explain(errors.Join(fmt.Errorf("ssh as %q: the machine has ended", user), m.ended()))
		case <-ctx.Done():
			return nil, m.explain(fmt.Errorf("ssh as %q: %w: %w", user, context.Cause(ctx), err))
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (m *Machine) dial(ctx context.Context, config *ssh.ClientConfig) (*ssh.Client, error) {
	dialer := net.Dialer{Timeout: config.Timeout}
	conn, err := dialer.DialContext(ctx, "tcp", m.SSHAddr())
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(config.Timeout)) // QEMU accepts long before the guest does
	c, channels, requests, err := ssh.NewClientConn(conn, m.SSHAddr(), config)
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return ssh.NewClient(c, channels, requests), nil
}

// Output runs command in the guest and returns what it wrote to standard
// output. The error of a command that failed holds its standard error. When
// ctx ends, the client is closed: a guest that hangs does not end a session.
func Output(ctx context.Context, client *ssh.Client, command string) (string, error) {
	session, err := client.NewSession()
	if err != nil {
		return "", fmt.Errorf("ssh: %w", err)
	}
	defer session.Close()
	var stdout, stderr bytes.Buffer
	session.Stdout, session.Stderr = &stdout, &stderr
	done := make(chan error, 1)
	go func() { done <- session.Run(command) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		client.Close()
		<-done
		err = context.Cause(ctx)
	}
	if err != nil {
		return stdout.String(), fmt.Errorf("ssh: %s: %w: %s", command, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}
