// Package rescue is the shell for a machine that does not start: POSIX shell
// and bash syntax from mvdan.cc/sh, u-root's core commands, and the few that
// one needs beside them to look at disks, mounts and the kernel's log. All of
// it is in this program: the initramfs has no other.
package rescue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// Exit statuses of Main.
const (
	ExitGoOn = 0  // the person has left the shell: try to start again
	ExitIdle = 75 // nobody is there: no line in time, or the terminal is gone
)

const greeting = `Rescue shell. help lists the commands; exit tries again to start the machine.
`

// Main is the shell on the terminal that is its standard input. Its arguments
// are the seconds in which a first line must be typed, 0 or nothing for ever,
// or -c and a script to run.
func Main(args []string) int {
	ctx := context.Background()
	if len(args) == 2 && args[0] == "-c" {
		sh, err := New(os.Stdin, os.Stdout, os.Stderr)
		if err != nil {
			fmt.Fprintln(os.Stderr, "rescue:", err)
			return 1
		}
		return sh.Run(ctx, args[1])
	}
	var idle time.Duration
	if len(args) > 0 {
		seconds, err := strconv.Atoi(args[0])
		if err != nil {
			fmt.Fprintf(os.Stderr, "rescue: %q is not a number of seconds\n", args[0])
			return 1
		}
		idle = time.Duration(seconds) * time.Second
	}
	return interactive(ctx, idle)
}

func interactive(ctx context.Context, idle time.Duration) int {
	fmt.Print(greeting)
	sh, err := New(os.Stdin, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rescue:", err)
		return 1
	}
	lines := newLines(os.Stdin, os.Stdout, idle)
	// From the start, so that no Ctrl-C between line and command ends the shell.
	keys := make(chan os.Signal, 1)
	signal.Notify(keys, os.Interrupt)
	source := ""
	for {
		select {
		case <-keys: // it came when the last command was done
		default:
		}
		line, err := lines.read(sh.prompt(source != ""))
		if errors.Is(err, errAbandoned) {
			source = ""
			continue
		}
		if err != nil { // nobody is there, or the line has hung up
			return ExitIdle
		}
		source += line + "\n"
		if incomplete(source) {
			continue
		}
		sh.runInterruptible(ctx, source, keys)
		source = ""
		if sh.left {
			return ExitGoOn
		}
	}
}

// runInterruptible is Run until something comes from keys.
func (s *Shell) runInterruptible(ctx context.Context, script string, keys <-chan os.Signal) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx, script)
	}()
	select {
	case <-keys:
		cancel()
		<-done
	case <-done:
	}
}

// input waits for something to read.
func input(f *os.File, most time.Duration) bool {
	deadline := time.Now().Add(most)
	for left := most; left > 0; left = time.Until(deadline) {
		poll := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, int(left.Milliseconds()))
		if err == nil && n > 0 {
			return true
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
	}
	return false
}

// ours is put before the name of a command to get past the interpreter's own
// command of that name. It is no path, and no name that anybody types.
const ours = "\x00"

// A Shell runs scripts with our own commands. Its variables and directory stay
// from one script to the next.
type Shell struct {
	runner *interp.Runner
	stderr io.Writer
	left   bool // the last script ended with exit
}

// New makes a shell.
func New(stdin io.Reader, stdout, stderr io.Writer) (*Shell, error) {
	term := os.Getenv("TERM")
	if term == "" {
		term = "linux"
	}
	runner, err := interp.New(
		interp.StdIO(stdin, stdout, stderr),
		interp.Env(expand.ListEnviron("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "TERM="+term)),
		// The interpreter has a help of its own, and a kill that does nothing.
		interp.CallHandler(func(_ context.Context, args []string) ([]string, error) {
			if args[0] == "help" || args[0] == "kill" {
				args[0] = ours + args[0]
			}
			return args, nil
		}),
		interp.ExecHandlers(builtIn),
	)
	if err != nil {
		return nil, fmt.Errorf("make a shell: %w", err)
	}
	runner.Reset()
	return &Shell{runner: runner, stderr: stderr}, nil
}

// failure is the statement "false".
var failure = &syntax.Stmt{Cmd: &syntax.CallExpr{Args: []*syntax.Word{{Parts: []syntax.WordPart{&syntax.Lit{Value: "false"}}}}}}

// Run runs a script and returns its exit status. Errors of the script and of
// its commands are told on stderr.
func (s *Shell) Run(ctx context.Context, script string) int {
	file, err := syntax.NewParser().Parse(strings.NewReader(script), "")
	if err != nil {
		fmt.Fprintln(s.stderr, "rescue:", err)
		return 2
	}
	status := 0
	s.left = false
	for _, stmt := range file.Stmts {
		err := s.runner.Run(ctx, stmt)
		var exit interp.ExitStatus
		switch {
		case err == nil:
			status = 0
		case errors.As(err, &exit):
			status = int(exit)
		default:
			fmt.Fprintln(s.stderr, "rescue:", err)
			// A bare exit ends as the last command did. That must not be by
			// this error, or it would fail with it and nobody could leave.
			_ = s.runner.Run(context.WithoutCancel(ctx), failure)
			return 1
		}
		if s.runner.Exited() {
			s.left = true
			break
		}
		if ctx.Err() != nil {
			break
		}
	}
	return status
}

func (s *Shell) prompt(more bool) string {
	if more {
		return "> "
	}
	return "rescue:" + s.runner.Dir + "# "
}

// incomplete says whether a script ends in the middle of a statement.
func incomplete(script string) bool {
	_, err := syntax.NewParser().Parse(strings.NewReader(script), "")
	return syntax.IsIncomplete(err)
}

// builtIn runs our own commands before any program of the file system: they
// are the same on every machine, and need nothing.
func builtIn(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	return func(ctx context.Context, args []string) error {
		args[0] = strings.TrimPrefix(args[0], ours)
		run, ok := commands()[args[0]]
		if !ok {
			return next(ctx, args)
		}
		c := call{ctx, interp.HandlerCtx(ctx), args[1:]}
		err := guarded(run, c)
		if err == nil {
			return nil
		}
		var status interp.ExitStatus
		if errors.As(err, &status) {
			return status
		}
		fmt.Fprintf(c.Stderr, "%s: %v\n", args[0], err)
		return interp.ExitStatus(1)
	}
}

// guarded keeps a fault of one command from ending the shell.
func guarded(run command, c call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("fault: %v", p)
		}
	}()
	return run(c)
}
