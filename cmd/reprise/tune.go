package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reprise/hwdetect"
	"reprise/hwdetect/advice"
	"reprise/installer"
	"reprise/installer/plan"
	"reprise/internal/atomicfile"
	"reprise/internal/config"
	"reprise/internal/diag"
	"reprise/internal/liveroot"
	"reprise/internal/progress"
	"reprise/internal/rootmount"
	"reprise/internal/tuning"
)

// What a session was tuned with, and what is told to those who log in: pam_motd(8).
const (
	tunedHardware = "/run/reprise/session/" + plan.HardwareFile
	tunedMotd     = "/run/motd.d/reprise-session"
)

// Time limits of tuning: of all of it, and of waiting for cards that have a
// driver which is not done with them.
const (
	tuneLimit  = 4 * time.Minute
	cardsLimit = 10 * time.Second
	cardsPause = time.Second / 2
)

func (a *app) tuneCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "tune",
		Short: "tune a session from the medium to its machine",
		Long: `Look at the machine and set in this session what an installation would write into
hardware.jsonnet: the card and buffer of the sound server, priorities of
interrupts, power saving. A session does so when it starts; run it again as root
when a card was plugged in later. It prints what only an installation can change.`,
		Example: "  sudo reprise tune",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), tuneLimit)
			defer cancel()
			if _, err := os.Stat(rootmount.Etc); err != nil {
				return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: rootmount.Etc, Got: "is not there: this is no session from a medium, or you are not root",
					Want: "a machine that was started from a medium, to try it", Do: "run it there with sudo; an installed machine has " + machineConfiguration}}
			}
			told, err := tune(ctx, a.stderr)
			if err != nil {
				told = "This session is as its profile says. It could not be tuned to this machine: " + strings.ReplaceAll(err.Error(), "\n", " ") + "\n"
			}
			if motdErr := atomicfile.WriteBytes(tunedMotd, 0o644, []byte(told)); err == nil {
				err = motdErr
			}
			switch {
			case err != nil:
				return err
			case a.json:
				return a.emit("result", fields{"hardware": tunedHardware, "told": strings.Split(strings.TrimSuffix(told, "\n"), "\n")})
			}
			_, err = fmt.Fprint(a.stdout, told)
			return err
		},
	}
}

// tune looks at the machine and brings the session to what is advised for it.
// It returns what people are told. How long that took stands on log.
func tune(ctx context.Context, log io.Writer) (told string, err error) {
	begun, times := time.Now(), []string{}
	mark := func(what string) {
		times = append(times, fmt.Sprintf("%s %.1f s", what, time.Since(begun).Seconds()))
	}
	defer func() { fmt.Fprintf(log, "since the start of it: %s\n", strings.Join(times, ", ")) }()
	for _, file := range []string{tunedHardware, tunedMotd} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
	}
	medium, err := mediumOf("", "")
	if err != nil {
		return "", err
	}
	i := &installation{medium: medium, sink: progress.Discard}
	if i.carried, err = readMedium(medium.Dir); err != nil {
		return "", err
	}
	now, err := liveroot.Current()
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(i.carried.Systems, func(s plan.System) bool { return string(s.Path) == now })
	if at < 0 {
		return "", fmt.Errorf("the medium does not tell of the system %q", now)
	}
	s := &i.carried.Systems[at]
	// Meanwhile: evaluated keeps the answer for who asks next.
	go func() { _, _ = i.evaluated(ctx, s) }()
	// What has not happened in this time will not.
	_ = exec.CommandContext(ctx, "udevadm", "settle", "--timeout=30").Run()
	mark("devices settled")
	advised, err := i.adviseWithCards(ctx, s)
	if err != nil {
		return "", err
	}
	mark("advised")
	plain, err := i.evaluated(ctx, s)
	if err != nil {
		return "", err
	}
	hardware := advised.Jsonnet()
	next, err := i.withHardware(ctx, s, hardware)
	if err != nil {
		return "", err
	}
	mark("evaluated")
	before := plain
	old, err := os.ReadFile(tunedHardware)
	switch {
	case err == nil: // not for the first time
		if before, err = i.withHardware(ctx, s, old); err != nil {
			return "", err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	wanted, err := tuning.Make(plain, next)
	if err != nil {
		return "", err
	}
	do, err := tuning.Make(before, next)
	if err != nil {
		return "", err
	}
	problems := carryOutTuning(ctx, do)
	mark("done")
	if err := atomicfile.WriteBytes(tunedHardware, 0o644, hardware); err != nil {
		return "", err
	}
	return tunedText(advised, wanted, do, old != nil) + strings.Join(problems, ""), nil
}

// tunedText is what people are told.
func tunedText(advised advice.Advice, wanted, did *tuning.Plan, again bool) string {
	var b strings.Builder
	if s, ok := advised.Studio(); ok {
		fmt.Fprintf(&b, "This session is tuned to its machine, and to %s. Why, and what else is advised: %s\n", s.Name, tunedHardware)
	} else {
		fmt.Fprintf(&b, "This session is tuned to its machine, which has no sound card that it knows. What is advised: %s\n", tunedHardware)
	}
	if len(wanted.Waits) > 0 {
		fmt.Fprintf(&b, "An installation changes, besides: %s\n", strings.Join(wanted.Waits, " "))
	}
	if len(advised.Missing()) > 0 {
		b.WriteString("What else this machine should have needs packages that this medium lacks, and stands there as a comment.\n")
	}
	if again && len(did.UserUnits) > 0 {
		fmt.Fprintf(&b, "To go on with it: systemctl --user daemon-reload && systemctl --user restart %s\n", strings.Join(did.UserUnits, " "))
	}
	return b.String()
}

// adviseWithCards is advise once the drivers are done with the cards. What JACK
// is to play on must be there: a card that never comes leaves the dummy.
func (i *installation) adviseWithCards(ctx context.Context, s *plan.System) (advised advice.Advice, err error) {
	root := os.DirFS("/")
	modules := moduleIndex(root)
	for end := time.Now().Add(cardsLimit); ; {
		facts, err := hwdetect.Read(root, hwdetect.Options{PCIIDs: pciIDs(), Modules: modules, KernelLog: kernelLog()})
		if err != nil {
			return advised, err
		}
		i.facts.Store(facts)
		if advised, err = i.advise(ctx, s); err != nil {
			return advised, err
		}
		studio, ok := advised.Studio()
		if !ok || hasCard(facts, studio.Device) {
			return advised, nil
		}
		if time.Now().After(end) {
			advised.Settings = slices.DeleteFunc(advised.Settings, func(s advice.Setting) bool { return strings.HasPrefix(s.Option, "services.jack.") })
			return advised, nil
		}
		select {
		case <-ctx.Done():
			return advised, ctx.Err()
		case <-time.After(cardsPause):
		}
	}
}

// hasCard says whether what advice calls device has a card of ALSA's now.
func hasCard(facts *hwdetect.Facts, device string) bool {
	return slices.ContainsFunc(facts.Cards, func(c hwdetect.Card) bool {
		for bus, place := range map[string]hwdetect.Known[string]{"USB ": c.USB, "FireWire ": c.FireWire, "PCI ": c.PCI, "platform ": c.Platform} {
			if at, ok := place.Get(); ok && bus+at == device {
				return true
			}
		}
		return fmt.Sprintf("card %d", c.Index) == device
	})
}

// withHardware evaluates the configuration of a carried system, joined to a
// hardware.jsonnet. It wants nothing that the medium lacks.
func (i *installation) withHardware(ctx context.Context, s *plan.System, hardware []byte) (*config.Config, error) {
	files := map[string][]byte{plan.HardwareFile: hardware}
	profile := "reprise/" + s.Configuration + ".jsonnet"
	if s.Files != "" {
		if err := readTree(files, filepath.Join(i.medium.Dir, s.Files), plan.ProfileDir); err != nil {
			return nil, err
		}
		profile = plan.ProfileDir + "/" + s.Configuration
	}
	var err error
	if files[lockName], err = os.ReadFile(filepath.Join(i.medium.Dir, s.Lock)); err != nil {
		return nil, err
	}
	files[installer.ConfigurationFile] = fmt.Appendf(nil, "(import %q) + (import %q)\n", profile, plan.HardwareFile)
	cfg, _, err := judged(ctx, files)
	return cfg, err
}

// carryOutTuning does what the plan says. What cannot be done is returned in
// lines, and the rest is done all the same.
func carryOutTuning(ctx context.Context, p *tuning.Plan) (problems []string) {
	tell := func(err error) {
		if err != nil {
			problems = append(problems, "This could not be done: "+strings.ReplaceAll(err.Error(), "\n", " ")+"\n")
		}
	}
	run := func(argv ...string) {
		out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			tell(fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(string(out))))
		}
	}
	if len(p.Stops) > 0 {
		run(append([]string{"systemctl", "stop"}, p.Stops...)...)
	}
	tell(writeSettings(rootmount.Private, p))
	if p.Rules {
		run("udevadm", "control", "--reload")
		run("udevadm", "trigger", "--action=add", "--subsystem-match=sound", "--subsystem-match=usb", "--settle")
	}
	for _, param := range p.Parameters {
		file := filepath.Join("/sys/module", param.Module, "parameters", param.Name)
		// A driver that is not loaded, or has no such file, reads it when it loads.
		if err := os.WriteFile(file, []byte(param.Value), 0); !errors.Is(err, fs.ErrNotExist) {
			tell(err)
		}
	}
	if len(p.Files)+len(p.Links)+len(p.Gone) > 0 {
		run("systemctl", "daemon-reload")
	}
	if len(p.Units) > 0 { // while the machine starts, they wait for this very program
		run(append([]string{"systemctl", "--no-block", "restart"}, p.Units...)...)
	}
	return problems
}

// writeSettings writes the files and links of the plan below dir, a directory
// with an etc in it.
func writeSettings(dir string, p *tuning.Plan) error {
	for _, name := range p.Gone {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Files)) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := atomicfile.WriteBytes(file, os.FileMode(p.Files[name].Mode), []byte(p.Files[name].Text)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Links)) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Symlink(p.Links[name], file); err != nil {
			return err
		}
	}
	return nil
}
