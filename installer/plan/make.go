package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"reprise/image/layout"
	"reprise/installer/answers"
	"reprise/internal/bootmenu"
	"reprise/internal/diag"
	"reprise/store/storepath"
)

// rootRoom is free on an installed machine at least: for a second generation,
// logs, and the first recording.
const rootRoom = 1 << 30 // bytes

// endBytes of the disk hold the backup GPT: 33 sectors, rounded up.
const endBytes = 1 << 20

// luksBytes is the header of LUKS2 as cryptsetup makes it.
const luksBytes = 16 << 20

// Make decides an installation. When anything stands against it, the error is
// diag.Problems with all of it; their fields are those of the answers, or
// "disk /dev/…", "memory", "medium".
func Make(r Request) (*Plan, error) {
	m := &maker{Request: r}
	m.problems = append(m.problems, answers.Check(r.Answers)...)
	system := m.system()
	m.memory()
	disk := m.disk()
	if disk == nil || system == nil {
		return nil, m.problems.Err()
	}
	p := &Plan{
		Version: Version, System: system.Name, Path: string(system.Path), Answers: r.Answers, Compose: r.Compose,
		Disk: Device{disk.Path, disk.Model, disk.Serial, disk.SizeBytes, disk.SectorBytes},
	}
	host, bad := r.Answers.HostName(answers.Box{MACs: r.Machine.MACs, Serial: r.Machine.Serial, DiskSerial: disk.Serial})
	if bad != nil && !slices.ContainsFunc(m.problems, func(p diag.Problem) bool { return p.Field == "host" || p.Field == "machines" }) {
		m.problems = append(m.problems, *bad)
	}
	p.Host = host
	for _, path := range r.Medium.Needed(system, r.Compose) {
		p.Copy.Paths++
		p.Copy.Bytes += path.Size
	}
	m.lay(p, disk)
	m.date(p)
	if err := m.problems.Err(); err != nil {
		return nil, err
	}
	m.notes(p, disk)
	p.Steps = steps(p)
	p.ID = p.identity()
	return p, nil
}

type maker struct {
	Request
	problems diag.Problems
}

func (m *maker) fail(field, got, want, do string) {
	m.problems = append(m.problems, diag.Problem{Field: field, Got: got, Want: want, Do: do})
}

func (m *maker) system() *System {
	if m.Medium == nil || len(m.Medium.Systems) == 0 {
		m.fail("medium", "carries no system", "at least one", "write the image to the stick again and compare its checksum")
		return nil
	}
	if m.Answers.Profile == "" {
		return nil // answers.Check told
	}
	if s := m.Medium.System(m.Answers.Profile); s != nil {
		return s
	}
	p := UnknownSystem(m.Medium, m.Answers.Profile)
	m.problems = append(m.problems, *p)
	return nil
}

// UnknownSystem says that the medium carries no system of that name; nil when
// it does.
func UnknownSystem(m *Medium, name string) *diag.Problem {
	if m.System(name) != nil {
		return nil
	}
	var names []string
	for _, s := range m.Systems {
		names = append(names, s.Name)
	}
	do := "write one of these, or make a medium that carries it"
	if near := diag.Nearest(name, names); len(near) > 0 {
		do = "write " + near[0]
	}
	return &diag.Problem{Field: "profile", Got: fmt.Sprintf("is %q, which the medium does not carry", name), Want: "one of " + strings.Join(names, ", "), Do: do}
}

func (m *maker) memory() {
	if have := m.Machine.MemoryBytes; have > 0 && have < bootmenu.LeastMemory {
		m.fail("memory", "is "+size(have), "1 GiB at least for the installation", "put more memory in, or write a disk image on another machine: reprise build -o disk.img, reprise flash")
	}
}

// Needed lists what an installation of s copies: the closure of s, and, for a
// machine that composes a system of its own, everything else but what only
// other systems and the tools need. Sorted by path.
func (m *Medium) Needed(s *System, compose bool) []Path {
	in := map[storepath.Path]bool{}
	others := map[storepath.Path]bool{}
	for _, other := range m.Systems {
		for _, p := range other.Closure {
			others[p] = true
		}
		others[other.Path] = true
	}
	for _, p := range m.Tools.Closure {
		others[p] = true
	}
	others[m.Tools.Path] = true
	for _, p := range s.Closure {
		in[p] = true
	}
	in[s.Path] = true
	for _, p := range m.Paths {
		if compose && !others[p.Path] {
			in[p.Path] = true
		}
	}
	// References go along: a path without them cannot be registered.
	var add func(p storepath.Path)
	add = func(p storepath.Path) {
		if known := m.Find(p); known != nil {
			for _, ref := range known.Refs {
				if !in[ref] {
					in[ref] = true
					add(ref)
				}
			}
		}
	}
	for _, p := range m.Paths {
		if in[p.Path] {
			add(p.Path)
		}
	}
	var needed []Path
	for _, p := range m.Paths {
		if in[p.Path] {
			needed = append(needed, p)
		}
	}
	return needed
}

// lay divides the disk up.
func (m *maker) lay(p *Plan, disk *Disk) {
	id := layout.Identify(layout.SeedOf("reprise installation 1", disk.Word(), fmt.Sprint(disk.SizeBytes), p.Path, p.Host))
	esp := []layout.Item{
		{Path: "reprise/kernel", Kind: layout.File, Size: max(m.KernelBytes, 16<<20)},
		{Path: "reprise/initrd", Kind: layout.File, Size: max(m.InitrdBytes, 32<<20)},
		{Path: "EFI/BOOT/loaders", Kind: layout.File, Size: 4 << 20},
	}
	l, err := layout.Disk(layout.Request{Identity: id, ESP: esp})
	if err != nil {
		m.fail("medium", "has boot files that do not fit: "+err.Error(), "a kernel and an initramfs for an EFI system partition", "make the medium anew")
		return
	}
	where := "disk " + disk.Path
	if disk.SectorBytes != layout.Sector {
		return // fit told
	}
	end := (disk.SizeBytes - endBytes) / (1 << 20) * (1 << 20)
	first := l.Root.Offset()
	var least int64 = p.Copy.Bytes + p.Copy.Bytes/8 + rootRoom
	encrypted := m.Answers.Encryption == answers.LUKS2
	if encrypted {
		least += luksBytes
	}
	if end-first < least {
		need := (first+least+(1<<20)-1)/(1<<20)*(1<<20) + endBytes
		m.fail(where, fmt.Sprintf("is too small by %s (%d bytes): it has %s (%d bytes)", size(need-disk.SizeBytes), need-disk.SizeBytes, size(disk.SizeBytes), disk.SizeBytes),
			fmt.Sprintf("%s (%d bytes) at least for %s", size(need), need, p.System), "choose a larger disk, or a smaller profile")
		return
	}
	planned := func(part layout.Partition) Planned {
		return Planned{Node(disk.Path, part.Number), part.Number, part.Type, part.GUID.String(), part.Name, part.FirstLBA, part.LastLBA}
	}
	l.Root.LastLBA = end/layout.Sector - 1
	p.Table = Table{l.DiskGUID.String(), l.FATSerial, planned(l.BIOSBoot), planned(l.ESP), planned(l.Root)}
	p.Root = RootFS{Type: m.Answers.FileSystem, Path: p.Table.Root.Path, Label: l.Ext4.Label, UUID: id.RootFS.String(), Bytes: l.Root.Bytes(),
		HashSeed: id.HashSeed.String(), JournalMiB: journalMiB(l.Root.Bytes())}
	if encrypted {
		// A UUID beside that of the file system inside, and a name that no
		// other disk in the machine has.
		uuid := layout.Identify(layout.SeedOf("reprise encrypted root 1", id.RootFS.String())).Root
		name := "reprise-" + uuid.String()[:8]
		p.LUKS = &LUKS{uuid.String(), name, "/dev/mapper/" + name}
		p.Root.Path = p.LUKS.Path
		p.Root.Bytes -= luksBytes
		p.Params = append(p.Params, "rd.luks.name="+p.LUKS.UUID+"="+p.LUKS.Name)
	}
	if p.Root.Type == answers.Btrfs {
		p.Params = append(p.Params, "rootfstype="+answers.Btrfs)
	}
}

// journalMiB is the size of ext4's journal: what mke2fs gives, at most half of
// a GiB, since a machine that records syncs little and much.
// Source: ext2fs_default_journal_size of e2fsprogs 1.47.
func journalMiB(bytes int64) int64 {
	switch {
	case bytes < 16<<30:
		return 64
	case bytes < 64<<30:
		return 256
	}
	return 512
}

// Node is the node of a partition: the kernel puts a p between a disk's name
// that ends in a digit and the number.
func Node(disk string, number int) string {
	if last := disk[len(disk)-1]; last >= '0' && last <= '9' {
		return fmt.Sprintf("%sp%d", disk, number)
	}
	return fmt.Sprintf("%s%d", disk, number)
}

func (m *maker) date(p *Plan) {
	p.Date = m.Machine.Now.UTC().Truncate(time.Second)
	if m.Machine.Now.Before(m.NotBefore) {
		p.Date, p.Clock = m.NotBefore.UTC(), true
	}
}

func (m *maker) notes(p *Plan, chosen *Disk) {
	note := func(format string, args ...any) { p.Notes = append(p.Notes, fmt.Sprintf(format, args...)) }
	if p.Clock {
		note("The clock shows %s, which is before the packages of this medium were made. It is set to %s; set it right afterwards.",
			m.Machine.Now.UTC().Format(time.DateOnly), p.Date.Format(time.DateOnly))
	}
	for _, d := range m.Disks {
		for _, part := range d.Partitions {
			switch {
			case !part.Windows:
			case d.Path == chosen.Path:
				note("Windows starts from %s: it is on the disk that is erased.", part.Path)
			default:
				note("Windows starts from %s on %s: that disk is not touched. Choose it in the firmware's boot menu.", part.Path, d.Name())
			}
		}
	}
	if chosen.Removable {
		note("%s is removable: pull the right one out afterwards.", chosen.Name())
	}
	if p.LUKS != nil {
		note("The kernel and its initramfs are not encrypted. Without the passphrase the disk cannot be read by anybody, you included.")
	}
}

// Name is what a person calls the disk: "/dev/sda (Samsung SSD 870, S6PTNX0, 466 GiB)".
func (d Disk) Name() string {
	about := []string{}
	for _, s := range []string{d.Model, d.Serial} {
		if s != "" {
			about = append(about, s)
		}
	}
	return d.Path + " (" + strings.Join(append(about, size(d.SizeBytes)), ", ") + ")"
}

// identity hashes what makes an installation this one. The date and the notes
// take no part, nor does the path of a disk that has a serial number, since the
// kernel may find disks in another order: a rerun after a power cut is the same
// installation. Nor do answers that say nothing of this machine: who adds one
// more box to the list does not install the others anew. Nor does the hash of a
// password, which is another one whenever the same password is typed.
func (p *Plan) identity() string {
	same := *p
	same.ID, same.Date, same.Clock, same.Notes, same.Steps = "", time.Time{}, false, nil, nil
	if p.Disk.Serial != "" {
		same.Disk.Path, same.Root.Path = "", ""
		for _, part := range []*Planned{&same.Table.BIOSBoot, &same.Table.ESP, &same.Table.Root} {
			part.Path = ""
		}
		same.Answers.Disk = nil
	}
	a := &same.Answers
	a.Machines, a.Erase, a.EraseMember, a.Again, a.PassphraseFile, a.Then, a.Measure = nil, nil, false, false, "", "", 0
	if u := p.Answers.User; u != nil {
		known := *u
		known.PasswordHash = ""
		a.User = &known
	}
	plain, err := json.Marshal(same)
	if err != nil {
		panic("a plan does not encode: " + err.Error())
	}
	said, err := json.Marshal(same.Answers)
	if err != nil {
		panic("answers do not encode: " + err.Error())
	}
	h := sha256.New()
	h.Write(plain)
	h.Write(said)
	return hex.EncodeToString(h.Sum(nil))[:32]
}

func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }
