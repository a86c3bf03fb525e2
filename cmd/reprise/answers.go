package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/diag"
)

func (a *app) answersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "answers",
		Short: "answers for an installation without a keyboard",
		Long: `Print an example of a file of answers, with all that can be said in it. Put it as
reprise.answers.json on the stick, and the machine that starts from the stick is
installed without a key pressed. Nothing is changed.`,
		RunE:    func(*cobra.Command, []string) error { return a.printExample() },
		Example: "  reprise answers > reprise.answers.json\n  reprise answers check reprise.answers.json",
	}
	var medium string
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "say what is wrong with a file of answers",
		Long: `Look for everything that is wrong with a file of answers before it is used. What
only the machine knows, its disks above all, is looked at when it is installed.
Nothing is changed. Exit code 3: something is wrong.`,
		Example: "  reprise answers check reprise.answers.json --medium medium.json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.checkAnswers(args[0], medium) },
	}
	check.Flags().StringVar(&medium, "medium", "", "reprise/medium.json of the medium: the `file` that says what it carries")
	c.AddCommand(check)
	return c
}

// printExample is reprise answers without a verb below it.
func (a *app) printExample() error {
	_, err := io.WriteString(a.stdout, answers.Example)
	return err
}

func (a *app) checkAnswers(name, medium string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return diag.Problem{File: name, Got: "cannot be read: " + reason(err), Want: "a file of answers", Do: "check the path; reprise answers prints an example"}
	}
	file, err := answers.Parse(name, data)
	if err != nil {
		return err
	}
	if medium != "" {
		data, err := os.ReadFile(medium)
		if err != nil {
			return err
		}
		m, err := plan.ParseMedium(data)
		if err != nil {
			return diag.Problem{File: medium, Got: err.Error(), Want: "reprise/medium.json of an installation medium", Do: "copy it from the medium"}
		}
		if p := plan.UnknownSystem(m, file.Profile); p != nil {
			return file.At(diag.Problems{*p}).Err()
		}
	}
	if !a.quiet && !a.json {
		fmt.Fprintf(a.stdout, "%s: good: %s as %s\n", name, file.Profile, file.Host)
	}
	return nil
}
