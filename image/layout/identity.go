package layout

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// A Seed stands for everything that a disk is made from. Two disks with the
// same seed carry the same names.
type Seed [sha256.Size]byte

// SeedOf hashes parts; where one part ends and the next begins takes part.
// Give it what the disk's content follows from: the system's store paths, the
// generation's number, the kernel parameters.
func SeedOf(parts ...string) Seed {
	h := sha256.New()
	for _, part := range parts {
		binary.Write(h, binary.LittleEndian, uint64(len(part)))
		io.WriteString(h, part)
	}
	return Seed(h.Sum(nil))
}

// A GUID is in the order of its text form, big-endian.
type GUID [16]byte

// String is the form that Linux shows for PARTUUID and UUID: lower case.
func (g GUID) String() string {
	s := hex.EncodeToString(g[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// ParseGUID reads the text form, in either case.
func ParseGUID(s string) (GUID, error) {
	var g GUID
	plain := strings.ReplaceAll(s, "-", "")
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' || len(plain) != 32 {
		return g, fmt.Errorf("GUID %q: want the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", s)
	}
	if _, err := hex.Decode(g[:], []byte(plain)); err != nil {
		return GUID{}, fmt.Errorf("GUID %q: %w", s, err)
	}
	return g, nil
}

// An Identity is every name on a disk that must not be another disk's. It is
// known before the content is, since the kernel line of a boot entry on the
// ESP names the root partition's GUID.
type Identity struct {
	Disk, BIOSBoot, ESP, Root GUID
	RootFS                    GUID // UUID of the ext4 file system
	HashSeed                  GUID // of ext4's directory index
	FATSerial                 uint32
}

// Identify derives the names of a disk from seed.
func Identify(seed Seed) Identity {
	name := func(what string) GUID {
		sum := SeedOf("reprise disk identity 1", string(seed[:]), what)
		var g GUID
		copy(g[:], sum[:])
		g[6] = g[6]&0x0f | 0x80 // version 8: made by a rule of our own, RFC 9562
		g[8] = g[8]&0x3f | 0x80 // variant
		return g
	}
	serial := name("FAT serial")
	return Identity{
		Disk: name("disk"), BIOSBoot: name("BIOS boot partition"), ESP: name("ESP"), Root: name("root partition"),
		RootFS: name("root file system"), HashSeed: name("directory hash seed"),
		FATSerial: binary.LittleEndian.Uint32(serial[:]),
	}
}
