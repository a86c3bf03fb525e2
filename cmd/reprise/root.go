package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"reprise/internal/diag"
	"reprise/internal/progress"
)

// version is what reprise --version prints.
const version = "0.1.0"

// app is what every verb shares: where to read and write, and the flags that
// all of them take.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	store   string
	mirrors []string
	json    bool
	quiet   bool
	jobs    int
	offline bool

	sink     progress.Sink
	finished func() // ends the live lines of the sink
}

// run is the whole command: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, sink: progress.Discard, finished: func() {}}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	a.finished()
	if err == nil {
		return diag.ExitDone
	}
	if ctx.Err() != nil {
		fmt.Fprintln(stderr, "reprise: interrupted; unfinished work is removed")
		return diag.ExitInterrupted
	}
	code := diag.Exit(err)
	if usage := new(usageError); errors.As(err, &usage) {
		code = diag.ExitUsage
	}
	fmt.Fprintf(stderr, "reprise: %s\n", strings.TrimSpace(err.Error()))
	return code
}

// usageError marks what the command line itself got wrong.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "reprise",
		Short: "bootable images of a purely functional Linux for musicians, from one file",
		Long: `reprise turns one file into a bootable image of a purely functional Linux for
musicians. The same file and lock always give the same bytes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad configuration or lock,
4 store damaged, 130 interrupted.`,
		Example:       "  reprise build live-rig --authorize ~/.ssh/id_ed25519.pub -o live-rig.img\n  reprise run live-rig.img",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			a.openSink()
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&a.store, "store", "", "`directory` that holds nix/store (default $REPRISE_STORE, else reprise below the user's data directory)")
	flags.StringArrayVar(&a.mirrors, "mirror", nil, "Debian mirror `URL`, or SUITE=URL (default: the configuration's, else this machine's apt sources)")
	flags.BoolVar(&a.json, "json", false, "progress and results as one JSON object a line")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress")
	flags.IntVarP(&a.jobs, "jobs", "j", 0, "`number` of builds at a time (default: one per processor)")
	flags.BoolVar(&a.offline, "offline", false, "do not ask the mirror for news; use what was fetched before")
	root.MarkPersistentFlagDirname("store")
	root.AddCommand(a.buildCommand(), a.lockCommand(), a.updateCommand(), a.runCommand(), a.toolCommand(), a.storeCommand(), a.optionsCommand(), a.docsCommand(), a.growRootCommand())
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	return root
}

// wrapArgs makes wrong arguments end with the exit code for wrong usage.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{fmt.Errorf("%w\nusage: %s", err, cmd.UseLine())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// openSink chooses how progress is shown: live lines on a terminal, plain
// lines in a pipe, objects for a program.
func (a *app) openSink() {
	switch f, _ := a.stderr.(*os.File); {
	case a.quiet:
	case a.json:
		a.sink = progress.JSON(a.stdout)
	case f != nil && term.IsTerminal(int(f.Fd())):
		a.sink, a.finished = progress.Terminal(f)
	default:
		a.sink = progress.Plain(a.stderr)
	}
}
