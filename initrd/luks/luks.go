// Package luks opens LUKS2 containers: it reads the header that cryptsetup
// wrote and turns a passphrase into the volume key. What is done with the key
// is left to the kernel, see package devmapper.
//
//	0        binary header, 4 KiB, then metadata in JSON up to the header's size
//	size     the same again, for when the first cannot be read
//	…        areas of the keyslots, each the volume key split up and encrypted
//	16 MiB   data, encrypted with the volume key
//
// Words: a keyslot holds the volume key, locked with one passphrase; a digest
// tells whether a key is the right one; a segment is a stretch of the device
// that is encrypted one way.
//
// Nothing is ever written, and nothing is trusted: sizes and costs are bounded
// before anything is done with them, and a key counts only when a digest says
// that it is right. Left out: tokens, integrity, several segments (a
// re-encryption that was not finished), keyslots encrypted with something
// else than aes-xts-plain64. Those are errors that say so.
//
// Source: LUKS2 On-Disk Format Specification, version 1.1.
package luks

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"
)

// Sizes, bytes.
const (
	binaryHeader = 4096
	maxHeader    = 4 << 20 // the largest that the format has
	sector       = 512     // what offsets of dm-crypt and IVs are counted in
)

// secondary is where the second header may begin, when the first cannot say.
var secondary = []int64{0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100000, 0x200000, 0x400000}

// Bounds of what a header may ask for.
const (
	maxMemory     = 4 << 20 // KiB; cryptsetup's own limit
	maxTime       = 1 << 20 // passes of Argon2
	maxThreads    = 255
	maxIterations = 1 << 31 // of PBKDF2
	maxKey        = 256     // bytes
	maxStripes    = 1 << 13
	maxSlots      = 32
)

var (
	// ErrNotLUKS says that there is no LUKS2 header.
	ErrNotLUKS = errors.New("it has no LUKS2 header")
	// ErrPassphrase says that no keyslot opens with the passphrase.
	ErrPassphrase = errors.New("no keyslot opens with this passphrase")
)

// A Header is what a container says of itself.
type Header struct {
	UUID  string
	Label string

	segment segment
	digests []digest
	slots   []slot // in the order in which to try them
	second  bool   // the first header could not be used
}

// Damaged says that the first header could not be used, and the second was.
func (h *Header) Damaged() bool { return h.second }

// A slot is a keyslot that can be tried.
type slot struct {
	number   string
	keySize  int
	priority int
	stripes  int
	hash     func() hash.Hash
	offset   int64
	kdf      kdf
	areaKey  int // bytes of the key that the area is encrypted with
}

type kdf struct {
	kind       string // "argon2id", "argon2i", "pbkdf2"
	salt       []byte
	time       uint32
	memory     uint32 // KiB
	threads    uint8
	iterations int
	hash       func() hash.Hash
}

type digest struct {
	slots      []string
	salt, want []byte
	iterations int
	hash       func() hash.Hash
}

type segment struct {
	offset     int64 // bytes
	size       int64 // bytes; 0: to the end of the device
	tweak      uint64
	encryption string
	sectorSize int
}

// Read reads the header at the start of d, or its copy.
func Read(d io.ReaderAt) (*Header, error) {
	h, size, err := readAt(d, 0, "LUKS\xba\xbe")
	if err == nil {
		return h, nil
	}
	places := secondary
	if size != 0 {
		places = []int64{size}
	}
	for _, at := range places {
		if h, _, second := readAt(d, at, "SKUL\xba\xbe"); second == nil {
			h.second = true
			return h, nil
		}
	}
	return nil, err
}

// readAt reads one header. size is what it says of its size, also when it
// cannot be used; 0 when there is none.
func readAt(d io.ReaderAt, at int64, magic string) (h *Header, size int64, err error) {
	head := make([]byte, binaryHeader)
	if _, err := d.ReadAt(head, at); err != nil {
		if errors.Is(err, io.EOF) {
			err = ErrNotLUKS
		}
		return nil, 0, err
	}
	if string(head[:6]) != magic {
		return nil, 0, ErrNotLUKS
	}
	if v := binary.BigEndian.Uint16(head[6:]); v != 2 {
		return nil, 0, fmt.Errorf("it is LUKS version %d: %w", v, ErrNotLUKS)
	}
	all := binary.BigEndian.Uint64(head[8:])
	if all < 2*binaryHeader || all > maxHeader || all%binaryHeader != 0 {
		return nil, 0, fmt.Errorf("LUKS2 header: it says that it has %d bytes", all)
	}
	size = int64(all)
	if own := binary.BigEndian.Uint64(head[256:]); own != uint64(at) {
		return nil, size, fmt.Errorf("LUKS2 header: it lies at %d and says %d", at, own)
	}
	if sum := text(head[72:104]); sum != "sha256" {
		return nil, size, fmt.Errorf("LUKS2 header: its checksum is %q, want \"sha256\"", sum)
	}
	data := make([]byte, size-binaryHeader)
	if _, err := d.ReadAt(data, at+binaryHeader); err != nil {
		return nil, size, fmt.Errorf("LUKS2 header: %w", err)
	}
	sum := sha256.New()
	sum.Write(head[:448])
	sum.Write(make([]byte, 64))
	sum.Write(head[512:])
	sum.Write(data)
	if !bytes.Equal(sum.Sum(nil), head[448:448+sha256.Size]) {
		return nil, size, errors.New("LUKS2 header: its checksum is wrong")
	}
	data, _, _ = bytes.Cut(data, []byte{0})
	h, err = parse(data)
	if err != nil {
		return nil, size, fmt.Errorf("LUKS2 header: %w", err)
	}
	h.UUID, h.Label = text(head[168:208]), text(head[24:72])
	return h, size, nil
}

// text is a string that a zero byte ends.
func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

// number is a whole number that the metadata has in quotes.
type number string

func (n number) bytes() (int64, error) {
	v, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%q is no number of bytes", string(n))
	}
	return v, nil
}

// The metadata, as far as it is looked at.
type metadata struct {
	Keyslots map[string]struct {
		Type     string `json:"type"`
		KeySize  int    `json:"key_size"`
		Priority *int   `json:"priority"`
		AF       struct {
			Type    string `json:"type"`
			Stripes int    `json:"stripes"`
			Hash    string `json:"hash"`
		} `json:"af"`
		Area struct {
			Type       string `json:"type"`
			Offset     number `json:"offset"`
			Size       number `json:"size"`
			Encryption string `json:"encryption"`
			KeySize    int    `json:"key_size"`
		} `json:"area"`
		KDF struct {
			Type       string `json:"type"`
			Salt       []byte `json:"salt"`
			Time       int64  `json:"time"`
			Memory     int64  `json:"memory"`
			CPUs       int64  `json:"cpus"`
			Hash       string `json:"hash"`
			Iterations int64  `json:"iterations"`
		} `json:"kdf"`
	} `json:"keyslots"`
	Segments map[string]struct {
		Type       string          `json:"type"`
		Offset     number          `json:"offset"`
		Size       string          `json:"size"`
		Tweak      string          `json:"iv_tweak"`
		Encryption string          `json:"encryption"`
		SectorSize int             `json:"sector_size"`
		Integrity  json.RawMessage `json:"integrity"`
		Flags      []string        `json:"flags"`
	} `json:"segments"`
	Digests map[string]struct {
		Type       string   `json:"type"`
		Keyslots   []string `json:"keyslots"`
		Segments   []string `json:"segments"`
		Hash       string   `json:"hash"`
		Iterations int64    `json:"iterations"`
		Salt       []byte   `json:"salt"`
		Digest     []byte   `json:"digest"`
	} `json:"digests"`
	Config struct {
		Requirements struct {
			Mandatory []string `json:"mandatory"`
		} `json:"requirements"`
	} `json:"config"`
}

// parse reads the metadata. Keyslots that cannot be tried are passed over; that
// none is left is an error.
func parse(data []byte) (*Header, error) {
	var m metadata
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, err
	}
	if must := m.Config.Requirements.Mandatory; len(must) > 0 {
		return nil, fmt.Errorf("it asks for %q: finish what was begun, with cryptsetup from another system", must)
	}
	h := &Header{}
	s, ok := m.Segments["0"]
	if !ok || len(m.Segments) != 1 {
		return nil, fmt.Errorf("it has %d segments: want one", len(m.Segments))
	}
	var err error
	if s.Type != "crypt" || len(s.Integrity) > 0 {
		return nil, fmt.Errorf("its segment is of type %q, with integrity %v: want \"crypt\" without", s.Type, len(s.Integrity) > 0)
	}
	h.segment = segment{encryption: s.Encryption, sectorSize: s.SectorSize}
	if h.segment.offset, err = s.Offset.bytes(); err != nil {
		return nil, fmt.Errorf("offset of the segment: %w", err)
	}
	if s.Size != "dynamic" {
		if h.segment.size, err = number(s.Size).bytes(); err != nil || h.segment.size == 0 {
			return nil, fmt.Errorf("size of the segment: %q", s.Size)
		}
	}
	if h.segment.tweak, err = strconv.ParseUint(s.Tweak, 10, 64); err != nil {
		return nil, fmt.Errorf("first IV of the segment: %w", err)
	}
	switch n := h.segment.sectorSize; {
	case n != 512 && n != 1024 && n != 2048 && n != 4096, h.segment.offset%sector != 0, h.segment.size%int64(n) != 0:
		return nil, fmt.Errorf("its segment of %q bytes at %d has sectors of %d bytes", s.Size, h.segment.offset, n)
	case !isCipher(s.Encryption):
		return nil, fmt.Errorf("its cipher is %q", s.Encryption)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Digests)) {
		d := m.Digests[name]
		made := hashes[d.Hash]
		if d.Type != "pbkdf2" || made == nil || d.Iterations < 1 || d.Iterations > maxIterations || !slices.Contains(d.Segments, "0") ||
			len(d.Digest) < 20 || len(d.Digest) > 64 {
			continue
		}
		h.digests = append(h.digests, digest{d.Keyslots, d.Salt, d.Digest, int(d.Iterations), made})
	}
	var odd []error
	for _, name := range slices.Sorted(maps.Keys(m.Keyslots)) {
		k := m.Keyslots[name]
		s := slot{number: name, keySize: k.KeySize, priority: 1, stripes: k.AF.Stripes, hash: hashes[k.AF.Hash], areaKey: k.Area.KeySize}
		if k.Priority != nil {
			s.priority = *k.Priority
		}
		if s.priority == 0 {
			continue // for whoever asks for this very slot
		}
		wrong := func(format string, args ...any) {
			odd = append(odd, fmt.Errorf("keyslot %s: "+format, append([]any{name}, args...)...))
		}
		size, err := k.Area.Size.bytes()
		if err == nil {
			s.offset, err = k.Area.Offset.bytes()
		}
		if err != nil {
			wrong("its area: %w", err)
			continue
		}
		s.kdf = kdf{kind: k.KDF.Type, salt: k.KDF.Salt, hash: hashes[k.KDF.Hash]}
		switch {
		case k.Type != "luks2" || k.AF.Type != "luks1" || k.Area.Type != "raw":
			wrong("it is of type %q, area %q, split %q", k.Type, k.Area.Type, k.AF.Type)
			continue
		case s.hash == nil || s.stripes < 1 || s.stripes > maxStripes || s.keySize < 16 || s.keySize > maxKey:
			wrong("a key of %d bytes is split into %d with %q", s.keySize, s.stripes, k.AF.Hash)
			continue
		case k.Area.Encryption != areaCipher || s.areaKey != 32 && s.areaKey != 64:
			wrong("it is encrypted with %q and a key of %d bytes: want %q", k.Area.Encryption, s.areaKey, areaCipher)
			continue
		case roundUp(int64(s.keySize)*int64(s.stripes)) > size || s.offset > 1<<40:
			wrong("its area is of %d bytes at %d", size, s.offset)
			continue
		}
		switch s.kdf.kind {
		case "argon2id", "argon2i":
			if k.KDF.Time < 1 || k.KDF.Time > maxTime || k.KDF.Memory < 8 || k.KDF.Memory > maxMemory || k.KDF.CPUs < 1 || k.KDF.CPUs > maxThreads {
				wrong("%s with %d passes, %d KiB and %d threads", s.kdf.kind, k.KDF.Time, k.KDF.Memory, k.KDF.CPUs)
				continue
			}
			s.kdf.time, s.kdf.memory, s.kdf.threads = uint32(k.KDF.Time), uint32(k.KDF.Memory), uint8(k.KDF.CPUs)
		case "pbkdf2":
			if s.kdf.hash == nil || k.KDF.Iterations < 1 || k.KDF.Iterations > maxIterations {
				wrong("pbkdf2 of %q with %d iterations", k.KDF.Hash, k.KDF.Iterations)
				continue
			}
			s.kdf.iterations = int(k.KDF.Iterations)
		default:
			wrong("its passphrase goes through %q", s.kdf.kind)
			continue
		}
		if !slices.ContainsFunc(h.digests, func(d digest) bool { return slices.Contains(d.slots, name) }) {
			wrong("no digest says what its key is")
			continue
		}
		h.slots = append(h.slots, s)
	}
	slices.SortStableFunc(h.slots, func(a, b slot) int { return b.priority - a.priority })
	if len(h.slots) == 0 {
		return nil, errors.Join(append([]error{errors.New("it has no keyslot that can be opened here")}, odd...)...)
	}
	if len(h.slots) > maxSlots {
		return nil, fmt.Errorf("it has %d keyslots: at most %d", len(h.slots), maxSlots)
	}
	return h, nil
}

var hashes = map[string]func() hash.Hash{"sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}

// isCipher says whether s can be one word of the kernel's table.
func isCipher(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return s != "" && len(s) < 128
}

func roundUp(n int64) int64 { return (n + sector - 1) / sector * sector }
