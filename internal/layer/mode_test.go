package layer

import (
	"io/fs"
	"testing"
)

func TestModes(t *testing.T) {
	for mode := range uint32(0o10000) {
		if got := UnixMode(FileMode(mode)); got != mode {
			t.Fatalf("UnixMode(FileMode(%o)) = %o", mode, got)
		}
	}
	if got, want := FileMode(0o4755), 0o755|fs.ModeSetuid; got != want {
		t.Errorf("FileMode(4755) = %v, want %v", got, want)
	}
	if got := UnixMode(fs.ModeDir | fs.ModeSticky | 0o777); got != 0o1777 {
		t.Errorf("UnixMode of a directory = %o, want 1777", got)
	}
}
