package luks

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
)

// passphrase opens testdata/argon2id.head: the first 160 KiB of a container that
// cryptsetup 2.7.5 made with
//
//	luksFormat --type luks2 --key-size 256 --pbkdf argon2id --pbkdf-memory 1024 --pbkdf-force-iterations 4
//	  --luks2-metadata-size 16k --luks2-keyslots-size 256k --offset 1024
//	  --uuid 6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4 --label reprise
const passphrase = "da capo 4321"

// volumeKey is what cryptsetup luksDump --dump-volume-key says of it.
const volumeKey = "70956bb71cda4814e769e38994c2181396b07a36f95f082c8a3c610cdfcfc9ec"

const plenty = 1 << 40

func container(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/argon2id.head")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestUnlock(t *testing.T) {
	d := bytes.NewReader(container(t))
	h, err := Read(d)
	if err != nil {
		t.Fatal(err)
	}
	if h.UUID != "6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4" || h.Label != "reprise" || h.Damaged() || h.MemoryBytes() != 1<<20 {
		t.Errorf("UUID %q, label %q, damaged %v, %d bytes of memory", h.UUID, h.Label, h.Damaged(), h.MemoryBytes())
	}
	v, err := h.Unlock(d, []byte(passphrase), plenty)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(v.Key); got != volumeKey {
		t.Errorf("volume key %s, want %s", got, volumeKey)
	}
	if v.Cipher != "aes-xts-plain64" || v.Offset != 512<<10 || v.Size != 0 || v.FirstIV != 0 || v.SectorSize != 512 && v.SectorSize != 4096 {
		t.Errorf("volume %+v", v)
	}
	v.Clear()
	if !bytes.Equal(v.Key, make([]byte, 32)) {
		t.Error("the key is still there")
	}
	for _, wrong := range []string{"", "da capo 432", "da capo 4321\n", "Da capo 4321"} {
		if v, err := h.Unlock(d, []byte(wrong), plenty); !errors.Is(err, ErrPassphrase) {
			t.Errorf("passphrase %q: %v, %v", wrong, v, err)
		}
	}
}

// A keyslot that wants more memory than there is, is not tried.
func TestMemory(t *testing.T) {
	d := bytes.NewReader(container(t))
	h, err := Read(d)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Unlock(d, []byte(passphrase), 1<<20-1)
	if short := (*MemoryError)(nil); !errors.As(err, &short) || short.Need != 1<<20 {
		t.Errorf("error %v, want that 1 MiB is needed", err)
	}
}

// The second header serves when the first is gone, or says that it is another
// size.
func TestSecondHeader(t *testing.T) {
	for name, spoil := range map[string]func([]byte){
		"overwritten":    func(b []byte) { clear(b[:4096]) },
		"one bit":        func(b []byte) { b[5000] ^= 1 },
		"another size":   func(b []byte) { binary.BigEndian.PutUint64(b[8:], 0x8000) },
		"immense":        func(b []byte) { binary.BigEndian.PutUint64(b[8:], 1<<60) },
		"somewhere else": func(b []byte) { binary.BigEndian.PutUint64(b[256:], 4096) },
	} {
		data := container(t)
		spoil(data)
		d := bytes.NewReader(data)
		h, err := Read(d)
		if name == "another size" {
			// It says where the second one is, and there is none.
			if err == nil {
				t.Errorf("%s: it can be read", name)
			}
			continue
		}
		if err != nil || !h.Damaged() {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := h.Unlock(d, []byte(passphrase), plenty); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`"type":"argon2id"`, `"type":"argon2xx"`, `"argon2xx"`},
		{`"memory":1024`, `"memory":9999999`, "9999999 KiB"},
		{`"time":4`, `"time":0`, "0 passes"},
		{`"cpus":`, `"cpux":`, "0 threads"},
		{`"stripes":4000`, `"stripes":9999`, "9999"},
		{`"encryption":"aes-xts-plain64","key_size":32`, `"encryption":"aes-cbc-essiv","key_size":32`, `"aes-cbc-essiv"`},
		{`"segments":["0"]`, `"segments":["1"]`, "no digest"},
		{`"keyslots":["0"]`, `"keyslots":["3"]`, "no digest"},
		{`"type":"crypt"`, `"type":"linear"`, `"linear"`},
		{`"requirements":{}`, `"requirements":{"mandatory":["online-reencrypt-v2"]}`, "online-reencrypt-v2"},
		{`"iv_tweak":"0"`, `"iv_tweak":"x"`, "first IV"},
		{`"offset":"524288"`, `"offset":"524289"`, "524289"},
		{`"size":"dynamic"`, `"size":"-1"`, "size of the segment"},
	} {
		data := container(t)
		text, _, _ := strings.Cut(string(data[4096:0x4000]), "\x00")
		if !strings.Contains(text, c.old) {
			if c.old == `"requirements":{}` {
				c.old, c.new = `"config":{`, `"config":{`+c.new+`,`
			} else {
				t.Fatalf("the metadata has no %s:\n%s", c.old, text)
			}
		}
		_, err := parse([]byte(strings.Replace(text, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.new, err, c.want)
		}
	}
	for _, data := range [][]byte{nil, []byte("LUKS\xba\xbe"), make([]byte, 1<<20), append([]byte("LUKS\xba\xbe\x00\x01"), make([]byte, 1<<20)...)} {
		if _, err := Read(bytes.NewReader(data)); !errors.Is(err, ErrNotLUKS) {
			t.Errorf("%d bytes: %v, want that it is no LUKS2", len(data), err)
		}
	}
}

// A truncated container ends in an error, wherever it ends.
func TestShort(t *testing.T) {
	data := container(t)
	for _, n := range []int{4095, 4096, 0x3fff, 0x8000, len(data) - 4096} {
		d := bytes.NewReader(data[:n])
		h, err := Read(d)
		if err != nil {
			continue
		}
		if v, err := h.Unlock(d, []byte(passphrase), plenty); err == nil || errors.Is(err, ErrPassphrase) {
			t.Errorf("%d bytes: %v, %v", n, v, err)
		}
	}
}

// FuzzRead reads whatever is there. The checksum is made right, or nothing
// behind it would ever be reached.
func FuzzRead(f *testing.F) {
	data := container(f)
	f.Add(data[:0x4000])
	f.Add(data[0x4000:0x8000])
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= 0x4000 {
			data = bytes.Clone(data)
			size := binary.BigEndian.Uint64(data[8:])
			if size >= 2*binaryHeader && size <= uint64(len(data)) {
				clear(data[448:512])
				sum := sha256.Sum256(data[:size])
				copy(data[448:], sum[:])
			}
		}
		d := bytes.NewReader(data)
		h, err := Read(d)
		if err != nil {
			return
		}
		if len(h.slots) == 0 || h.MemoryBytes() > maxMemory<<10 {
			t.Errorf("a header with %d keyslots and %d bytes of memory", len(h.slots), h.MemoryBytes())
		}
		if v, err := h.Unlock(d, nil, 0); err == nil {
			t.Errorf("no passphrase opens it: %v", v)
		}
	})
}
