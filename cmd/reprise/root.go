package main

import (
	"context"
	"encoding/json"
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
	var name string
	if n, _ := fmt.Sscanf(err.Error(), "unknown command %q", &name); n == 1 { // cobra's own words
		err = unknownVerb(root, name)
	}
	code, text := diag.Exit(err), strings.TrimSpace(a.advised(err).Error())
	usage, told := new(usageError), new(diag.Failure)
	switch {
	case errors.As(err, &told) && told.Code == diag.ExitInterrupted: // it says what is left behind
	case ctx.Err() != nil:
		code, text = diag.ExitInterrupted, "interrupted; unfinished work is removed"
	case errors.As(err, &usage):
		code = diag.ExitUsage
	}
	fmt.Fprintf(stderr, "reprise: %s\n", text)
	if a.json {
		a.emit("error", fields{"code": code, "text": text})
	}
	return code
}

// fields are what an event tells, besides its name.
type fields map[string]any

// emit writes an event on standard output: see docs/json.md.
func (a *app) emit(event string, f fields) error {
	f["event"] = event
	return json.NewEncoder(a.stdout).Encode(f)
}

// childOutput is where the output of a program goes that reprise runs: with
// --json standard output is for events alone.
func (a *app) childOutput() io.Writer {
	if a.json {
		return a.stderr
	}
	return a.stdout
}

// endProgress ends the live lines before results are printed.
func (a *app) endProgress() {
	a.finished()
	a.finished = func() {}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "reprise",
		Short: "bootable images of a purely functional Linux for musicians, from one file",
		Long: `reprise turns one file into a bootable image of a purely functional Linux for
musicians. The same file and lock always give the same bytes.

With --json standard output holds nothing but JSON objects, one a line, each with
an "event": progress, results, and the error that ended the run. What a program
or machine says that reprise runs goes to standard error then.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad configuration or lock,
4 store damaged, 130 interrupted.`,
		Example:       "  reprise build live-rig --authorize ~/.ssh/id_ed25519.pub -o live-rig.img\n  reprise run live-rig.img",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.checkFlags(cmd); err != nil {
				return err
			}
			a.openSink()
			return nil
		},
		DisableSuggestions: true, // we make our own
	}
	root.SetFlagErrorFunc(badFlag)
	root.SetUsageTemplate(usageTemplate)
	flags := root.PersistentFlags()
	flags.StringVar(&a.store, "store", "", "`directory` that holds nix/store (default $REPRISE_STORE, else for root of a machine made by reprise its own, else reprise below the user's data directory)")
	flags.StringArrayVar(&a.mirrors, "mirror", nil, "Debian mirror `URL`, or SUITE=URL (default $REPRISE_MIRROR, else the configuration's, else this machine's apt sources)")
	flags.BoolVar(&a.json, "json", false, "write progress and results as JSON objects, one a line")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress")
	flags.IntVarP(&a.jobs, "jobs", "j", 0, "`number` of builds at a time (default: one per processor)")
	flags.BoolVar(&a.offline, "offline", false, "do not ask the mirror for news; use what was fetched before")
	root.MarkPersistentFlagDirname("store")
	root.AddCommand(a.buildCommand(), a.lockCommand(), a.updateCommand(), a.runCommand(), a.toolCommand(), a.storeCommand(), a.optionsCommand(), a.docsCommand(), a.growRootCommand(), a.tuneCommand(), a.installCommand(), a.answersCommand(), a.composeCommand(), a.detectCommand(), a.measureCommand(), a.flashCommand(), a.generationsCommand(), a.diffCommand(), a.whyCommand())
	root.AddCommand(a.changeCommands()...)
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	completionCommand(root)
	strict(root)
	return root
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
