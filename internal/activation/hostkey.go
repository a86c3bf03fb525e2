package activation

import (
	"crypto/ed25519"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// hostKey makes an OpenSSH ed25519 host key. The private half is published
// last: what stands without its .pub is completed, not replaced. One kind of
// key is enough (OpenSSH has it since 6.5, 2014), and it costs nothing at the
// first boot, where ssh-keygen's RSA takes seconds.
func (a *applier) hostKey(it Item) error {
	data, err := a.read(it.Path)
	if err != nil {
		return err
	}
	if data != nil {
		if signer, err := ssh.ParsePrivateKey(data); err == nil {
			if err := a.publicKey(it, signer.PublicKey()); err != nil {
				return err
			}
			return a.settle(it.Path, it.Mode, it.UID, it.GID)
		}
	}
	public, private, err := ed25519.GenerateKey(a.opt.Random)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, it.Content)
	if err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	if err := a.publicKey(it, key); err != nil {
		return err
	}
	return a.write(it.Path, pem.EncodeToMemory(block), it.Mode, it.UID, it.GID)
}

// publicKey keeps the .pub beside a key in step with it; Item.Content is the
// comment.
func (a *applier) publicKey(it Item, key ssh.PublicKey) error {
	line := fmt.Sprintf("%s %s\n", trimNewline(ssh.MarshalAuthorizedKey(key)), it.Content)
	have, err := a.read(it.Path + ".pub")
	if err != nil {
		return err
	}
	if string(have) == line {
		return nil
	}
	return a.write(it.Path+".pub", []byte(line), 0o644, it.UID, it.GID)
}

func trimNewline(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == '\n' {
		b = b[:len(b)-1]
	}
	return b
}
