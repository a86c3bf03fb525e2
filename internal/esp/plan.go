package esp

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/dustin/go-humanize"

	"reprise/internal/bootentry"
)

// An Op is what a step of a plan does.
type Op string

const (
	MakeDir Op = "make directory"
	Create  Op = "create"  // a file that no loader reads yet, or one that is passed over until it is whole
	Patch   Op = "patch"   // the front of a file, inside its first sector
	Replace Op = "replace" // a text of another version of this program
	Rename  Op = "rename"
	Remove  Op = "remove"
	Sync    Op = "sync" // all before is on stable storage
)

// A Step is one change of the ESP.
type Step struct {
	Op      Op
	Path    string
	To      string `json:",omitempty"` // of Rename
	Content []byte `json:",omitempty"` // of Create, Patch and Replace
	Image   *Copy  `json:",omitempty"` // of Create, in place of Content
}

// A Copy is a kernel or initrd that the ESP lacks.
type Copy struct {
	SHA256 string // of all of it, 64 hex digits
	Source
}

// A Source is where a kernel or initrd lies on the machine.
type Source struct {
	Path  string
	Bytes int64
}

// A Plan is what to change on an ESP.
type Plan struct {
	Steps []Step
	// Need and Free are bytes, rounded up to clusters: what the plan takes
	// beside all that must stay, and the room for it once what can go first has
	// gone.
	Need, Free int64
	// Dropped are the generations whose entries and kernels go to make room.
	Dropped []int
	// Problems say why the plan cannot be carried out.
	Problems []string
}

// Empty tells whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 && len(p.Problems) == 0 }

// A Request is what an ESP should hold.
type Request struct {
	// Generations with Default, Tries and Done as they are to be; see
	// [State.Carry]. Entries of others are removed.
	Generations []bootentry.Generation
	Options     bootentry.Options
	// Sources of kernels and initrds by their SHA-256. Only those that the ESP
	// lacks are asked for.
	Sources map[string]Source
	Running int // the generation that runs; it is not dropped. 0 for none
}

// reserveClusters stay free: for a directory that grows, for an entry that is
// written anew when its trial ends, and for the menus of one more generation.
const reserveClusters = 16

// Make decides how s becomes what r asks for. When there is not enough room,
// old generations go, the oldest first, and no more of them than it takes.
func Make(s State, r Request) Plan {
	if _, err := bootentry.Files(r.Generations, r.Options); err != nil {
		return Plan{Problems: problemsOf(err)}
	}
	plan := s.plan(r, nil)
	if plan.fits() || len(plan.Problems) > 0 {
		return plan
	}
	var dropped []int
	for _, n := range s.droppable(r) {
		dropped = append(dropped, n)
		if plan = s.plan(r, dropped); plan.fits() {
			break
		}
	}
	if !plan.fits() {
		return Plan{Need: plan.Need, Free: plan.Free, Problems: []string{full(plan, dropped)}}
	}
	// Some that went before the last one may have freed nothing that counts.
	for _, n := range slices.Backward(dropped) {
		fewer := slices.DeleteFunc(slices.Clone(dropped), func(m int) bool { return m == n })
		if p := s.plan(r, fewer); p.fits() {
			plan, dropped = p, fewer
		}
	}
	return plan
}

func (p Plan) fits() bool { return p.Need == 0 || p.Need <= p.Free }

func full(p Plan, dropped []int) string {
	short := p.Need - p.Free
	text := fmt.Sprintf("the EFI system partition is full: %s (%d bytes) more are needed", humanize.IBytes(uint64(short)), short)
	if len(dropped) > 0 {
		return text + fmt.Sprintf(", even without the old generations %s", list(dropped))
	}
	return text + ", and no old generation can go"
}

func problemsOf(err error) []string {
	var problems bootentry.Problems
	if errors.As(err, &problems) {
		return problems
	}
	return []string{err.Error()}
}

// starts are the generations that the loaders would start now, and the
// default: their entries and images stay until what follows them is there.
func (s State) starts() (numbers []int, images []string) {
	for _, f := range []Firmware{UEFI, BIOS} {
		if c, err := Choose(s, f); err == nil {
			numbers = append(numbers, c.Number)
			images = append(images, c.Kernel, c.Initrd)
		}
	}
	if n := s.Default(); n != 0 {
		numbers = append(numbers, n)
	}
	return numbers, images
}

// droppable are the generations of r that may go, oldest first.
func (s State) droppable(r Request) []int {
	stay, _ := s.starts()
	stay = append(stay, r.Running)
	var numbers []int
	for _, g := range bootentry.Order(r.Generations) {
		if !g.Default && !g.OnTrial() && !slices.Contains(stay, g.Number) {
			numbers = append(numbers, g.Number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// planning is the making of one plan.
type planning struct {
	s      State
	r      Request
	want   []bootentry.Generation
	texts  map[string][]byte // wanted, by path
	images map[string]string // wanted, path → SHA-256
	named  map[string]bool   // images that count for whole
	keep   []int             // generations not wanted that stay until the end
	held   map[string]bool   // images that stay until the end
	gone   map[string]bool   // files that earlier steps removed
	Plan
}

// plan is Make without the generations in dropped.
func (s State) plan(r Request, dropped []int) Plan {
	p := planning{s: s, r: r, gone: map[string]bool{}, texts: map[string][]byte{}, images: map[string]string{}, named: map[string]bool{}, held: map[string]bool{}}
	p.want = slices.DeleteFunc(bootentry.Order(r.Generations), func(g bootentry.Generation) bool { return slices.Contains(dropped, g.Number) })
	files, err := bootentry.Files(p.want, r.Options)
	if err != nil {
		return Plan{Problems: problemsOf(err)}
	}
	for _, f := range files {
		p.texts[f.Path] = f.Content
	}
	for _, g := range p.want {
		p.images[bootentry.KernelPath(g.Kernel)] = g.Kernel
		p.images[bootentry.InitrdPath(g.Initrd)] = g.Initrd
	}
	p.Dropped, p.Free = dropped, s.Space.Free
	p.judge()

	for _, dir := range ourDirs {
		if !s.dirs[dir] {
			p.add(Step{Op: MakeDir, Path: dir})
			p.Need += s.Space.Cluster
		}
	}
	p.clear()
	p.copyImages()
	p.addEntries()
	p.setMenu()
	p.demote()
	p.finish()
	if p.Need > 0 {
		p.Need += reserveClusters * s.Space.Cluster
	}
	return p.Plan
}

// judge finds which images count for whole, and what must stay to the end.
func (p *planning) judge() {
	for _, e := range p.s.Entries {
		if e.Problem == "" {
			p.named[e.Text.Kernel], p.named[e.Text.Initrd] = true, true
		}
	}
	if menu, ok := p.s.menuInUse(); ok {
		for _, e := range menu.Entries {
			p.named[e.Kernel], p.named[e.Initrd] = true, true
		}
	}
	numbers, images := p.s.starts()
	p.keep = append(numbers, p.r.Running)
	for _, image := range images {
		p.held[image] = true
	}
	for _, e := range p.s.Entries {
		if e.Problem == "" && slices.Contains(p.keep, e.Number) {
			p.held[e.Text.Kernel], p.held[e.Text.Initrd] = true, true
		}
	}
}

func (p *planning) add(step Step) { p.Steps = append(p.Steps, step) }

// sync is added where something came after the last one.
func (p *planning) sync() {
	if n := len(p.Steps); n > 0 && p.Steps[n-1].Op != Sync {
		p.add(Step{Op: Sync})
	}
}

func (p *planning) clusters(size int64) int64 {
	c := max(p.s.Space.Cluster, 1)
	return (size + c - 1) / c * c
}

func (p *planning) wanted(number int) (bootentry.Generation, bool) {
	for _, g := range p.want {
		if g.Number == number {
			return g, true
		}
	}
	return bootentry.Generation{}, false
}

// clear removes what nothing will name again and what is only half there. It
// makes room for what comes.
func (p *planning) clear() {
	for _, name := range p.s.Unfinished {
		p.remove(name, 0)
	}
	for _, e := range p.s.Entries {
		_, wanted := p.wanted(e.Number)
		if torn := e.Problem != "" && !p.s.has(e.Text.Kernel); torn || !wanted && !slices.Contains(p.keep, e.Number) {
			p.remove(path.Join(bootentry.EntryDir, e.Name), int64(len(e.content)))
		}
	}
	p.sync()
	for _, image := range p.s.Images {
		_, wanted := p.images[image.Path]
		if !p.held[image.Path] && (!wanted || !p.named[image.Path]) {
			p.remove(image.Path, image.Bytes)
		}
	}
	p.sync()
}

func (p *planning) remove(name string, size int64) {
	p.add(Step{Op: Remove, Path: name})
	p.gone[name] = true
	p.Free += p.clusters(size)
}

// copyImages writes the kernels and initrds that are not there.
func (p *planning) copyImages() {
	for _, name := range slices.Sorted(maps.Keys(p.images)) {
		if p.s.has(name) && !p.gone[name] {
			continue
		}
		digest := p.images[name]
		source, ok := p.r.Sources[digest]
		if !ok {
			p.Problems = append(p.Problems, fmt.Sprintf("%q is not there, and nothing says where to copy it from", name))
			continue
		}
		p.Need += p.clusters(source.Bytes)
		p.add(Step{Op: Create, Path: name, Image: &Copy{digest, source}})
	}
	p.sync()
}

// addEntries writes new entries, and gives those that are there the head of
// what comes first. The others keep theirs until grubenv has changed as well.
func (p *planning) addEntries() {
	for _, g := range p.want {
		name := path.Join(bootentry.EntryDir, bootentry.EntryName(g))
		content := p.texts[name]
		switch old, ok := p.entryFile(name); {
		case !ok:
			p.Need += p.clusters(int64(len(content)))
			p.add(Step{Op: Create, Path: name, Content: content})
		case bytes.Equal(old.content, content):
		case old.Text.Head && bytes.Equal(old.content[bootentry.HeadBytes:], content[bootentry.HeadBytes:]):
			if bootentry.RankOf(g) != bootentry.Other {
				p.add(Step{Op: Patch, Path: name, Content: bootentry.Head(bootentry.RankOf(g))})
			}
		default:
			p.Need += p.clusters(int64(len(content)))
			p.add(Step{Op: Replace, Path: name, Content: content})
		}
	}
	p.sync()
}

// entryFile returns the entry with that path, if no step has removed it.
func (p *planning) entryFile(name string) (Entry, bool) {
	for _, e := range p.s.Entries {
		if path.Join(bootentry.EntryDir, e.Name) == name {
			return e, !p.gone[name]
		}
	}
	return Entry{}, false
}

// setMenu changes what GRUB and systemd-boot read once for all generations.
func (p *planning) setMenu() {
	env, err := bootentry.ParseEnv(p.texts[bootentry.GRUBEnv])
	if err != nil {
		p.Problems = append(p.Problems, err.Error()) // a bug of ours
		return
	}
	letter := p.s.menuLetter()
	menu := p.texts[bootentry.MenuPath(letter)] // both are the same
	if !bytes.Equal(p.s.texts[bootentry.MenuPath(letter)], menu) {
		if _, whole := p.s.Menus[letter]; whole { // else GRUB reads the other one
			letter = bootentry.OtherMenu(letter)
		}
		p.text(bootentry.MenuPath(letter), menu)
		p.sync()
	}
	env.Menu = letter
	if p.s.EnvProblem != "" {
		p.replace(bootentry.GRUBEnv, env.Encode())
	} else if env != p.s.Env {
		p.add(Step{Op: Patch, Path: bootentry.GRUBEnv, Content: env.Encode()[:bootentry.EnvSector]})
	}
	p.sync()
	p.text(bootentry.MenuPath(bootentry.OtherMenu(letter)), menu)
	p.replace(bootentry.GRUBConfig, p.texts[bootentry.GRUBConfig])
	conf := p.texts[bootentry.LoaderConf]
	if old := p.s.texts[bootentry.LoaderConf]; len(old) == len(conf) && !bytes.Equal(old, conf) {
		p.add(Step{Op: Patch, Path: bootentry.LoaderConf, Content: conf})
	} else {
		p.replace(bootentry.LoaderConf, conf)
	}
	p.sync()
}

// text writes a file that is not in use.
func (p *planning) text(name string, content []byte) {
	old := p.s.texts[name]
	if bytes.Equal(old, content) {
		return
	}
	p.Need += max(0, p.clusters(int64(len(content)))-p.clusters(int64(len(old))))
	p.add(Step{Op: Create, Path: name, Content: content})
}

// replace puts a text in the place of what is there.
func (p *planning) replace(name string, content []byte) {
	old, there := p.s.texts[name]
	if there && bytes.Equal(old, content) {
		return
	}
	p.Need += p.clusters(int64(len(content)))
	p.add(Step{Op: Replace, Path: name, Content: content})
}

// demote takes their rank from entries that had a better one.
func (p *planning) demote() {
	for _, e := range p.s.Entries {
		name := path.Join(bootentry.EntryDir, e.Name)
		g, wanted := p.wanted(e.Number)
		rank := bootentry.Other
		if wanted && bootentry.EntryName(g) == e.Name {
			if content := p.texts[name]; !e.Text.Head || !bytes.Equal(e.content[bootentry.HeadBytes:], content[bootentry.HeadBytes:]) {
				continue // it was replaced
			}
			rank = bootentry.RankOf(g)
		}
		if e.Text.Head && e.Text.Rank != rank && rank == bootentry.Other && !p.gone[name] {
			p.add(Step{Op: Patch, Path: name, Content: bootentry.Head(rank)})
		}
	}
	p.sync()
}

// finish removes what stayed until now: entries that are not wanted, or not by
// that name, then what only they named.
func (p *planning) finish() {
	for _, e := range p.s.Entries {
		name := path.Join(bootentry.EntryDir, e.Name)
		if _, wanted := p.texts[name]; !wanted && !p.gone[name] {
			p.add(Step{Op: Remove, Path: name})
		}
	}
	p.sync()
	for _, image := range p.s.Images {
		if _, wanted := p.images[image.Path]; !wanted && !p.gone[image.Path] {
			p.add(Step{Op: Remove, Path: image.Path})
		}
	}
	p.sync()
}
