package deb

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"strings"
	"testing"
	"time"
)

// xzSample is text that compresses a little, in blocks of 64 KiB.
func xzSample(t testing.TB, size int) (plain, packed []byte) {
	random := rand.New(rand.NewSource(1))
	plain = make([]byte, size)
	for i := range plain {
		plain[i] = byte('a' + random.Intn(4))
	}
	return plain, compress(t, "xz", plain, 64<<10)
}

func decodeXZ(packed []byte) ([]byte, error) {
	r, err := NewXZ(context.Background(), bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestXZBlocks(t *testing.T) {
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 1_000_000} {
		plain, packed := xzSample(t, size)
		blocks, ok, err := xzBlocks(io.NewSectionReader(bytes.NewReader(packed), 0, int64(len(packed))))
		if want := max(1, (size+64<<10-1)>>16); err != nil || !ok || len(blocks) != want {
			t.Errorf("%d bytes: %d blocks, %v, %v, want %d", size, len(blocks), ok, err, want)
		}
		got, err := decodeXZ(packed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
		// Two streams after each other are one file, too.
		got, err = decodeXZ(append(bytes.Clone(packed), packed...))
		if err != nil || !bytes.Equal(got, append(plain, plain...)) {
			t.Errorf("twice %d bytes: got %d, %v", size, len(got), err)
		}
	}
}

// No change of one byte may go unnoticed, and none may hang or panic.
func TestXZDamaged(t *testing.T) {
	plain, packed := xzSample(t, 300_000)
	for at := 0; at < len(packed); at += 1 + len(packed)/400 {
		bad := bytes.Clone(packed)
		bad[at] ^= 0x21
		if got, err := decodeXZ(bad); err == nil && !bytes.Equal(got, plain) {
			t.Errorf("byte %d changed: decoded to something else without an error", at)
		}
		if _, err := decodeXZ(packed[:at]); err == nil {
			t.Errorf("cut at byte %d: no error", at)
		}
	}
	for _, tail := range []string{"x", "abcd", "\x00\x00\x00\x00x"} {
		if _, err := decodeXZ(append(bytes.Clone(packed), tail...)); err == nil {
			t.Errorf("%q at the end: no error", tail)
		}
	}
}

// Closing early ends the goroutines, and cancelling ends a read.
func TestXZStops(t *testing.T) {
	_, packed := xzSample(t, 4<<20)
	for range 20 {
		ctx, cancel := context.WithCancel(context.Background())
		r, err := NewXZ(ctx, bytes.NewReader(packed), int64(len(packed)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		cancel()
		for start := time.Now(); ; {
			if _, err = r.Read(make([]byte, 1000)); err != nil {
				break
			}
			if time.Since(start) > 10*time.Second {
				t.Fatal("reads on after cancel")
			}
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("read after cancel: %v", err)
		}
		r.Close() // waits for the goroutines
		if _, err := r.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "EOF") {
			t.Errorf("read after close: %v", err)
		}
	}
}

func FuzzXZ(f *testing.F) {
	_, packed := xzSample(f, 200)
	f.Add(packed)
	f.Add(compress(f, "xz", bytes.Repeat([]byte("ab"), 100), 50))
	f.Fuzz(func(t *testing.T, packed []byte) {
		r, err := NewXZ(context.Background(), bytes.NewReader(packed), int64(len(packed)))
		if err != nil {
			return
		}
		defer r.Close()
		io.Copy(io.Discard, io.LimitReader(r, 16<<20))
	})
}
