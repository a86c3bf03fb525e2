package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"reprise/internal/archive"
	"reprise/internal/atomicfile"
	"reprise/internal/config"
)

// authorize adds the keys that the command line names to the configuration. A
// key pair that was made for it is written by keep, once the build is sure to
// want it.
func (a *app) authorize(cfg *config.Config, keys []string, out string) (keep func() error, err error) {
	keep = func() error { return nil }
	for _, key := range keys {
		lines := []string{key}
		switch {
		case key == "auto":
			var line string
			if line, keep, err = a.ownKey(out); err != nil {
				return nil, err
			}
			lines = []string{line}
		case !strings.ContainsAny(key, " \t"):
			data, err := os.ReadFile(key)
			if err != nil {
				return nil, fmt.Errorf("--authorize: %w; want the file of a public key, such as ~/.ssh/id_ed25519.pub", err)
			}
			lines = nil
			for line := range strings.Lines(string(data)) {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					lines = append(lines, line)
				}
			}
			if len(lines) == 0 {
				return nil, fmt.Errorf("--authorize: %q holds no key", key)
			}
		}
		if err := cfg.Authorize(lines...); err != nil {
			return nil, fmt.Errorf("--authorize %s: %w", key, err)
		}
	}
	return keep, nil
}

// ownKey returns the user's own public key, else that of a pair beside the
// image, which keep writes when it is new.
func (a *app) ownKey(out string) (line string, keep func() error, err error) {
	there := func() error { return nil }
	if home, err := os.UserHomeDir(); err == nil {
		for _, name := range []string{"id_ed25519.pub", "id_ed25519_sk.pub", "id_ecdsa.pub", "id_ecdsa_sk.pub", "id_rsa.pub"} {
			path := filepath.Join(home, ".ssh", name)
			if data, err := os.ReadFile(path); err == nil {
				a.sink.Note("letting in your own ssh key, %s", path)
				return strings.TrimSpace(string(data)), there, nil
			}
		}
	}
	private := out + ".key"
	data, err := os.ReadFile(private + ".pub")
	if err == nil {
		a.sink.Note("letting in the ssh key beside the image, %s", private)
		return strings.TrimSpace(string(data)), there, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	public, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, err
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", nil, err
	}
	line = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshPublic))) + " reprise"
	return line, func() error {
		block, err := ssh.MarshalPrivateKey(secret, "reprise")
		if err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(private, 0o600, pem.EncodeToMemory(block)); err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(private+".pub", 0o644, []byte(line+"\n")); err != nil {
			return err
		}
		a.sink.Note("you have no ssh key in ~/.ssh, so one was made beside the image: log in with ssh -i %s", private)
		return nil
	}, nil
}

func isGone(err error) bool {
	var gone *archive.GoneError
	return errors.As(err, &gone)
}

// allocated returns the bytes that a file takes on its disk; holes take none.
func allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}
