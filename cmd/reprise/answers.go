package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"reprise/image/iso9660"
	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/diag"
)

func (a *app) answersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "answers",
		Short: "print an example of answers for an installation without a keyboard",
		Long: `Print an example of a file of answers, with all that can be said in it. Nothing is
changed.

Put yours as reprise.answers.json on a partition of the installation stick, or on
any stick with the label REPRISEDATA, or name its address on the kernel line:
reprise.answers=URL. A machine that starts from the installation stick is then
installed without a key pressed.`,
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
		Example: "  reprise answers check reprise.answers.json\n  reprise answers check reprise.answers.json --medium live-rig.iso",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.checkAnswers(args[0], medium) },
	}
	check.Flags().StringVar(&medium, "medium", "", "say too whether this medium carries the profile: a `path` of its ISO, of where it is mounted, or of its reprise/medium.json")
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
	if file.Encryption == answers.LUKS2 && file.PassphraseFile == "" {
		return file.At(diag.Problems{noPassphrase}).Err()
	}
	if medium != "" {
		m, err := mediumAt(medium)
		if err != nil {
			return diag.Problem{File: medium, Got: "is no medium: " + reason(err), Want: "the ISO of an installation medium, where it is mounted, or its reprise/medium.json", Do: "name one of them, or leave --medium out"}
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

// mediumAt reads what a medium carries, from its ISO, from where it is mounted,
// or from its list alone.
func mediumAt(name string) (*plan.Medium, error) {
	const list = "reprise/medium.json"
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var r io.Reader = f
	switch {
	case info.IsDir():
		return readMedium(name)
	case !info.Mode().IsRegular() || info.Size() > listMax:
		v, err := iso9660.Open(f)
		if err != nil {
			return nil, err
		}
		section, err := v.File(list)
		if err != nil {
			return nil, err
		}
		r = section
	}
	data, err := io.ReadAll(io.LimitReader(r, listMax))
	if err != nil {
		return nil, err
	}
	return plan.ParseMedium(data)
}

// listMax bounds the list of what a medium carries, in bytes: one of 2,000
// paths has half a MiB. No ISO is as small.
const listMax = 16 << 20
