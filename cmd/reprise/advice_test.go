package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"reprise/store/realise"
)

func TestAdvised(t *testing.T) {
	ended := func(last string) error {
		return &realise.BuildError{Name: "x", Err: errors.New("the builder exit status 1"), Tail: []string{"a line of the builder", last}}
	}
	for _, test := range []struct {
		name    string
		err     error
		offline bool
		want    string // of what to do; "" for nothing to add
	}{
		{"full disk", fmt.Errorf("write %q: %w", "x.img", &os.PathError{Op: "write", Path: "x.img", Err: syscall.ENOSPC}), false, "make room"},
		{"quota", fmt.Errorf("write %q: %w", "x.img", &os.PathError{Op: "write", Path: "x.img", Err: syscall.EDQUOT}), false, "(disk quota exceeded)\n  do:   make room"},
		{"full database", errors.New("sqlite: database or disk is full"), false, "make room"},
		{"full disk in a builder", ended("cp: error writing 'x': No space left on device"), false, "(no space left on device)"},
		{"full disk in our builder", ended("write x: " + syscall.ENOSPC.Error()), false, "make room"},
		{"quota in our builder", ended("write x: " + syscall.EDQUOT.Error()), false, "make room"},
		{"another fault of a builder", ended("no such file"), false, ""},
		{"no mirror", &url.Error{Op: "Get", URL: "http://mirror.invalid", Err: errors.New("no such host")}, false, "--mirror URL"},
		{"offline", errors.New("offline: package lists are not here"), true, "without --offline"},
		{"advised already", fmt.Errorf("%w\n  do: that", syscall.ENOSPC), false, ""},
	} {
		said := (&app{offline: test.offline}).advised(test.err).Error()
		if added := strings.TrimPrefix(said, test.err.Error()); test.want == "" && added != "" || !strings.Contains(added, test.want) {
			t.Errorf("%s: added %q, want %q", test.name, added, test.want)
		}
	}
}
