package luks

import (
	"crypto/aes"
	"crypto/pbkdf2"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime/debug"
	"slices"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/xts"
)

// areaCipher is what areas of keyslots are encrypted with.
const areaCipher = "aes-xts-plain64"

// A Volume is what the kernel needs to read the data.
type Volume struct {
	Key        []byte
	Cipher     string // "aes-xts-plain64"
	Offset     int64  // where the data begins, bytes
	Size       int64  // of the data, bytes; 0: to the end of the device
	FirstIV    uint64 // of the first sector
	SectorSize int    // bytes
}

// Clear overwrites the key.
func (v *Volume) Clear() { clear(v.Key) }

// MemoryBytes is the most that Unlock needs at a time.
func (h *Header) MemoryBytes() int64 {
	most := int64(0)
	for _, s := range h.slots {
		most = max(most, int64(s.kdf.memory)<<10)
	}
	return most
}

// Unlock tries the passphrase on every keyslot, those that want to be tried
// first first. It is ErrPassphrase when none opens. room is how many bytes of
// memory there are: keyslots that need more are passed over, and when no other
// opens, a *MemoryError says so.
func (h *Header) Unlock(d io.ReaderAt, passphrase []byte, room int64) (*Volume, error) {
	var errs []error
	var wants int64
	for _, s := range h.slots {
		if need := int64(s.kdf.memory) << 10; need > room {
			if wants == 0 || need < wants {
				wants = need
			}
			continue
		}
		key, err := s.open(d, passphrase)
		if err != nil {
			errs = append(errs, fmt.Errorf("keyslot %s: %w", s.number, err))
			continue
		}
		if h.right(s.number, key) {
			return &Volume{Key: key, Cipher: h.segment.encryption, Offset: h.segment.offset, Size: h.segment.size,
				FirstIV: h.segment.tweak, SectorSize: h.segment.sectorSize}, nil
		}
		clear(key)
	}
	switch {
	case len(errs) > 0:
		return nil, errors.Join(errs...)
	case wants > 0:
		return nil, &MemoryError{Need: wants, Room: room}
	}
	return nil, ErrPassphrase
}

// A MemoryError says that a keyslot could not be tried. Sizes are in bytes.
type MemoryError struct{ Need, Room int64 }

func (e *MemoryError) Error() string {
	return fmt.Sprintf("a keyslot needs %d MiB of memory to be opened, and %d MiB are free", e.Need>>20, e.Room>>20)
}

// right says whether key is the volume key, by the digest of the keyslot.
func (h *Header) right(slot string, key []byte) bool {
	for _, d := range h.digests {
		if !slices.Contains(d.slots, slot) {
			continue
		}
		got, err := pbkdf2.Key(d.hash, string(key), d.salt, d.iterations, len(d.want))
		return err == nil && subtle.ConstantTimeCompare(got, d.want) == 1
	}
	return false
}

// open makes a key of the area of a keyslot. Whether it is the right one, the
// digest will tell.
func (s *slot) open(d io.ReaderAt, passphrase []byte) ([]byte, error) {
	areaKey, err := s.kdf.derive(passphrase, s.areaKey)
	if err != nil {
		return nil, err
	}
	defer clear(areaKey)
	split := make([]byte, roundUp(int64(s.keySize)*int64(s.stripes)))
	defer clear(split)
	if _, err := d.ReadAt(split, s.offset); err != nil {
		return nil, fmt.Errorf("read its area: %w", err)
	}
	cipher, err := xts.NewCipher(aes.NewCipher, areaKey)
	if err != nil {
		return nil, err
	}
	for n := 0; n < len(split); n += sector {
		cipher.Decrypt(split[n:n+sector], split[n:n+sector], uint64(n/sector))
	}
	return merge(split[:s.keySize*s.stripes], s.keySize, s.hash), nil
}

func (k *kdf) derive(passphrase []byte, size int) ([]byte, error) {
	switch k.kind {
	case "argon2id":
		// What one keyslot has used is there for the next.
		defer debug.FreeOSMemory()
		return argon2.IDKey(passphrase, k.salt, k.time, k.memory, k.threads, uint32(size)), nil
	case "argon2i":
		defer debug.FreeOSMemory()
		return argon2.Key(passphrase, k.salt, k.time, k.memory, k.threads, uint32(size)), nil
	}
	return pbkdf2.Key(k.hash, string(passphrase), k.salt, k.iterations, size)
}

// merge undoes the split of a key: each stripe but the last is mixed into what
// the stripes before it have become.
// Source: LUKS1 On-Disk Format Specification 1.2.3, "Anti-forensic splitter".
func merge(split []byte, size int, h func() hash.Hash) []byte {
	key := make([]byte, size)
	for at := 0; ; at += size {
		subtle.XORBytes(key, key, split[at:at+size])
		if at+size == len(split) {
			return key
		}
		diffuse(key, h())
	}
}

// diffuse replaces each piece of a key that is as long as a hash by the hash of
// its number and itself.
func diffuse(key []byte, h hash.Hash) {
	for n, at := uint32(0), 0; at < len(key); n, at = n+1, at+h.Size() {
		piece := key[at:min(at+h.Size(), len(key))]
		h.Reset()
		_ = binary.Write(h, binary.BigEndian, n)
		h.Write(piece)
		copy(piece, h.Sum(nil))
	}
}
