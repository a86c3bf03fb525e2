package layer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var sample = Manifest{
	{Path: "etc/a b%c", Kind: File, Mode: 0o644, Size: 3},
	{Path: "usr", Kind: Dir, Mode: 0o755},
	{Path: "usr/bin/perl", Kind: File, Mode: 0o755, Size: 4096},
	{Path: "usr/bin/perl5", Kind: Hard, Mode: 0o755, Size: 4096, Target: "usr/bin/perl"},
	{Path: "usr/bin/ping", Kind: File, Mode: 0o755, Size: 9, Xattrs: map[string]string{"security.capability": "\x01\x00\x00\x02"}},
	{Path: "usr/bin/sh", Kind: Symlink, Mode: 0o777, Target: "dash"},
	{Path: "usr/bin/su", Kind: File, Mode: 0o4755, GID: 42, Size: 64152},
}

func TestEncodeParse(t *testing.T) {
	data, err := sample.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, got); diff != "" {
		t.Errorf("Parse(Encode(sample)) (-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, body := range []string{
		"d\t755\t0\t0\t0\t../x\n",
		"d\t755\t0\t0\t0\t/x\n",
		"d\t0755\t0\t0\t0\tx\n",
		"d\t755\t0\t0\t0\tDEBIAN/x\n",
		"l\t777\t0\t0\t0\tx\n",
		"q\t777\t0\t0\t0\tx\n",
		"d\t755\t0\t0\t0\tb\nd\t755\t0\t0\t0\ta\n",
		"d\t755\t0\t0\t0\tx",
		"f\t17777\t0\t0\t0\tx\n",
		"f\t644\t0\t0\t-1\tx\n",
	} {
		if m, err := Parse([]byte(header + "\n" + body)); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", body, m)
		}
	}
}

func FuzzParse(f *testing.F) {
	data, _ := sample.Bytes()
	f.Add(string(data))
	f.Add(header + "\n" + strings.Repeat("d\t755\t0\t0\t0\tx\n", 2))
	f.Fuzz(func(t *testing.T, s string) {
		m, err := Parse([]byte(s))
		if err != nil {
			return
		}
		again, err := m.Bytes()
		if err != nil || !bytes.Equal(again, []byte(s)) {
			t.Errorf("Encode(Parse(%q)) = %q, %v", s, again, err)
		}
	})
}
