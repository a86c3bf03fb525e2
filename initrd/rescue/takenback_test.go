package rescue

import (
	"context"
	"os"
	"testing"
)

// A command that was taken back before it began leaves the next one alone.
func TestTakenBackBeforeItBegan(t *testing.T) {
	sh, err := New(os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if status := sh.Run(ctx, "sleep 100\n"); status == 0 || sh.left {
		t.Errorf("taken back: status %d, left %v", status, sh.left)
	}
	if status := sh.Run(t.Context(), "exit\n"); status != 1 || !sh.left {
		t.Errorf("exit: status %d, left %v", status, sh.left)
	}
}
