package vm

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// guestSSH is an ssh server that hangs up on its first callers, as QEMU's
// port does while the guest boots, and then knows one key.
func guestSSH(t *testing.T, known ssh.PublicKey) (port int, calls *atomic.Int32) {
	t.Helper()
	_, host, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(host)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(known.Marshal()) {
			return nil, fmt.Errorf("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	calls = new(atomic.Int32)
	serve := func(conn net.Conn) {
		defer conn.Close()
		if calls.Add(1) < 3 {
			return
		}
		c, channels, requests, err := ssh.NewServerConn(conn, config)
		if err != nil {
			return
		}
		defer c.Close()
		go ssh.DiscardRequests(requests)
		for wanted := range channels {
			channel, requests, err := wanted.Accept()
			if err != nil {
				return
			}
			for r := range requests {
				r.Reply(true, nil)
				command := string(r.Payload[4:])
				status := byte(0)
				switch command {
				case "hang":
					continue
				case "fail":
					fmt.Fprint(channel.Stderr(), "it failed")
					status = 3
				default:
					fmt.Fprintf(channel, "ran %s", command)
				}
				channel.SendRequest("exit-status", false, []byte{0, 0, 0, status})
				channel.Close()
			}
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, calls
}

func key(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestSSH(t *testing.T) {
	known := key(t)
	m := startFake(t, fakeQEMU{says: "login: "})
	var calls *atomic.Int32
	m.sshPort, calls = guestSSH(t, known.PublicKey())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := m.SSH(ctx, "rig", known)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if got := calls.Load(); got != 3 {
		t.Errorf("%d calls, want 3", got)
	}
	if got, err := Output(ctx, client, "uname -v"); got != "ran uname -v" || err != nil {
		t.Errorf("output %q, %v", got, err)
	}
	if _, err := Output(ctx, client, "fail"); err == nil || !strings.Contains(err.Error(), "status 3") || !strings.Contains(err.Error(), "it failed") {
		t.Errorf("error %v", err)
	}
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if _, err := Output(short, client, "hang"); err == nil || short.Err() == nil {
		t.Errorf("error %v", err)
	}

	begin := time.Now()
	if _, err := m.SSH(ctx, "rig", key(t)); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		t.Errorf("error %v", err)
	} else if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("a refused key was tried for %s", took)
	}
	m.sshPort = 1 // nobody there
	short, stop = context.WithTimeoutCause(ctx, 700*time.Millisecond, fmt.Errorf("the guest had 700 ms"))
	defer stop()
	if _, err := m.SSH(short, "rig", known); err == nil || !strings.Contains(err.Error(), "the guest had 700 ms") {
		t.Errorf("error %v", err)
	}
}
