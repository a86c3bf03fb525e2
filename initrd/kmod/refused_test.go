package kmod

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRefused(t *testing.T) {
	r := Refused{"nvme": "it may reboot\nthis machine", "a": "", "b": ""}
	const file = "a\nb\nnvme it may reboot this machine\n"
	if d := cmp.Diff(file, string(r.Encode())); d != "" {
		t.Error(d)
	}
	r = ParseRefused([]byte(file + "\n  \n"))
	if d := cmp.Diff(Refused{"nvme": "it may reboot this machine", "a": "", "b": ""}, r); d != "" {
		t.Error(d)
	}
	x := read(t, index())
	for _, test := range []struct{ wanted, want string }{
		{"nvme", "nvme is refused: it may reboot this machine. modprobe -f nvme loads it all the same"},
		{"pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02", "nvme is refused: it may reboot"},
		{"a", "the kernel line or modprobe.d"},
		{"ext4", ""}, {"fs-ext4", ""}, {"no such module", ""}, {"fuse", ""},
	} {
		err := r.check(x, test.wanted)
		if err == nil != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || !errors.Is(err, ErrRefused)) {
			t.Errorf("%s: %v, want %q", test.wanted, err, test.want)
		}
	}
	if err := (Refused)(nil).check(x, "nvme"); err != nil {
		t.Errorf("no list: %v", err)
	}
}

// A module that is refused is not even looked for on the disk; one that is
// forced is.
func TestModprobeRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, index()); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"nvme":       "modprobe: nvme is refused: it may reboot this machine. modprobe -f nvme loads it all the same\n",
		"-q nvme":    "",
		"-f nvme":    "no such file",
		"-a a nvme":  "nvme is refused",
		"-q -- ext5": "",
	} {
		var said strings.Builder
		status := Modprobe(dir, Refused{"nvme": "it may reboot this machine"}, strings.Fields(args), &said)
		if status != 1 || !strings.Contains(said.String(), want) || want == "" && said.String() != "" {
			t.Errorf("modprobe %s: %d, %q, want %q", args, status, said.String(), want)
		}
	}
}

func FuzzParseRefused(f *testing.F) {
	f.Add([]byte("a\nb it breaks\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := ParseRefused(data)
		again := ParseRefused(r.Encode())
		if len(again) != len(r) {
			t.Errorf("%q: %d modules, then %d", data, len(r), len(again))
		}
	})
}
