package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"reprise/hwdetect"
	"reprise/hwdetect/advice"
	"reprise/initrd/stage1"
	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/config"
	"reprise/internal/diag"
	"reprise/internal/lock"
	"reprise/internal/progress"
	"reprise/internal/recipe"
	"reprise/internal/rootmount"
	"reprise/internal/sha256sums"
	"reprise/store/storepath"
)

// Places of an installation, on a file system in memory.
const (
	installDir = stage1.InstallDir
	installLog = installDir + "/install.log"
	targetDir  = installDir + "/target"
	toolsDir   = installDir + "/tools"
)

// An installation is what an installer knows before anybody has answered: the
// medium, and the machine. Both the guided and the unattended one begin here.
type installation struct {
	medium  stage1.Medium
	carried *plan.Medium
	facts   atomic.Pointer[hwdetect.Facts] // as last looked at: screens look again at any moment
	tools   *installer.Chroot              // nil until needed
	sink    progress.Sink

	mu      sync.Mutex                // of what follows: screens ask at any moment
	systems map[string]*config.Config // of the carried ones, once asked for

	measured measuring
}

// openInstallation reads the medium and looks at the machine.
func openInstallation(m stage1.Medium) (*installation, error) {
	if err := makeScratch(); err != nil {
		return nil, err
	}
	carried, err := readMedium(m.Dir)
	if err != nil {
		return nil, err
	}
	i := &installation{medium: m, carried: carried, sink: progress.Discard}
	_, err = i.disksNow(context.Background())
	return i, err
}

// makeScratch makes the directory for temporary files, which an initramfs lacks.
func makeScratch() error {
	err := os.Mkdir(os.TempDir(), 0o1777)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// patience bounds how long the machine's drivers are waited for.
const patience = time.Minute

// look reads the machine again, once its drivers are there: disks come and go.
func (i *installation) look(ctx context.Context) (*hwdetect.Facts, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := i.medium.Settle(waiting); err != nil && ctx.Err() != nil {
		return nil, err
	}
	root := os.DirFS("/")
	return hwdetect.Read(root, hwdetect.Options{Contents: true, PCIIDs: pciIDs(), Modules: moduleIndex(root), KernelLog: kernelLog()})
}

// disks lists the disks, that of the medium marked.
func (i *installation) disks() []plan.Disk {
	return plan.DisksOf(i.facts.Load(), strings.TrimPrefix(i.medium.Disk, "/dev/"))
}

func (i *installation) disksNow(ctx context.Context) ([]plan.Disk, error) {
	facts, err := i.look(ctx)
	if err != nil {
		return nil, err
	}
	i.facts.Store(facts)
	return i.disks(), nil
}

// plan decides the installation that a asks for.
func (i *installation) plan(ctx context.Context, a answers.Answers) (*plan.Plan, error) {
	r := plan.Request{Answers: a, Machine: plan.MachineOf(i.facts.Load(), machineClock(os.DirFS("/"), time.Now())), Disks: i.disks(), Medium: i.carried, Compose: true}
	if installer.FromServer(i.medium.Line) {
		r.Machine.MACs = firstMAC(r.Machine.MACs)
	}
	var advised advice.Advice
	var notes []string
	if s := i.carried.System(a.Profile); s != nil {
		cfg, err := i.evaluated(ctx, s)
		if err != nil {
			return nil, err
		}
		notes = withoutPassword(cfg, a.User)
		if advised, err = i.advise(ctx, s); err != nil {
			return nil, err
		}
		if r.KernelBytes, err = i.sizeOf(s, "kernel"); err != nil {
			return nil, err
		}
		if r.InitrdBytes, err = i.sizeOf(s, "initrd"); err != nil {
			return nil, err
		}
		if r.NotBefore, err = i.newest(s); err != nil {
			return nil, err
		}
	}
	p, err := plan.Make(r)
	if err == nil {
		p.Notes = slices.Concat(p.Notes, notes, advised.Missing())
	}
	return p, err
}

// withoutPassword says what nobody can do on a machine whose person has none.
func withoutPassword(cfg *config.Config, user *answers.User) []string {
	if user == nil || user.PasswordHash != "" {
		return nil
	}
	var cannot []string
	if cfg.Services.Xserver.DisplayManager.LightDM.Enable {
		cannot = append(cannot, "log in at the screen")
	}
	if cfg.Security.Sudo.WheelNeedsPassword {
		cannot = append(cannot, "use sudo, which asks for it")
	}
	if cannot == nil {
		return nil
	}
	return []string{fmt.Sprintf("%s has no password, so nobody can %s: give one, unless ssh is all you need", user.Name, strings.Join(cannot, ", or "))}
}

// newest is when the newest package list that s was made from was signed.
func (i *installation) newest(s *plan.System) (newest time.Time, err error) {
	l, err := i.lock(s)
	if err != nil {
		return newest, err
	}
	for _, suite := range l.Archive {
		if suite.Date.After(newest) {
			newest = suite.Date
		}
	}
	return newest, nil
}

// sizeOf is the size of what a link of the system leads to, on the medium.
func (i *installation) sizeOf(s *plan.System, name string) (int64, error) {
	target, err := os.Readlink(filepath.Join(i.medium.Store, s.Path.Base(), name))
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(filepath.Join(i.medium.Store, strings.TrimPrefix(target, "/nix/store/")))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (i *installation) lock(s *plan.System) (*lock.Lock, error) {
	data, err := os.ReadFile(filepath.Join(i.medium.Dir, s.Lock))
	if err != nil {
		return nil, err
	}
	return lock.Parse(s.Lock, data)
}

// source is what config.Evaluate takes for a carried system.
func (i *installation) source(s *plan.System) string {
	if s.Files == "" {
		return s.Configuration
	}
	return filepath.Join(i.medium.Dir, s.Files, s.Configuration)
}

// advise judges the machine for a system, with nothing but what the medium has
// for it.
func (i *installation) advise(ctx context.Context, s *plan.System) (advice.Advice, error) {
	l, err := i.lock(s)
	if err != nil {
		return advice.Advice{}, err
	}
	cfg, err := i.evaluated(ctx, s)
	if err != nil {
		return advice.Advice{}, err
	}
	return advice.Advise(i.facts.Load(), wantsOf(cfg, l)), nil
}

// evaluated is the configuration of a carried system. Nobody may change it.
func (i *installation) evaluated(ctx context.Context, s *plan.System) (*config.Config, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if cfg, ok := i.systems[s.Name]; ok {
		return cfg, nil
	}
	cfg, err := config.Evaluate(ctx, i.source(s), unhurried)
	if err != nil {
		return nil, err
	}
	if i.systems == nil {
		i.systems = map[string]*config.Config{}
	}
	i.systems[s.Name] = cfg
	return cfg, nil
}

// wantsOf is what a system is to be: its server of sound, and the packages
// that it may have. Those of the medium's own sets, which no machine can be
// made of, are not among these.
func wantsOf(cfg *config.Config, l *lock.Lock) advice.Wants {
	wants := advice.Wants{Carried: []string{}}
	for _, pkg := range l.In(recipe.SystemSet) {
		wants.Carried = append(wants.Carried, pkg.Name)
	}
	switch {
	case cfg.Services.Jack.Jackd.Enable:
		wants.Server = advice.JACK
	case cfg.Services.Pipewire.Enable:
		wants.Server = advice.PipeWire
	}
	return wants
}

// configuration makes the files of /etc/reprise: the machine's configuration
// and what it imports, its hardware, its lock, what was measured.
func (i *installation) configuration(ctx context.Context, p *plan.Plan) (map[string][]byte, error) {
	s := i.carried.System(p.System)
	files := map[string][]byte{}
	if s.Files != "" {
		if err := readTree(files, filepath.Join(i.medium.Dir, s.Files), plan.ProfileDir); err != nil {
			return nil, err
		}
	}
	var err error
	if files[lockName], err = os.ReadFile(filepath.Join(i.medium.Dir, s.Lock)); err != nil {
		return nil, err
	}
	cfg, err := i.evaluated(ctx, s)
	if err != nil {
		return nil, err
	}
	base := plan.Base{System: s, Users: map[string]int{}, Hardware: true, LUKS: p.LUKS, Comment: i.measuredComment(),
		Wired: plan.MachineOf(i.facts.Load(), time.Time{}).Wired}
	for name, u := range cfg.Users.Users {
		base.Users[name] = u.UID
	}
	advised, err := i.advise(ctx, s)
	if err != nil {
		return nil, err
	}
	files[plan.HardwareFile] = advised.Jsonnet()
	files[installer.ConfigurationFile] = plan.Configuration(p.Answers, p.Host, base)
	return files, i.addMeasured(files)
}

// readTree adds the files below dir under the name at.
func readTree(files map[string][]byte, dir, at string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		below, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(filepath.Join(at, below))], err = os.ReadFile(name)
		return err
	})
}

// job is the plan, ready to be carried out on this machine. files may have
// been edited since configuration made them.
func (i *installation) job(ctx context.Context, p *plan.Plan, files map[string][]byte, passphrase []byte) (*installer.Job, error) {
	cfg, l, err := judged(ctx, files)
	if err != nil {
		return nil, err
	}
	files = maps.Clone(files)
	files[lockName] = machineLock(l, cfg).Encode()
	if err := i.openTools(); err != nil {
		return nil, err
	}
	return &installer.Job{
		Plan: p, Medium: i.carried, Files: files, Passphrase: passphrase, Timeout: cfg.Boot.Loader.Timeout, Log: installLog,
		Source: installer.Source{Root: i.medium.Dir, Store: i.medium.Store, Device: i.medium.Device},
		Target: installer.NewLinux(p, targetDir, i.tools, i.disksNow),
		Check:  i.check,
		Compose: func(ctx context.Context, root, configuration string) (storepath.Path, error) {
			return composeIn(ctx, root, configuration, i.carried.Builder, i.sink)
		},
	}, nil
}

// close gives back what the installation holds.
func (i *installation) close() error {
	if i.tools == nil {
		return nil
	}
	err := i.tools.Close()
	i.tools = nil
	return err
}

// check reads the whole medium and compares it with its checksums.
func (i *installation) check(ctx context.Context, sink progress.Sink) (err error) {
	data, err := os.ReadFile(filepath.Join(i.medium.Dir, "reprise/SHA256SUMS"))
	if err != nil {
		return err
	}
	sums, err := sha256sums.Parse(data)
	if err != nil {
		return err
	}
	task := sink.Start("check the medium", progress.Bytes, 0)
	result, err := sha256sums.Verify(ctx, os.DirFS(i.medium.Dir), sums, task)
	if err == nil && len(result.Bad) > 0 {
		bad := make([]error, len(result.Bad))
		for n, b := range result.Bad {
			bad[n] = b
		}
		err = fmt.Errorf("%d of its %d files are not what was written: %w", len(result.Bad), result.Files, errors.Join(bad...))
	}
	task.Done(err)
	return err
}

// noPassphrase says what encryption without a person needs.
var noPassphrase = diag.Problem{Field: "passphraseFile", Got: "is not answered, and nobody is there to ask",
	Want: "a file beside the answers with the passphrase as its one line", Do: `write "passphraseFile": "passphrase.txt"`}

// readAnswers parses what was found, and reads the passphrase beside it.
func readAnswers(place *installer.Place) (*answers.File, []byte, error) {
	file, err := answers.Parse(place.Name, place.Data)
	if err != nil || file.Encryption != answers.LUKS2 {
		return file, nil, err
	}
	problem := func(got, want, do string) (*answers.File, []byte, error) {
		return nil, nil, file.At(diag.Problems{{Field: "passphraseFile", Got: got, Want: want, Do: do}})
	}
	want, do := noPassphrase.Want, noPassphrase.Do
	if file.PassphraseFile == "" {
		return problem(noPassphrase.Got, want, do)
	}
	if place.Beside == nil {
		return problem("cannot be beside answers that come from a URL", "answers on a stick", "put both files on one")
	}
	secret, err := place.Beside(file.PassphraseFile)
	if errors.Is(err, fs.ErrNotExist) {
		return problem(fmt.Sprintf("is %q, and there is no such file", file.PassphraseFile), want, do)
	}
	if err != nil {
		return nil, nil, err
	}
	line := strings.TrimRight(string(secret), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n") {
		return problem("is not one line", want, "put the passphrase and nothing else into it")
	}
	return file, []byte(line), nil
}

// mediumOf says where the medium is when nobody was told: where stage 1 mounts
// it, in the initramfs and in a session from the medium alike.
func mediumOf(dir, store string) (stage1.Medium, error) {
	m := stage1.Medium{Dir: dir, Store: store}
	if m.Dir == "" {
		m.Dir = rootmount.Medium
	}
	if m.Store == "" {
		m.Store = filepath.Join(rootmount.Disk, "nix/store")
	}
	if _, err := os.Stat(filepath.Join(m.Dir, "reprise/medium.json")); err != nil {
		return m, &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: m.Dir, Got: "holds no installation medium", Want: "reprise/medium.json in it", Do: "start the machine from a medium, or name its directory with --medium"}}
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return m, err
	}
	m.Device, m.Disk = mountedFrom(string(data), m.Dir)
	return m, nil
}

// mountedFrom finds the device that is mounted at dir and the disk it lies on.
func mountedFrom(mountinfo, dir string) (device, disk string) {
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(rest) < 2 || fields[4] != dir || !strings.HasPrefix(rest[1], "/dev/") {
			continue
		}
		device, disk = rest[1], rest[1]
		if link, err := os.Readlink(filepath.Join("/sys/class/block", filepath.Base(device))); err == nil {
			if parent := filepath.Base(filepath.Dir(link)); slices.Contains(diskNames(), parent) {
				disk = "/dev/" + parent
			}
		}
	}
	return device, disk
}

func diskNames() []string {
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for n, e := range entries {
		names[n] = e.Name()
	}
	return names
}
