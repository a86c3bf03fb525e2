package config

import (
	"context"
	"errors"
	"os"
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
		{"fields", "{ ['f' + i]: i for i in std.range(0, 200) }", "is no option"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(write(t, map[string]string{"rig.jsonnet": test.program}), "rig.jsonnet")
			start := time.Now()
			c, err := Evaluate(t.Context(), file, EvalOptions{MemoryBytes: 256 << 20, Timeout: time.Minute})
			var problems diag.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("config %v, error %v; want problems", c, err)
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
	_, err := Evaluate(t.Context(), file, EvalOptions{Timeout: 500 * time.Millisecond})
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
	if _, err := Evaluate(ctx, "live-rig", EvalOptions{}); !errors.Is(err, context.Canceled) {
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
		_, err := Evaluate(t.Context(), filepath.Join(dir, name), EvalOptions{Timeout: 20 * time.Second})
		if err == nil || !strings.Contains(err.Error(), "is no regular file") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestProfileNames(t *testing.T) {
	dir := write(t, map[string]string{"mine.jsonnet": "{}", "live-rig": "{ networking: { hostName: 'a-file' } }"})
	for _, test := range []struct{ profile, want string }{
		{filepath.Join(dir, "nothing.jsonnet"), "is neither a file nor a profile"},
		{"live-rgi", "write live-rig"},
		{dir, "is a directory"},
		{"", "is neither a file nor a profile"},
		{filepath.Join(dir, "mine.jsonnet", "x"), "cannot be read: not a directory"},
	} {
		_, err := Evaluate(t.Context(), test.profile, EvalOptions{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error is %v, want %q", test.profile, err, test.want)
		}
	}
	t.Chdir(dir)
	c, err := Evaluate(t.Context(), "live-rig", EvalOptions{})
	if err != nil || c.Networking.HostName != "a-file" {
		t.Errorf("a file goes before a profile: %v", err)
	}
	if err := os.Remove("live-rig"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("live-rig", 0o755); err != nil {
		t.Fatal(err)
	}
	if c, err := Evaluate(t.Context(), "live-rig", EvalOptions{}); err != nil || c.Networking.HostName != "live-rig" {
		t.Errorf("a profile goes before a directory: %v", err)
	}
}
