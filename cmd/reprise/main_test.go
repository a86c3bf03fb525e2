package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"reprise/internal/builder"
	"reprise/internal/config"
	"reprise/store/sandbox"
)

// TestMain lets the test binary be reprise in all its roles.
func TestMain(m *testing.M) {
	sandbox.Init(buildInProcess)
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "builder":
			os.Exit(builder.Main(os.Args[2:]))
		case "eval-config":
			config.EvalMain()
		}
	}
	testscript.Main(m, map[string]func(){
		"reprise": func() { os.Exit(interruptible(os.Args[1:])) },
	})
}

// TestScript runs the command line as users meet it. None of the scripts asks
// a mirror for anything; package test has what does.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir+"/home")
			env.Setenv("REPRISE_STORE", env.WorkDir+"/store")
			return os.MkdirAll(env.WorkDir+"/home", 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"jsonlines": jsonLines,
			"listing":   listing,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// exits runs a program that has to end with the given exit code:
// exits CODE PROGRAM [ARGUMENT…]. A problem must say what is wanted and what to
// do, and stay out of standard output.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	var stdout, stderr bytes.Buffer
	program, err := exec.LookPath(args[1])
	ts.Check(err)
	c := exec.Command(program, args[2:]...)
	c.Args[0] = args[1]
	c.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "PATH", "REPRISE_STORE", "XDG_DATA_HOME"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	c.Stdout, c.Stderr = &stdout, &stderr
	c.Run()
	if stdout.Len() > 0 {
		ts.Logf("[stdout]\n%s", &stdout)
	}
	if stderr.Len() > 0 {
		ts.Logf("[stderr]\n%s", &stderr)
	}
	ts.Check(os.WriteFile(ts.MkAbs("out"), stdout.Bytes(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("err"), stderr.Bytes(), 0o644))
	var code int
	ts.Check(json.Unmarshal([]byte(args[0]), &code))
	if got := c.ProcessState.ExitCode(); got != code {
		ts.Fatalf("exit code %d, want %d", got, code)
	}
	if code == 0 {
		return
	}
	text := stderr.String()
	if !strings.HasPrefix(text, "reprise: ") || !strings.Contains(text, "\n  want: ") || !strings.Contains(text, "\n  do:   ") {
		ts.Fatalf("the message lacks where, what, want or do")
	}
	for _, ugly := range []string{"goroutine", "runtime error", "strconv", "%!", "<nil>"} {
		if strings.Contains(text, ugly) {
			ts.Fatalf("the message holds %q", ugly)
		}
	}
}

// jsonLines holds that every line of a file is one event, and that there is one.
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: jsonlines FILE")
	}
	text := ts.ReadFile(args[0])
	if text == "" {
		ts.Fatalf("%s holds no event", args[0])
	}
	for line := range strings.Lines(text) {
		var object struct{ Event string }
		if err := json.Unmarshal([]byte(line), &object); err != nil || object.Event == "" {
			ts.Fatalf("%q is no JSON object with an event: %v", line, err)
		}
	}
}

// listing writes the names and contents of a directory to a file, to compare
// before and after: listing DIRECTORY FILE.
func listing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: listing DIRECTORY FILE")
	}
	var b strings.Builder
	dir := ts.MkAbs(args[0])
	ts.Check(filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		b.WriteString(strings.TrimPrefix(path, dir) + " " + info.Mode().String() + "\n")
		if info.Mode().IsRegular() {
			b.WriteString(ts.ReadFile(path) + "\n")
		}
		return nil
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o644))
}

// TestHelpIsWhole holds that every verb says its use in one line, what it
// does, and an example.
func TestHelpIsWhole(t *testing.T) {
	a := &app{}
	commands := []string{""}
	for _, c := range a.root().Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			commands = append(commands, c.Name())
		}
		for _, sub := range c.Commands() {
			commands = append(commands, c.Name()+" "+sub.Name())
		}
	}
	if len(commands) < 15 {
		t.Fatalf("only %d commands: %q", len(commands), commands)
	}
	for _, name := range commands {
		for _, args := range [][]string{append(strings.Fields(name), "--help"), append([]string{"help"}, strings.Fields(name)...)} {
			var stdout, stderr bytes.Buffer
			if code := run(context.Background(), args, strings.NewReader(""), &stdout, &stderr); code != 0 || stderr.Len() > 0 {
				t.Errorf("reprise %q: exit code %d, %s", args, code, &stderr)
			}
			for _, part := range []string{"Use:\n  reprise", "Flags:\n", "Example:\n  "} {
				if !strings.Contains(stdout.String(), part) {
					t.Errorf("reprise %q has no %q:\n%s", args, part, &stdout)
				}
			}
			before, _, _ := strings.Cut(stdout.String(), "Use:")
			if len(strings.TrimSpace(before)) < 30 {
				t.Errorf("reprise %q does not say what it does: %q", args, before)
			}
		}
	}
}

// TestExamplesParse holds that pasted examples are right use: every flag is
// known and every number of arguments allowed.
func TestExamplesParse(t *testing.T) {
	seen := 0
	var walk func(path []string)
	walk = func(path []string) {
		root := (&app{}).root()
		c, _, err := root.Find(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(line, "#")
			line, _, _ = strings.Cut(line, ">")
			words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "sudo "))
			if len(words) == 0 {
				continue
			}
			if words[0] != "reprise" {
				t.Errorf("example %q is no reprise command", line)
				continue
			}
			seen++
			verb, rest, err := root.Find(words[1:])
			if err != nil {
				t.Errorf("example %q: %v", line, err)
				continue
			}
			if err := verb.ParseFlags(rest); err != nil {
				t.Errorf("example %q: %v", line, err)
			} else if err := verb.ValidateArgs(verb.Flags().Args()); err != nil {
				t.Errorf("example %q: %v", line, err)
			}
		}
		for _, sub := range c.Commands() {
			walk(append(path[:len(path):len(path)], sub.Name()))
		}
	}
	walk(nil)
	if seen < 12 {
		t.Errorf("found %d examples", seen)
	}
}
