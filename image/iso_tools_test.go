//go:build tools

package image_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"reprise/image"
	"reprise/image/iso9660"
	"reprise/image/layout"
	"reprise/internal/progress"
	"reprise/internal/sha256sums"
)

// medium is a small medium; it would start, if its kernel were one.
func medium() image.ISO {
	some := bytes.Repeat([]byte("some content of a page.\n"), 120_000)
	return image.ISO{
		Label: "REPRISE", Seed: layout.SeedOf("medium"), Time: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		Menu: []byte("set timeout=10\n"), Kernel: image.Bytes(some[:2<<20]), Initrd: image.Bytes(some[:1<<20+1]), Store: image.Bytes(some), Index: []byte("{}\n"),
		ESP: image.MediumUEFI(some[:1_000_000], some[:2_300_000], some[:870_000]),
	}
}

func writeMedium(tb testing.TB, m image.ISO) string {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), "medium.iso")
	if err := image.WriteISO(tb.Context(), m, out, toolRoot(tb), progress.Discard); err != nil {
		tb.Fatal(err)
	}
	return out
}

func TestMediumSatisfiesItsJudges(t *testing.T) {
	tools := toolRoot(t)
	out := writeMedium(t, medium())
	said := xorriso(t, out, "-check_media", "--", "-report_el_torito", "plain", "-report_system_area", "plain")
	for _, want := range []string{
		"Volume id    : 'REPRISE'",
		`El Torito img path :   1  /boot/grub/i386-pc/eltorito.img`,
		`El Torito img opts :   1  boot-info-table grub2-boot-info`,
		`El Torito boot img :   2  UEFI  y   none`,
		"System area summary: MBR protective-msdos-label grub2-mbr cyl-align-off GPT",
		"GPT partname local :   1  iso", "GPT partname local :   2  REPRISE-ESP",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("xorriso does not say %q:\n%s", want, said)
		}
	}
	if said := tools.Judge(t, out, "/usr/sbin/sgdisk", "-v", "/image"); !strings.Contains(said, "No problems found") || strings.Contains(strings.ToLower(said), "caution") {
		t.Errorf("sgdisk -v: %s", said)
	}
	esp := mediumESP(t, out)
	if said := tools.Judge(t, esp, "/usr/sbin/fsck.fat", "-nv", "/image"); regexp.MustCompile(`(?i)invalid|wrong|differ|uninit|warning|reclaim|error`).MatchString(said) || !strings.Contains(said, "2 FATs, 16 bit") {
		t.Errorf("fsck.fat: %s", said)
	}

	// What SHA256SUMS says holds, and names everything else.
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := iso9660.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) []byte {
		r, err := v.File(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sums, err := sha256sums.Parse(read(image.MediumSums))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, s := range sums {
		paths = append(paths, s.Path)
		if sha256.Sum256(read(s.Path)) != s.Digest {
			t.Errorf("%q has another sum", s.Path)
		}
	}
	if got, want := strings.Join(paths, " "), ".disk/info boot/grub/grub.cfg boot/grub/i386-pc/eltorito.img boot/initrd boot/kernel reprise/medium.json reprise/store.squashfs"; got != want {
		t.Errorf("sums of %s, want %s", got, want)
	}
}

// mediumESP copies the ESP of a medium to a file of its own.
func mediumESP(tb testing.TB, out string) string {
	tb.Helper()
	found := regexp.MustCompile(`GPT start and size :\s+2\s+(\d+)\s+(\d+)`).FindStringSubmatch(xorriso(tb, out, "-report_system_area", "plain"))
	var first, blocks int64
	if _, err := fmt.Sscan(strings.Join(found[1:], " "), &first, &blocks); err != nil {
		tb.Fatal(err)
	}
	return cut(tb, out, layout.Partition{Name: "ESP", FirstLBA: first, LastLBA: first + blocks - 1})
}

// xorriso runs it over an image and fails the test when it has anything to
// say against it.
func xorriso(tb testing.TB, file string, argv ...string) string {
	tb.Helper()
	return complaints(tb, toolRoot(tb).Judge(tb, file, append([]string{"/usr/bin/xorriso", "-pkt_output", "on", "-indev", "/image"}, argv...)...))
}

func complaints(tb testing.TB, said string) string {
	tb.Helper()
	if bad := regexp.MustCompile(`(?m)^.*: (WARNING|SORRY|MISHAP|FAILURE|FATAL|HINT) :.*$|Media region.* - .*$`).FindAllString(said, -1); bad != nil {
		tb.Errorf("xorriso: %s", strings.Join(bad, "\n"))
	}
	// -pkt_output puts what goes to both streams into one, with a prefix.
	return regexp.MustCompile(`(?m)^[RIM]:\d+: `).ReplaceAllString(said, "")
}

func TestMediumIsReproducible(t *testing.T) {
	sum := func() [32]byte {
		b, err := os.ReadFile(writeMedium(t, medium()))
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(b)
	}
	first := sum()
	t.Setenv("TZ", "Pacific/Auckland")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	t.Setenv("TMPDIR", t.TempDir())
	defer syscall.Umask(syscall.Umask(0o077))
	if second := sum(); first != second {
		t.Errorf("two runs differ: %x, %x", first, second)
	}
}

// TestMediumAppearsWholeOrNotAtAll lets the writing end early in several ways.
func TestMediumAppearsWholeOrNotAtAll(t *testing.T) {
	tools := toolRoot(t)
	gone := filepath.Join(t.TempDir(), "gone")
	os.WriteFile(gone, []byte("x"), 0o600)
	missing, err := image.FileContent(gone)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*testing.T, *image.ISO) context.Context{
		"cancelled": func(t *testing.T, m *image.ISO) context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			t.Cleanup(cancel)
			m.Store = cancels{m.Store, cancel}
			return ctx
		},
		"source missing": func(t *testing.T, m *image.ISO) context.Context {
			os.Remove(gone)
			m.Initrd = missing
			return t.Context()
		},
		"source shrank": func(t *testing.T, m *image.ISO) context.Context { m.Store = grown{m.Store, 1}; return t.Context() },
		"source grew":   func(t *testing.T, m *image.ISO) context.Context { m.Store = grown{m.Store, -1}; return t.Context() },
		"no kernel":     func(t *testing.T, m *image.ISO) context.Context { m.Kernel = nil; return t.Context() },
		"bad label":     func(t *testing.T, m *image.ISO) context.Context { m.Label = "no label"; return t.Context() },
		"ESP too large": func(t *testing.T, m *image.ISO) context.Context {
			m.ESP = append(m.ESP, image.File{Path: "large", Size: 30 << 20, Content: make([]byte, 30<<20)})
			return t.Context()
		},
		"ESP twice": func(t *testing.T, m *image.ISO) context.Context {
			m.ESP = append(m.ESP, image.File{Path: "efi/boot/bootx64.efi"}, image.File{Path: "EFI/BOOT/BOOTX64.EFI"})
			return t.Context()
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := medium()
			ctx := spoil(t, &m)
			staysAsItWas(t, name, func(out string) error { return image.WriteISO(ctx, m, out, tools, progress.Discard) })
		})
	}
}

// cancels ends the context when its content is asked for.
type cancels struct {
	image.Content
	cancel func()
}

func (c cancels) WriteTo(ctx context.Context, w io.Writer) error {
	c.cancel()
	return c.Content.WriteTo(ctx, w)
}

// grown says that it has more bytes than it gives.
type grown struct {
	image.Content
	by int64
}

func (g grown) Size() int64 { return g.Content.Size() + g.by }
