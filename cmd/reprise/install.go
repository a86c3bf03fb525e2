package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"reprise/initrd/stage1"
	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/diag"
	"reprise/internal/progress"
	"reprise/tui"
)

// readMedium reads what the mounted medium carries.
func readMedium(dir string) (*plan.Medium, error) {
	data, err := os.ReadFile(filepath.Join(dir, "reprise/medium.json"))
	if err != nil {
		return nil, err
	}
	return plan.ParseMedium(data)
}

// unattendedInstall installs when answers say how, and no person has begun. What
// is wrong with them stands on out, everything at once, before anything is
// written; without answers nothing does.
func unattendedInstall(ctx context.Context, m stage1.Medium, out io.Writer) (found bool, next stage1.Next, err error) {
	if err := makeScratch(); err != nil {
		return false, "", err
	}
	i := &installation{medium: m, sink: progress.Discard}
	failed := func(step string, err error) (bool, stage1.Next, error) {
		i.tellReport(out, err)
		fmt.Fprint(out, installer.LastLine(nil, step, err))
		return true, "", err
	}
	if begun(begunFile) {
		return false, "", stage1.ErrBegun
	}
	clock := ""
	carried, err := readMedium(m.Dir)
	if err == nil { // else it is told when there are answers
		i.carried = carried
		clock = i.wakeClock(time.Now(), setClock)
	}
	place, err := installer.FindAnswers(ctx, m.Line, m.Dir, m.Disk, i.web(out))
	if begun(begunFile) {
		return false, "", stage1.ErrBegun
	}
	if place == nil && err == nil {
		return false, "", nil
	}
	if clock != "" {
		fmt.Fprintf(out, "reprise: %s\n", clock)
	}
	if err != nil {
		return failed("answers", err)
	}
	fmt.Fprintf(out, "reprise: installing as %s says\n", place.Name)
	file, passphrase, err := readAnswers(place)
	if err != nil {
		return failed("answers", err)
	}
	if i, err = openInstallation(m); err != nil {
		i = &installation{medium: m}
		return failed("plan", err)
	}
	defer i.close()
	result, err := i.carryOut(ctx, file, passphrase, false, progress.Discard, out)
	if err != nil {
		return true, "", err
	}
	if result.Before {
		fmt.Fprintln(out, "reprise: the same answers have installed this machine before: nothing was written now")
	}
	return true, after(file.Then, result.Before), nil
}

// after is what the machine does when it is installed. One that was so before has
// started from the medium once more, and would again.
func after(then string, before bool) stage1.Next {
	switch {
	case then == answers.PowerOff:
		return stage1.PowerOff
	case then == answers.Stay:
		return stage1.Shell
	case before:
		return stage1.Leave
	}
	return stage1.Reboot
}

// carryOut plans and installs, with a line on out for each step and one for
// how it ended.
func (i *installation) carryOut(ctx context.Context, file *answers.File, passphrase []byte, again bool, sink progress.Sink, out io.Writer) (*installer.Result, error) {
	failed := func(err error) (*installer.Result, error) {
		i.tellReport(out, err)
		fmt.Fprint(out, installer.LastLine(nil, "plan", err))
		return nil, err
	}
	p, err := i.plan(ctx, file.Answers)
	if problems := (diag.Problems)(nil); errors.As(err, &problems) {
		err = file.At(problems).Err()
	}
	if err != nil {
		return failed(err)
	}
	for _, note := range p.Notes {
		sink.Note("%s", note)
	}
	i.measureAsked(ctx, file.Answers, out)
	files, err := i.configuration(ctx, p)
	if err != nil {
		return failed(err)
	}
	job, err := i.job(ctx, p, files, passphrase)
	if err != nil {
		return failed(err)
	}
	job.Again, job.Replace = again, file.Again
	result, err := i.perform(ctx, job, sink, installer.Lines(out))
	if err != nil {
		i.tellReport(out, err)
	}
	fmt.Fprint(out, installer.LastLine(result, "install", err))
	return result, err
}

type installFlags struct {
	medium, store, answers string
	list, dryRun, again    bool
	accessible             bool
}

func (a *app) installCommand() *cobra.Command {
	var f installFlags
	c := &cobra.Command{
		Use:   "install",
		Short: "install this machine from the medium that it was started from",
		Long: `Install a system of the installation medium on a disk of this machine. Without
--answers questions are asked on the screen, and nothing is written before the
plan was shown and the disk's serial number was typed.

With --answers a file answers: everything on the disk that it names is lost. See
reprise answers.`,
		Example: "  reprise install --list\n  reprise install --answers reprise.answers.json --dry-run",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.answers == "" && (f.dryRun || f.again) {
				return misused(cmd, "--dry-run or --again is given without --answers", "add --answers FILE")
			}
			return a.install(cmd.Context(), f)
		},
	}
	c.Flags().StringVar(&f.medium, "medium", "", "`directory` where the medium is mounted (default where the machine has it)")
	c.Flags().StringVar(&f.store, "medium-store", "", "`directory` where the medium's store is mounted, ends in nix/store (default likewise)")
	c.Flags().StringVar(&f.answers, "answers", "", "`file` that answers everything")
	c.Flags().BoolVar(&f.list, "list", false, "list the disks with model, serial number, size and what is on them")
	c.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "print the plan and write nothing")
	c.Flags().BoolVar(&f.accessible, "accessible", false, "ask in plain lines, for screen readers")
	c.Flags().BoolVar(&f.again, "again", false, "install again what was installed before, by the same answers or by others")
	return c
}

func (a *app) install(ctx context.Context, f installFlags) error {
	m, err := mediumOf(f.medium, f.store)
	if err != nil {
		return err
	}
	if !f.list && f.answers == "" {
		_, err := guide(ctx, m, f.accessible, tui.Leave)
		return err
	}
	i, err := openInstallation(m)
	if err != nil {
		return err
	}
	defer i.close()
	if f.list {
		return a.listDisks(i.disks())
	}
	data, err := os.ReadFile(f.answers)
	if err != nil {
		return err
	}
	place := &installer.Place{Name: f.answers, Data: data, Beside: func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(filepath.Dir(f.answers), name))
	}}
	file, passphrase, err := readAnswers(place)
	if err != nil {
		return err
	}
	if !f.dryRun {
		result, err := i.carryOut(ctx, file, passphrase, f.again, a.sink, a.stdout)
		if err == nil && result.Before {
			fmt.Fprintln(a.stdout, "Installed before by the same answers; nothing was done. --again installs anew.")
		}
		return err
	}
	p, err := i.plan(ctx, file.Answers)
	if problems := (diag.Problems)(nil); errors.As(err, &problems) {
		return file.At(problems).Err()
	}
	if err != nil {
		return err
	}
	if a.json {
		data, err := p.Encode()
		if err == nil {
			_, err = a.stdout.Write(data)
		}
		return err
	}
	_, err = io.WriteString(a.stdout, p.Text(80))
	return err
}

func (a *app) listDisks(disks []plan.Disk) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(disks)
	}
	if len(disks) == 0 {
		fmt.Fprintln(a.stdout, "no disk")
	}
	for _, d := range disks {
		fmt.Fprint(a.stdout, d.Name())
		if d.Medium {
			fmt.Fprint(a.stdout, ", the medium itself")
		}
		fmt.Fprintln(a.stdout)
		for _, p := range d.Partitions {
			fmt.Fprintf(a.stdout, "  %-18s %10s  %s\n", p.Path, humanize.IBytes(uint64(p.SizeBytes)), strings.TrimSpace(p.Holds+"  "+p.Label))
		}
		for _, u := range d.Uses {
			fmt.Fprintf(a.stdout, "  in use: %s %s %s\n", u.Device, u.Kind, u.By)
		}
	}
	return nil
}
