package stage1

import (
	"errors"
	"strings"
	"testing"
)

func TestGuarded(t *testing.T) {
	failed := errors.New("no disk")
	if err := guarded(func() error { return failed }); err != failed {
		t.Errorf("a failure: %v", err)
	}
	var none *boot
	err := guarded(func() error { return none.findSystem() })
	if err == nil || !strings.Contains(err.Error(), "a fault in stage 1: ") || !strings.Contains(err.Error(), "boot_linux.go:") {
		t.Errorf("a panic: %v", err)
	}
}
