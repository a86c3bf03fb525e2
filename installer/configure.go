package installer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"reprise/installer/plan"
	"reprise/internal/activation"
	"reprise/internal/atomicfile"
	"reprise/store"
	"reprise/store/storepath"
)

const (
	// ConfigurationDir is where /etc/reprise leads, on the root.
	ConfigurationDir = activation.Configuration
	// ConfigurationFile is the machine's own configuration in it.
	ConfigurationFile = "configuration.jsonnet"
	// PlanFile says how the machine was installed.
	PlanFile = "var/lib/reprise/installation.json"
	// LogFile is the log of the installation.
	LogFile = "var/log/reprise/install.log"

	// shadowGroup is Debian's group shadow. Source: base-passwd's group.master.
	shadowGroup = 42
)

// directories of the root that everything else expects.
var directories = []struct {
	path string
	mode fs.FileMode
}{
	{"home", 0o755}, {"root", 0o700}, {"srv", 0o755}, {"var", 0o755}, {"var/lib", 0o755}, {"var/lib/reprise", 0o755},
	{activation.StateDir, 0o755}, {activation.StateDir + "/etc", 0o755}, {ConfigurationDir, 0o755},
}

// writeConfiguration writes what belongs to this machine alone, and makes its
// own system when there is a Compose.
func (r *run) writeConfiguration(ctx context.Context, _ plan.Step) error {
	if r.stale { // what is on the disk so far is another password's
		if err := r.writeJournal(ctx); err != nil {
			return err
		}
		r.stale = false
	}
	for _, d := range directories {
		path := filepath.Join(r.dir, d.path)
		if err := os.Mkdir(path, d.mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := os.Chmod(path, d.mode); err != nil { // whatever the umask is
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		if !fs.ValidPath(name) {
			return fmt.Errorf("%q is no name of a file in /etc/reprise", name)
		}
		if dir := filepath.Join(r.dir, ConfigurationDir, filepath.Dir(name)); filepath.Dir(name) != "." {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		if err := atomicfile.WriteBytes(filepath.Join(r.dir, ConfigurationDir, name), 0o644, r.Files[name]); err != nil {
			return err
		}
	}
	if err := r.writePassword(); err != nil {
		return err
	}
	about, err := r.Plan.Encode()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteBytes(filepath.Join(r.dir, PlanFile), 0o644, about); err != nil {
		return err
	}
	r.journal.System = storepath.Path(r.Plan.Path)
	if r.Compose != nil {
		system, err := r.Compose(ctx, r.dir, filepath.Join(r.dir, ConfigurationDir, ConfigurationFile))
		if err != nil {
			return fmt.Errorf("compose the machine's own system: %w", err)
		}
		r.journal.System = system
	}
	s, err := store.Open(ctx, r.dir)
	if err != nil {
		return err
	}
	valid, err := s.Valid(ctx, r.journal.System)
	if err = errors.Join(err, s.Close()); err == nil && !valid[r.journal.System] {
		err = fmt.Errorf("the system %q is not in the store", r.journal.System)
	}
	return err
}

// keepLog copies the log of the installation, so far as it is written.
func (r *run) keepLog() error {
	if r.Log == "" {
		return nil
	}
	data, err := os.ReadFile(r.Log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nobody keeps one
	}
	if err != nil {
		return err
	}
	to := filepath.Join(r.dir, LogFile)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteBytes(to, 0o600, data)
}

// writePassword gives the user the password of the answers. Stage 1 keeps the
// line and adds those of the other accounts, see package activation.
func (r *run) writePassword() error {
	u := r.Plan.Answers.User
	path := filepath.Join(r.dir, activation.Shadow)
	if u == nil || u.PasswordHash == "" {
		// There may be that of an earlier try.
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	line := fmt.Appendf(nil, "%s:%s::0:99999:7:::\n", u.Name, u.PasswordHash)
	return atomicfile.Write(path, 0o640, func(f *os.File) error {
		if os.Geteuid() == 0 {
			if err := f.Chown(0, shadowGroup); err != nil {
				return err
			}
		}
		_, err := f.Write(line)
		return err
	})
}
