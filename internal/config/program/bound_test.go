package program

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"reprise/internal/diag"
)

// TestBounds holds that a program without end, in time or in space, ends as a
// clear problem of its file.
func TestBounds(t *testing.T) {
	memory := "of memory to evaluate"
	stack := "nests without end|" + memory // the parser's tree may be too large first
	for _, test := range []struct{ name, program, want string }{
		{"brackets", strings.Repeat("[", 400_000), "nests more than 200 deep"},
		{"brackets behind a string", `{ a: "` + strings.Repeat("]", 300) + `", b: ` + strings.Repeat("[", 300), "nests more than 200 deep"},
		{"parentheses", strings.Repeat("(", 1<<19) + "1", "nests more than 200 deep"},
		{"unary", strings.Repeat("! ", 1<<18) + "true", stack},
		{"sum", "{ a: 1" + strings.Repeat("+1", 1<<18) + " }", stack},
		{"if", strings.Repeat("if true then ", 60_000) + "1", stack},
		{"local", strings.Repeat("local x = 1; ", 60_000) + "{}", stack},
		{"index", "{ a: {}" + strings.Repeat(".a", 1<<18) + " }", stack},
		{"plain recursion", "local f(x) = 1 + f(x); { image: { marginMiB: f(1) } }", "calls itself without end"},
		{"tailstrict", "local f(x) = f(x + 1) tailstrict; { a: f(1) }", stack},
		{"object of itself", "local o = { a: o }; o", "calls itself without end"},
		{"string", "local d(s, n) = if n == 0 then s else d(s + s, n - 1); { a: d('x', 45) }", memory},
		{"list", "{ a: std.range(0, 1e9) }", memory},
		{"long output", "{ a: std.repeat('x', 9000000) }", "more than 4194304 bytes|" + memory},
		{"nested value", "{ a: std.foldl(function(a, i) [a], std.range(0, 20000), 0) }", "deep"},
		{"size", "{ a: '" + strings.Repeat("x", maxSourceBytes) + "' }", "larger than 1048576 bytes"},
		{"failing fields", "{ ['f' + i]: error i for i in std.range(0, 200) }", "cannot be evaluated"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(write(t, map[string]string{"rig.jsonnet": test.program}), "rig.jsonnet")
			start := time.Now()
			a, err := run(t.Context(), file, Limits{MemoryBytes: 256 << 20, Timeout: time.Minute})
			var problems diag.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("answer %v, error %v; want problems", a, err)
			}
			if !regexp.MustCompile(test.want).MatchString(err.Error()) || !strings.HasPrefix(err.Error(), file) {
				t.Errorf("problem is\n%.600s\nwant %q", err, test.want)
			}
			t.Logf("%.2f s", time.Since(start).Seconds())
		})
	}
}

func TestTimeout(t *testing.T) {
	file := filepath.Join(write(t, map[string]string{
		"rig.jsonnet": "{ a: std.length([1 for i in std.range(1, 100000) for j in std.range(1, 100000) if false]) }",
	}), "rig.jsonnet")
	start := time.Now()
	_, err := run(t.Context(), file, Limits{Timeout: 500 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "is still being evaluated after 500ms") {
		t.Errorf("error is %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(write(t, map[string]string{"rig.jsonnet": "{}"}), "rig.jsonnet")
	if _, err := run(ctx, file, Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

// TestPipe holds that nothing but a regular file is read: a pipe would hang.
func TestPipe(t *testing.T) {
	dir := write(t, map[string]string{"rig.jsonnet": "import 'pipe'"})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rig.jsonnet", "pipe"} {
		_, err := run(t.Context(), filepath.Join(dir, name), Limits{Timeout: 20 * time.Second})
		if err == nil || !strings.Contains(err.Error(), "is no regular file") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
