package flash

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reprise/internal/diag"
	"reprise/internal/progress"
)

func TestOpenImageRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ data, want string }{
		"empty": {"", "is empty"}, "x.zip": {"PK\x03\x04rest", "is a zip archive"}, "x.bz2": {"BZh91AY", "bunzip2"},
		"x.7z": {"7z\xbc\xaf\x27\x1c", "7z archive"}, "x.qcow2": {"QFI\xfb0", "qemu-img"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.data), 0o644); err != nil {
			t.Fatal(err)
		}
		refuses(t, path, c.want)
	}
	refuses(t, dir, "no regular file")
	refuses(t, dir+"/none", "no such file")
}

func refuses(t *testing.T, path, want string) {
	t.Helper()
	_, err := OpenImage(path)
	if p := (diag.Problem{}); !errors.As(err, &p) || !strings.Contains(err.Error(), want) || p.Want == "" || p.Do == "" {
		t.Errorf("%q: %v, want %q", path, err, want)
	}
}

// TestMeasureRefuses holds that damage is found before a device is touched.
func TestMeasureRefuses(t *testing.T) {
	b := content(t, 5*mib)
	iso := slices.Clone(b)
	clear(iso[512:1024])
	copy(iso[32<<10:], "\x01CD001\x01")
	binary.LittleEndian.PutUint32(iso[32<<10+80:], 5*mib/2048)
	binary.LittleEndian.PutUint16(iso[32<<10+128:], 2048)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"disk cut short":      {b[:4*mib], "is cut short: 1.0 MiB, 1,048,576 bytes of its partition table are missing"},
		"disk without an end": {b[:5*mib-1], "is cut short: 1 bytes"},
		"ISO cut short":       {iso[:4*mib], "is cut short: 1.0 MiB, 1,048,576 bytes of its ISO 9660 volume are missing"},
		"gz of a cut disk":    {packed(t, b[:4*mib], "gz"), "is cut short"},
		"gz cut short":        {cut(packed(t, b, "gz")), "is a damaged gz file"},
		"xz cut short":        {cut(packed(t, b, "xz")), "is a damaged xz file"},
		"zst cut short":       {cut(packed(t, b, "zst")), "is a damaged zst file"},
		"gz damaged":          {damage(packed(t, b, "gz")), "is a damaged gz file"},
		"xz damaged":          {damage(packed(t, b, "xz")), "is a damaged xz file"},
		"zst damaged":         {damage(packed(t, b, "zst")), "is a damaged zst file"},
		"gz of nothing":       {packed(t, nil, "gz"), "nothing in it"},
		"magic alone":         {[]byte("\x28\xb5\x2f\xfd"), "is a damaged zst file"},
	} {
		im := unmeasured(t, c.data)
		err := im.Measure(t.Context(), progress.Discard)
		if p := (diag.Problem{}); !errors.As(err, &p) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := unmeasured(t, iso).Measure(t.Context(), progress.Discard); err != nil {
		t.Errorf("whole ISO: %v", err)
	}
}

func cut(b []byte) []byte { return b[:len(b)-len(b)/3] }

func damage(b []byte) []byte {
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

func TestMeasureStops(t *testing.T) {
	for _, how := range []string{"gz", "zst", "xz"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := unmeasured(t, packed(t, content(t, 5*mib), how)).Measure(ctx, progress.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", how, err)
		}
	}
}

func TestStarts(t *testing.T) {
	if imageOf(t, []byte("a letter")).Starts() {
		t.Error("a letter starts")
	}
	if !imageOf(t, content(t, 5*mib)).Starts() {
		t.Error("a disk does not start")
	}
}
