package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"reprise/internal/diag"
	"reprise/internal/flash"
)

type flashOptions struct {
	image, device, serial string
	yes, dryRun           bool
}

func (a *app) flashCommand() *cobra.Command {
	var o flashOptions
	c := &cobra.Command{
		Use:   "flash IMAGE [DEVICE]",
		Short: "write an image to a stick or card, and check it",
		Long: `Write an ISO or disk image, also one compressed as .zst, .xz or .gz, to DEVICE,
read it back and compare every byte. Everything on DEVICE is lost. Without DEVICE
the devices are listed, with what speaks against each; nothing is written.

DEVICE is a whole stick, card or disk: /dev/sdb, sdb, or a link as in
/dev/disk/by-id. One that is in use, holds the running system or is read-only is
refused; one that is built in as well, unless --serial names its serial number.
On a terminal its name has to be typed first, elsewhere --yes is needed. To write
to devices you need root (sudo), or their group (disk).

What was interrupted starts nothing: run it again. A regular file may stand for
a device of its size.`,
		Example: "  reprise flash studio.iso\n  reprise flash studio.iso sdb\n  reprise flash rig.img.zst /dev/sdb --serial 4C530001230504 --yes",
		Args:    cobra.RangeArgs(1, 2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return completeTargets(func(t flash.Target) string { return t.Path }), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.image = args[0]
			if len(args) > 1 {
				o.device = args[1]
			}
			if cmd.Flags().Changed("serial") && strings.TrimSpace(o.serial) == "" {
				return misused(cmd, "--serial is empty", "give the serial number as reprise flash IMAGE lists it")
			}
			if o.device == "" && o.serial == "" && (o.yes || o.dryRun) {
				return misused(cmd, "--yes or --dry-run is given without a device", "name the device; reprise flash IMAGE lists them")
			}
			return a.flash(cmd.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.serial, "serial", "", "the device is the one with this serial `number`; needed for disks that are built in")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask before erasing")
	f.BoolVarP(&o.dryRun, "dry-run", "n", false, "say what would be written, and write nothing")
	c.RegisterFlagCompletionFunc("serial", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return completeTargets(func(t flash.Target) string { return t.Serial.Or("") }), cobra.ShellCompDirectiveNoFileComp
	})
	return c
}

// completeTargets offers the devices that nothing but their being built in
// speaks against, with their models.
func completeTargets(word func(flash.Target) string) []string {
	targets, err := flash.ReadTargets()
	if err != nil {
		return nil
	}
	var words []string
	for _, t := range targets {
		if w := word(t); w != "" && len(t.Refusals(t.Serial.Or(""), 0)) == 0 {
			words = append(words, fmt.Sprintf("%s\t%s, %s", w, t.Model.Or("model not known"), humanize.IBytes(uint64(t.SizeBytes))))
		}
	}
	return words
}

func (a *app) flash(ctx context.Context, o flashOptions) error {
	im, err := flash.OpenImage(o.image)
	if err != nil {
		return failed(err)
	}
	defer im.Close()
	targets, err := flash.ReadTargets()
	if err != nil && o.device == "" {
		return err
	}
	if o.device == "" && o.serial == "" {
		return a.listTargets(im, targets)
	}
	t, err := chosen(targets, o)
	if err != nil {
		return failed(err)
	}
	if err := apart(im, t); err != nil {
		return failed(err)
	}
	// What needs no look into the image first: a person waits for that.
	if err := t.Problems(t.Refusals(o.serial, im.Size)); err != nil {
		return failed(err)
	}
	if err := im.Measure(ctx, a.sink); err != nil {
		return failed(err)
	}
	if err := t.Problems(t.Refusals(o.serial, im.Size)); err != nil {
		return failed(err)
	}
	if !im.Starts() {
		a.sink.Note("%s has neither boot code nor a partition table: nothing will start from it", o.image)
	}
	if o.dryRun {
		return a.planned(im, t)
	}
	d, err := flash.Open(t.Path)
	if err != nil {
		return failed(cannotOpen(o, t, err))
	}
	defer d.Close()
	if d.Size() != t.SizeBytes {
		return failed(diag.Problem{File: t.Path, Got: fmt.Sprintf("has %d bytes now, it had %d", d.Size(), t.SizeBytes),
			Want: "the device that was chosen", Do: "run this again"})
	}
	if m, ok := flash.Interrupted(d); ok {
		a.sink.Note("%s is unfinished: writing %v to it was interrupted; starting anew", t.Path, m)
	}
	if !o.yes {
		if err := a.confirmErasing(ctx, im, t); err != nil {
			return err
		}
	}
	result, err := flash.Write(ctx, im, d, a.sink)
	if err != nil {
		if ctx.Err() != nil {
			return &diag.Failure{Code: diag.ExitInterrupted, Err: err}
		}
		return failed(err)
	}
	if err := d.Close(); err != nil {
		return fmt.Errorf("close %q: %w", t.Path, err)
	}
	return a.flashed(im, t, result)
}

// failed gives err the exit code of work that did not come about: the user's
// configuration is not to blame.
func failed(err error) error { return &diag.Failure{Code: diag.ExitFailed, Err: err} }

// chosen finds the device that was named, by its node or its serial number.
func chosen(targets []flash.Target, o flashOptions) (flash.Target, error) {
	if o.device != "" {
		return flash.Find(targets, o.device)
	}
	found := flash.BySerial(targets, o.serial)
	if len(found) == 1 {
		return found[0], nil
	}
	p := diag.Problem{File: "--serial " + o.serial, Got: "is the serial number of no device", Want: "one that reprise flash IMAGE lists", Do: "plug it in, or mend the number"}
	if len(found) > 1 {
		var paths []string
		for _, t := range found {
			paths = append(paths, t.Path)
		}
		p.Got, p.Do = "is the serial number of "+strings.Join(paths, " and "), "name the device as well"
	}
	return flash.Target{}, p
}

// apart refuses to write an image over its own file.
func apart(im *flash.Image, t flash.Target) error {
	image, err := os.Stat(im.Path)
	if err != nil {
		return err
	}
	for _, name := range []string{t.Path, t.Model.Or("")} { // of a loop device the model is its file
		if info, err := os.Stat(name); err == nil && os.SameFile(image, info) {
			return diag.Problem{File: t.Path, Got: "is the image itself", Want: "another device", Do: "reprise flash " + im.Path + " lists the devices"}
		}
	}
	return nil
}

func cannotOpen(o flashOptions, t flash.Target, err error) error {
	switch {
	case errors.Is(err, flash.ErrBusy):
		return diag.Problem{File: t.Path, Got: "is in use: mounted, or held by something that is not known here",
			Want: "a device that nothing uses", Do: "see what holds it: lsblk " + t.Path + "; fuser -v " + t.Path}
	case errors.Is(err, fs.ErrPermission):
		again := "sudo reprise flash " + o.image + " " + t.Path
		if o.serial != "" {
			again += " --serial " + o.serial
		}
		return diag.Problem{File: t.Path, Got: "may not be written by you", Want: "root" + groupOf(t.Path), Do: again}
	case errors.Is(err, syscall.EROFS):
		return diag.Problem{File: t.Path, Got: "is read-only", Want: "a device that can be written", Do: "slide its lock, or choose another device"}
	case errors.Is(err, syscall.ENOMEDIUM), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV), errors.Is(err, fs.ErrNotExist):
		return diag.Problem{File: t.Path, Got: "is gone", Want: "a device that is plugged in", Do: "plug it in again"}
	}
	return err
}

// groupOf names the group that may write to a node, such as disk.
func groupOf(node string) string {
	info, err := os.Stat(node)
	if err != nil || info.Mode()&0o020 == 0 {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Gid == 0 {
		return ""
	}
	group, err := user.LookupGroupId(strconv.Itoa(int(st.Gid)))
	if err != nil {
		return ""
	}
	return ", or a member of group " + group.Name + " (sudo usermod -aG " + group.Name + " $USER, then log in again)"
}

// confirmErasing has the device's name typed on a terminal.
func (a *app) confirmErasing(ctx context.Context, im *flash.Image, t flash.Target) error {
	in, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) || a.json {
		return &diag.Failure{Code: diag.ExitUsage, Err: diag.Problem{File: t.Path, Got: "would be erased, and there is no terminal to ask on",
			Want: "consent", Do: "add --yes"}}
	}
	a.finished() // live lines would run over the question
	a.finished = func() {}
	err := typed(ctx, in, a.stderr, im, t)
	a.openSink()
	if err != nil && ctx.Err() != nil {
		return &diag.Failure{Code: diag.ExitInterrupted, Err: errors.New("interrupted; nothing was written")}
	}
	return err
}

// typed asks on out and reads the answer from in.
func typed(ctx context.Context, in io.Reader, out io.Writer, im *flash.Image, t flash.Target) error {
	fmt.Fprintf(out, "Write %s, %s, to %s\n", im.Path, humanize.IBytes(uint64(im.Size)), described(t))
	if len(t.Holds) > 0 {
		fmt.Fprintf(out, "Everything on it is lost: %s\n", strings.Join(t.Holds, ", "))
	}
	fmt.Fprintf(out, "Type %s to erase it: ", t.Name())
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n')
		answers <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(out)
		return ctx.Err()
	case got := <-answers:
		if got.line == t.Name() || got.line == t.Path {
			return nil
		}
		if got.err != nil {
			fmt.Fprintln(out)
		}
		return failed(diag.Problem{File: t.Path, Got: fmt.Sprintf("was not erased: %q was typed", got.line), Want: t.Name(), Do: "run this again and type " + t.Name()})
	}
}

// described is a device on one line.
func described(t flash.Target) string {
	return fmt.Sprintf("%s: %s, serial %s, %s, %s", t.Path, t.Model.Or("model not known"), t.Serial, humanize.IBytes(uint64(t.SizeBytes)), t.Transport)
}

func (a *app) planned(im *flash.Image, t flash.Target) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]any{"event": "plan", "image": im.Path, "bytes": im.Size, "device": t})
	}
	fmt.Fprintf(a.stdout, "Would write %s, %s, to %s\n", im.Path, humanize.IBytes(uint64(im.Size)), described(t))
	for _, what := range t.Holds {
		fmt.Fprintf(a.stdout, "  lost: %s\n", what)
	}
	return nil
}

func (a *app) flashed(im *flash.Image, t flash.Target, r *flash.Result) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]any{
			"event": "flashed", "image": im.Path, "device": t.Path, "bytes": r.Bytes, "sha256": r.SHA256, "backupGPT": r.Backup,
			"writeSeconds": r.Writing.Seconds(), "checkSeconds": r.Checking.Seconds(),
		})
	}
	a.finished()
	a.finished = func() {}
	fmt.Fprintf(a.stdout, "%s is on %s, and every byte was read back: %s, written at %s, read at %s\n",
		im.Path, t.Path, humanize.IBytes(uint64(r.Bytes)), rate(r.Bytes, r.Writing), rate(r.Bytes, r.Checking))
	fmt.Fprintf(a.stdout, "SHA-256 %s\n", r.SHA256)
	if r.Backup.Moved {
		fmt.Fprintf(a.stdout, "The backup partition table was moved to the device's end\n")
	} else {
		fmt.Fprintf(a.stdout, "The backup partition table was not moved: %s\n", r.Backup.Why)
	}
	return nil
}

// rate is bytes a second, for a person.
func rate(n int64, took time.Duration) string {
	return humanize.IBytes(uint64(float64(n)/max(took, time.Millisecond).Seconds())) + "/s"
}

// listedTarget is a device with what speaks against it.
type listedTarget struct {
	flash.Target
	Refused []flash.Refusal `json:"refused"`
}

// listTargets prints the devices that can be written, then the others with
// why not.
func (a *app) listTargets(im *flash.Image, targets []flash.Target) error {
	var listed []listedTarget
	for _, t := range targets {
		listed = append(listed, listedTarget{t, t.Refusals("", im.Size)})
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]any{"event": "devices", "image": im.Path, "devices": listed})
	}
	var open, refused []listedTarget
	for _, t := range listed {
		if len(t.Refused) == 0 {
			open = append(open, t)
		} else {
			refused = append(refused, t)
		}
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	const heading = "  DEVICE\tMODEL\tSERIAL\tSIZE\tBUS\tHOLDS\n"
	row := func(t listedTarget) {
		holds := strings.Join(t.Holds, ", ")
		if holds == "" {
			holds = "nothing that is known"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", t.Path, t.Model, t.Serial, humanize.IBytes(uint64(t.SizeBytes)), t.Transport, holds)
	}
	if len(open) == 0 {
		fmt.Fprintln(w, "There is no removable device to write to. Plug a stick or card in, and run this again.")
	} else {
		fmt.Fprint(w, "Removable devices:\n", heading)
		for _, t := range open {
			row(t)
		}
		fmt.Fprintf(w, "\nTo write one, erasing it: reprise flash %s %s\n", im.Path, open[0].Path)
	}
	w.Flush()
	if len(refused) > 0 {
		fmt.Fprint(w, "\nRefused:\n", heading)
		for _, t := range refused {
			row(t)
		}
		w.Flush()
		fmt.Fprintln(w)
		for _, t := range refused {
			for _, r := range t.Refused {
				fmt.Fprintf(w, "  %s %s; %s\n", t.Path, r.Got, r.Do)
			}
		}
	}
	return w.Flush()
}
