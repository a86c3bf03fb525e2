package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"reprise/internal/bootentry"
	"reprise/internal/builder"
	"reprise/internal/diag"
	"reprise/internal/esp"
	"reprise/internal/progress"
	"reprise/internal/rootmount"
	"reprise/store/generation"
	"reprise/store/storepath"
)

// espDir is where a machine has its EFI system partition.
const espDir = "/efi"

// A bootMenu is what the boot loaders of this machine start.
type bootMenu struct {
	dir   *esp.Dir
	state esp.State
}

func openBootMenu() (*bootMenu, error) {
	dir, err := esp.Open(espDir)
	if err != nil {
		return nil, err
	}
	m := &bootMenu{dir: dir}
	if err = dir.Mounted(); err == nil {
		m.state, err = esp.Read(dir)
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return m, nil
}

func (m *bootMenu) close() { m.dir.Close() }

// carryOut does what was planned, or says why it cannot be done.
func (m *bootMenu) carryOut(ctx context.Context, sink progress.Sink, p esp.Plan) error {
	if len(p.Problems) > 0 {
		return &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: espDir, Got: strings.Join(p.Problems, "; "), Do: "reprise generations shows what is there; reprise gc removes old ones"}}
	}
	for _, n := range p.Dropped {
		sink.Note("the EFI system partition is full: the boot entry of generation %d goes", n)
	}
	if err := esp.Apply(ctx, m.dir, p, sink); err != nil {
		return err
	}
	var err error
	m.state, err = esp.Read(m.dir)
	return err
}

func (m *bootMenu) setDefault(ctx context.Context, sink progress.Sink, n int) error {
	return m.carryOut(ctx, sink, esp.SetDefault(m.state, n))
}

// before is the newest generation that is older than the default one.
func (m *bootMenu) before(p *generation.Profile) (int, error) {
	gens, err := p.List()
	if err != nil {
		return 0, err
	}
	now := m.state.Default()
	best := 0
	for _, g := range gens {
		if g.Number < now {
			best = g.Number
		}
	}
	if best == 0 {
		return 0, &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{Field: fmt.Sprintf("generation %d", now), Got: "is the default, and there is none before it", Do: "see reprise generations"}}
	}
	return best, nil
}

// offer writes the entries of all generations of p, with generation n as the
// default.
func (m *bootMenu) offer(ctx context.Context, sink progress.Sink, p *generation.Profile, n, timeout int) error {
	if m.state.Default() == n {
		return nil
	}
	gens, err := p.List()
	if err != nil {
		return err
	}
	r := esp.Request{Sources: map[string]esp.Source{}, Options: bootentry.Options{Timeout: timeout}}
	if r.Options.RootPARTUUID, err = rootPARTUUID("/proc/cmdline"); err != nil {
		return err
	}
	running := runningSystem(os.DirFS("/"))
	for _, g := range gens {
		b, err := m.entryOf(g, r.Sources)
		if err != nil {
			return fmt.Errorf("generation %d: %w", g.Number, err)
		}
		r.Generations = append(r.Generations, b)
		if g.Path == running {
			r.Running = g.Number
		}
	}
	r.Generations = m.state.Carry(r.Generations)
	for i := range r.Generations {
		g := &r.Generations[i]
		if g.Default = g.Number == n; g.Default {
			g.Tries, g.Done = 0, 0
		}
	}
	return m.carryOut(ctx, sink, esp.Make(m.state, r))
}

// entryOf is the boot entry of a generation. What an entry that is there says
// besides its system stays.
func (m *bootMenu) entryOf(g generation.Generation, sources map[string]esp.Source) (bootentry.Generation, error) {
	dir := filepath.Join(rootmount.Disk, string(g.Path))
	text, err := os.ReadFile(filepath.Join(dir, "boot.json"))
	if err != nil {
		return bootentry.Generation{}, err
	}
	var boot builder.Boot
	if err := json.Unmarshal(text, &boot); err != nil {
		return bootentry.Generation{}, fmt.Errorf("boot.json: %w", err)
	}
	b := bootentry.Generation{Number: g.Number, System: string(g.Path), Host: boot.Host, Params: boot.Params, Date: g.Created.Format(time.DateOnly)}
	for _, e := range m.state.Entries {
		if e.Number == g.Number && e.Problem == "" && e.Text.System == string(g.Path) {
			for word := range strings.FieldsSeq(e.Text.Options) {
				key, _, _ := strings.Cut(word, "=")
				if !slices.Contains(b.Params, word) && key != "root" && !strings.HasPrefix(key, "reprise.") && !strings.ContainsAny(word, `"`) {
					b.Params = append(b.Params, word)
				}
			}
		}
	}
	for name, digest := range map[string]*string{"kernel": &b.Kernel, "initrd": &b.Initrd} {
		target, err := os.Readlink(filepath.Join(dir, name))
		if err != nil {
			return b, err
		}
		owner, rest, ok := storepath.In(target)
		if !ok {
			return b, fmt.Errorf("its %s is %q, want a place in the store", name, target)
		}
		source := esp.Source{Path: filepath.Join(rootmount.Disk, string(owner), rest)}
		if *digest, source.Bytes, err = digestOf(source.Path); err != nil {
			return b, err
		}
		sources[*digest] = source
	}
	return b, nil
}

// rootPARTUUID is the partition that the machine was started from, as the
// kernel line names it.
func rootPARTUUID(cmdline string) (string, error) {
	line, err := os.ReadFile(cmdline)
	if err != nil {
		return "", err
	}
	for word := range strings.FieldsSeq(string(line)) {
		if id, ok := strings.CutPrefix(word, "root=PARTUUID="); ok {
			return id, nil
		}
	}
	return "", errors.New("the kernel line names no root=PARTUUID=…, so no boot entry can")
}
