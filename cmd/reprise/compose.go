package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"reprise/internal/config"
	"reprise/internal/diag"
	"reprise/internal/lock"
	"reprise/internal/progress"
	"reprise/internal/recipe"
	"reprise/store/storepath"
)

// composed is what composeCommand prints.
type composed struct {
	System storepath.Path `json:"system"`
}

// composeCommand makes the system of a machine that is being installed, in the
// store of its mounted root: a process of its own, since it has to leave the
// kernel's first root file system before it can make sandboxes.
func (a *app) composeCommand() *cobra.Command {
	var builder string
	c := &cobra.Command{
		Use:    "compose FILE",
		Short:  "make a machine's system from packages that the store has",
		Long:   "Run by the installer with the store of the machine that it installs. Asks no network.",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := leaveRootfs(); err != nil {
				return fmt.Errorf("leave the initramfs: %w", err)
			}
			a.offline = true
			system, err := a.compose(cmd.Context(), args[0], storepath.Path(builder))
			if err != nil {
				return err
			}
			return json.NewEncoder(a.stdout).Encode(composed{system})
		},
	}
	c.Flags().StringVar(&builder, "builder", "", "store path of the program that the packages were unpacked with")
	return c
}

// compose realises the system of the configuration at file, whose lock lies
// beside it, from what the store has.
func (a *app) compose(ctx context.Context, file string, builder storepath.Path) (storepath.Path, error) {
	cfg, err := config.Evaluate(ctx, file, unhurried)
	if err != nil {
		return "", err
	}
	lockFile := lockPath(file, "", "")
	l, err := readLock(lockFile)
	if err != nil {
		return "", err
	}
	if err := covers(l, cfg, lockFile); err != nil {
		return "", err
	}
	s, err := a.open(ctx)
	if err != nil {
		return "", err
	}
	defer s.store.Close()
	if builder != "" && builder != s.self {
		// Another program than this one made the medium: its derivations are
		// the ones whose outputs are there.
		s.self, s.realiser.Self = builder, ""
		if err := s.store.TempRoot(ctx, builder); err != nil {
			return "", err
		}
	}
	d, err := s.realiseSystem(ctx, cfg, l, lockFile, []string{recipe.SystemSet}, nil)
	if err != nil {
		return "", err
	}
	return d.system, nil
}

// covers says which packages a configuration asks for that its lock does not
// have. More than it asks for is fine: nothing is resolved anew.
func covers(l *lock.Lock, cfg *config.Config, file string) error {
	if l == nil {
		return diag.Problem{File: file, Got: "is not there", Want: "the lock of the configuration", Do: "copy it from the medium"}
	}
	var have []string
	for _, p := range l.In(recipe.SystemSet) {
		have = append(have, p.Name)
	}
	var problems diag.Problems
	for _, name := range cfg.Roots() {
		if !slices.Contains(have, name) {
			problems = append(problems, cfg.PackageProblem(name, fmt.Sprintf("%q is not on the medium", name), "a package that the medium carries", "leave it out now, and build again when the machine has a network"))
		}
	}
	return problems.Err()
}

// composeIn runs composeCommand for a root that is being installed.
func composeIn(ctx context.Context, root, configuration string, builder storepath.Path, sink progress.Sink) (system storepath.Path, err error) {
	task := sink.Start("compose the system", progress.Items, 0)
	defer func() { task.Done(err) }()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "compose", "--quiet", "--store", root, "--builder", string(builder), configuration)
	cmd.Args[0] = "reprise"
	cmd.Env = []string{"HOME=/", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if text := strings.TrimPrefix(strings.TrimSpace(said.String()), "reprise: "); text != "" {
			return "", errors.New(text)
		}
		return "", err
	}
	var result composed
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return "", fmt.Errorf("read what was composed: %w", err)
	}
	return result.System, nil
}

// leaveRootfs gives this process, which has mounts of its own, a root that is
// not the kernel's first one: nobody can pivot away from that. Everything stays
// where it is. On any other root it does nothing.
func leaveRootfs() error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	if !onRootfs(string(data)) {
		return nil
	}
	const root = "/.reprise/root-again"
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &os.PathError{Op: "make private", Path: "/", Err: err}
	}
	if err := unix.Mount("/", root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return &os.PathError{Op: "bind", Path: root, Err: err}
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	// As switch_root(8): a root that was only changed to would forbid user
	// namespaces.
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return &os.PathError{Op: "move", Path: root, Err: err}
	}
	if err := unix.Chroot("."); err != nil {
		return &os.PathError{Op: "chroot", Path: root, Err: err}
	}
	return os.Chdir("/")
}

// onRootfs says whether / is the kernel's first root file system and nothing
// is mounted over it.
func onRootfs(mountinfo string) bool {
	first := false
	for line := range strings.Lines(mountinfo) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) > 4 && fields[4] == "/" {
			first = strings.HasPrefix(after, "rootfs ")
		}
	}
	return first
}
