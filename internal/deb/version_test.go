package deb

import (
	"os"
	"strings"
	"testing"
)

// TestCompareVersions holds to what dpkg itself answered: testdata/versions.txt
// has made-up corner cases and versions of trixie.
func TestCompareVersions(t *testing.T) {
	data, err := os.ReadFile("testdata/versions.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		want := map[string]int{"<": -1, "=": 0, ">": 1}[f[1]]
		if got := CompareVersions(f[0], f[2]); got != want {
			t.Errorf("CompareVersions(%q, %q) = %d, dpkg says %s", f[0], f[2], got, f[1])
		}
		if got := CompareVersions(f[2], f[0]); got != -want {
			t.Errorf("CompareVersions(%q, %q) = %d, want %d", f[2], f[0], got, -want)
		}
		n++
	}
	if n < 700 {
		t.Errorf("only %d cases", n)
	}
}

func TestValidVersion(t *testing.T) {
	// As dpkg --validate-version has it, its warnings taken as errors.
	for _, v := range []string{"1", "0", "1.0-1", "1:2:3", "1--1", "1-~", "2147483647:1", "1.0~rc1+ds-2+b1"} {
		if err := ValidVersion(v); err != nil {
			t.Errorf("ValidVersion(%q) = %v", v, err)
		}
	}
	for _, v := range []string{"", "1:", ":1", "a:1", "1-", "-1", "1_0", "a1", "1 2", "2147483648:1", "1-1-", "1-1_", "1\n", "é1"} {
		if err := ValidVersion(v); err == nil {
			t.Errorf("ValidVersion(%q) = nil", v)
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1.0~rc1-1", "1:1.0", "0")
	f.Add("1.0a", "1.0", "1.0+")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, ba := CompareVersions(a, b), CompareVersions(b, a)
		if ab != -ba || ab < -1 || ab > 1 {
			t.Errorf("Compare(%q, %q) = %d, reversed %d", a, b, ab, ba)
		}
		if CompareVersions(a, a) != 0 {
			t.Errorf("%q does not equal itself", a)
		}
		if ab <= 0 && CompareVersions(b, c) <= 0 && CompareVersions(a, c) > 0 {
			t.Errorf("%q <= %q <= %q, but the first is newer than the last", a, b, c)
		}
		ValidVersion(a)
	})
}
