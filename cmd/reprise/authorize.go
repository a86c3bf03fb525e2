package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"reprise/internal/archive"
	"reprise/internal/atomicfile"
	"reprise/internal/config"
	"reprise/internal/diag"
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
			data, err := readKey(key)
			if err != nil {
				return nil, diag.Problem{Field: "--authorize", Got: fmt.Sprintf("%q cannot be read: %s", key, reason(err)),
					Want: "the file of an ssh public key, or the key itself", Do: "name it, such as ~/.ssh/id_ed25519.pub, or let reprise choose with --authorize auto"}
			}
			// As a whole: a line of a private key must not come to a message.
			lines = []string{string(data)}
		}
		if err := cfg.Authorize(lines...); err != nil {
			return nil, fmt.Errorf("--authorize %s: %w", key, err)
		}
	}
	return keep, nil
}

// maxKeyFile is more than anybody's authorized_keys holds.
const maxKeyFile = 1 << 20 // bytes

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = errors.New("it is larger than 1 MiB")
	}
	return data, err
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
	data, err := os.ReadFile(private)
	switch {
	case err == nil:
		// The private half is the one that matters: it is never replaced.
		signer, err := ssh.ParsePrivateKey(data)
		if err != nil {
			return "", nil, fmt.Errorf("the ssh key beside the image, %q: %w; move it away, or pass --authorize another key", private, err)
		}
		line = authorizedLine(signer.PublicKey())
		a.sink.Note("letting in the ssh key beside the image, %s", private)
		return line, func() error { return writePublic(private, line) }, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", nil, err
	}
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, err
	}
	signer, err := ssh.NewSignerFromKey(secret)
	if err != nil {
		return "", nil, err
	}
	line = authorizedLine(signer.PublicKey())
	return line, func() error {
		block, err := ssh.MarshalPrivateKey(secret, "reprise")
		if err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(private, 0o600, pem.EncodeToMemory(block)); err != nil {
			return err
		}
		a.sink.Note("you have no ssh key in ~/.ssh, so one was made beside the image: log in with ssh -i %s", private)
		return writePublic(private, line)
	}, nil
}

func authorizedLine(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " reprise"
}

// writePublic writes the public half of a key beside it, unless it is there.
func writePublic(private, line string) error {
	if fileExists(private + ".pub") {
		return nil
	}
	return atomicfile.WriteBytes(private+".pub", 0o644, []byte(line+"\n"))
}

func isGone(err error) bool {
	var gone *archive.GoneError
	return errors.As(err, &gone)
}

// reason returns why an operation on a file went wrong, without the file's
// name: the message has it already.
func reason(err error) string {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// allocated returns the bytes that a file takes on its disk; holes take none.
func allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}
