//go:build tools

package luks

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/store/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init() // a sandbox is this binary again
	os.Exit(m.Run())
}

// cryptsetup runs the real one over a file, which it sees as /tmp/disk.
func cryptsetup(t *testing.T, disk, passphrase string, args ...string) string {
	t.Helper()
	root := os.Getenv("REPRISE_TEST_TOOLS")
	if root == "" {
		t.Fatal("REPRISE_TEST_TOOLS names no tree of programs")
	}
	var out, said bytes.Buffer
	spec := sandbox.Spec{
		Root: root, Argv: append([]string{"/usr/sbin/cryptsetup", "--batch-mode"}, args...), Env: []string{"PATH=/usr/sbin:/usr/bin"},
		Stdin: strings.NewReader(passphrase), Stdout: &out, Stderr: &said, AsRoot: true, Tmpfs: []string{"/tmp", "/run"},
		Binds: []sandbox.Bind{{Source: disk, Target: "/tmp/disk", Writable: true}},
	}
	if err := sandbox.Run(t.Context(), spec); err != nil {
		t.Fatalf("cryptsetup %q: %v: %s", args, err, &said)
	}
	return out.String()
}

// TestJudgeCryptsetup opens what cryptsetup makes, and compares the volume key
// with the one that it says itself.
func TestJudgeCryptsetup(t *testing.T) {
	const fast = "--pbkdf-force-iterations"
	for name, args := range map[string][]string{
		"argon2id": {"--pbkdf", "argon2id", "--pbkdf-memory", "8192", fast, "4"},
		"argon2i":  {"--pbkdf", "argon2i", "--pbkdf-memory", "1000", "--pbkdf-parallel", "1", fast, "5"},
		"pbkdf2":   {"--pbkdf", "pbkdf2", fast, "1001", "--hash", "sha512"},
		"small":    {"--pbkdf", "pbkdf2", fast, "1000", "--key-size", "256", "--sector-size", "512"},
		"large":    {"--pbkdf", "pbkdf2", fast, "1000", "--sector-size", "4096", "--luks2-metadata-size", "256k", "--offset", "65536"},
		"other data": {"--pbkdf", "pbkdf2", fast, "1000", "--cipher", "aes-cbc-essiv:sha256", "--key-size", "256",
			"--keyslot-cipher", "aes-xts-plain64", "--keyslot-key-size", "512"},
		"as we do it": {"--pbkdf", "argon2id", "--pbkdf-memory", "65536", fast, "4", "--label", "reprise"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := filepath.Join(t.TempDir(), "disk.img")
			if err := os.WriteFile(disk, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(disk, 64<<20); err != nil {
				t.Fatal(err)
			}
			const right = "grüße aus dem Proberaum"
			cryptsetup(t, disk, right, append(append([]string{"luksFormat", "--type", "luks2"}, args...), "--key-file=-", "/tmp/disk")...)
			dump := cryptsetup(t, disk, right, "luksDump", "--dump-volume-key", "--key-file=-", "/tmp/disk")
			_, dump, found := strings.Cut(dump, "MK dump:")
			if !found {
				t.Fatalf("luksDump says %q", dump)
			}
			want := strings.Join(strings.Fields(dump), "")
			for _, spoilt := range []bool{false, true} {
				f, err := os.OpenFile(disk, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if spoilt { // a boot sector that somebody has written there
					if _, err := f.WriteAt(make([]byte, 512), 0); err != nil {
						t.Fatal(err)
					}
				}
				h, err := Read(f)
				if err != nil {
					t.Fatal(err)
				}
				if h.Damaged() != spoilt {
					t.Errorf("spoilt %v, damaged %v", spoilt, h.Damaged())
				}
				v, err := h.Unlock(f, []byte(right), plenty)
				if err != nil {
					t.Fatal(err)
				}
				if got := hex.EncodeToString(v.Key); got != want {
					t.Errorf("volume key %s, want %s", got, want)
				}
				if _, err := h.Unlock(f, []byte(right+" "), plenty); !errors.Is(err, ErrPassphrase) {
					t.Errorf("another passphrase: %v", err)
				}
			}
		})
	}
}
