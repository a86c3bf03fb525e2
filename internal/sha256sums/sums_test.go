package sha256sums

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/progress"
)

func TestVerify(t *testing.T) {
	files := fstest.MapFS{"boot/kernel": {Data: []byte("kernel")}, "a": {Data: make([]byte, blockSize+1)}, "changed": {Data: []byte("x")}}
	list := []Sum{
		{"boot/kernel", sha256.Sum256([]byte("kernel"))},
		{"a", sha256.Sum256(make([]byte, blockSize+1))},
		{"changed", sha256.Sum256([]byte("y"))},
		{"gone", sha256.Sum256(nil)},
	}
	sums, err := Parse(Encode(list))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(list, sums); d != "" {
		t.Fatal(d)
	}
	task := progress.Discard.Start("check", progress.Bytes, 0)
	r, err := Verify(t.Context(), files, sums, task)
	if err != nil {
		t.Fatal(err)
	}
	if r.Files != 4 || r.Bytes != blockSize+1+6+1 || len(r.Bad) != 2 || r.Bad[0].Path != "changed" || r.Bad[1].Path != "gone" {
		t.Errorf("%+v", r)
	}
	if got := r.Bad[0].Error(); !strings.Contains(got, "not what was written") {
		t.Error(got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, files, sums, task); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(Encode([]Sum{{"a", sha256.Sum256(nil)}}))
	for name, text := range map[string]string{
		"empty":    "",
		"short":    "abcd  a\n",
		"no path":  strings.TrimSuffix(good, "a\n") + "\n",
		"absolute": strings.TrimSuffix(good, "a\n") + "/etc/passwd\n",
		"upwards":  strings.TrimSuffix(good, "a\n") + "../a\n",
		"twice":    good + good,
		"binary":   strings.Replace(good, "  ", " *", 1),
	} {
		if sums, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: %v", name, sums)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Encode([]Sum{{"a", sha256.Sum256(nil)}, {"b/c d", sha256.Sum256([]byte("x"))}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(Encode(sums))
		if err != nil || !cmp.Equal(sums, again) {
			t.Errorf("%v, then %v (%v)", sums, again, err)
		}
	})
}
