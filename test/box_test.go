package test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"reprise/internal/vm"
)

// installLimit is five times what an installation takes under TCG on a busy
// machine.
const installLimit = 2 * bootLimit

// Serial numbers of the disks in an installation's machine.
const (
	targetSerial  = "TARGET-0001"
	foreignSerial = "FOREIGN-0001"
)

// diskPassphrase opens encrypted disks; answers name a file that holds it.
const diskPassphrase = "Da capo al fine 42"

// targetBytes is the size of a disk to install to; it is sparse.
const targetBytes = 6 << 30

// installPrefix begins the lines of an installation without a person.
const installPrefix = "reprise-install: "

// A box is a machine to install, as files below dir.
type box struct {
	dir      string
	firmware vm.Firmware
	usb      bool   // the medium is a USB stick; else it is in a CD drive
	bus      vm.Bus // of the target
	answered place  // where the answers are
	answers  map[string]any
	memory   int        // MiB; 0 for the default
	args     []string   // further ones of QEMU
	log      string     // of the writes to the target; "" for none
	bad      []int64    // sectors of the target that cannot be written
	unlike   []rigCheck // of the rig, that this machine is not held to

	signer                         ssh.Signer
	medium, target, foreign, stick string // files
	before                         string // SHA-256 of foreign
	line                           string // further words of the kernel line
}

// A place is where a machine finds its answers.
type place int

const (
	onStick    place = iota // labelled REPRISEDATA
	onLater                 // such a stick that is put in behind the first screen
	onMedium                // a partition of the medium's stick
	onServer                // that the kernel line names
	withNobody              // there are none: a person sits there
)

// newBox makes the files of a machine. answers are added to those that every
// installation has; one that is nil is taken away.
func newBox(t *testing.T, m box, answers map[string]any) *box {
	t.Helper()
	m.medium, m.signer = installMedium(t), liveRig(t).key
	m.dir = t.TempDir()
	m.target, m.foreign = filepath.Join(m.dir, "target.img"), filepath.Join(m.dir, "foreign.img")
	sparse(t, m.target, targetBytes)
	foreignDisk(t, m.foreign)
	m.before = sum(t, m.foreign)
	m.answers = map[string]any{
		"version": 1, "profile": "live-rig", "disk": targetSerial, "erase": targetSerial, "host": "installed-rig", "then": "poweroff",
		"user": map[string]any{"name": "rig", "keys": []string{m.key()}},
	}
	for name, value := range answers {
		if m.answers[name] = value; value == nil {
			delete(m.answers, name)
		}
	}
	m.giveAnswers(t, m.text(t))
	return &m
}

// text is the file of answers.
func (m *box) text(t *testing.T) []byte {
	t.Helper()
	data, err := json.MarshalIndent(m.answers, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// key is the line of whom the machine lets in.
func (m *box) key() string { return authorizedKey(m.signer) }

func authorizedKey(key ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
}

// giveAnswers puts the text where the machine finds its answers.
func (m *box) giveAnswers(t *testing.T, text []byte) {
	t.Helper()
	files := map[string][]byte{"reprise.answers.json": text}
	if m.answers["encryption"] == "luks2" {
		files["passphrase.txt"] = []byte(diskPassphrase + "\n")
	}
	switch m.answered {
	case onStick, onLater:
		m.stick = filepath.Join(m.dir, "stick.img")
		sparse(t, m.stick, 16<<20)
		fat(t, m.stick, 0, "REPRISEDATA", files)
	case onMedium:
		m.besideMedium(t, files)
	case onServer:
		m.serve(t, text)
	}
}

// serve answers who asks for the text over http, which the hash on the kernel
// line vouches for.
func (m *box) serve(t *testing.T, text []byte) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+firstMAC+".json" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(text)
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	m.line = fmt.Sprintf("'reprise.answers=http://10.0.2.2:%s/{mac}.json' reprise.answers.sha256=%x", port, sha256.Sum256(text))
}

// firstMAC is the address of QEMU's first network card, as {mac} names it;
// 10.0.2.2 is this machine, seen from there.
const firstMAC = "52-54-00-12-34-56"

// besideMedium makes a stick of the medium with a partition for the files.
func (m *box) besideMedium(t *testing.T, files map[string][]byte) {
	t.Helper()
	// What a person does with the room behind the image on a stick: a third
	// partition.
	stick := filepath.Join(m.dir, "medium.img")
	length, _ := sizes(t, m.medium)
	sparseCopy(t, m.medium, stick, length+64<<20)
	bind := []string{stick + ":/img:rw"}
	tool(t, "gdisk", bind, "sgdisk", "-e", "-n", "3:0:+32M", "-t", "3:0700", "/img")
	info := tool(t, "gdisk", bind, "sgdisk", "-i", "3", "/img")
	_, rest, _ := strings.Cut(info, "First sector: ")
	var first int64
	if _, err := fmt.Sscan(rest, &first); err != nil {
		t.Fatalf("sgdisk -i 3: %q: %v", info, err)
	}
	fat(t, stick, first, "STICK", files)
	m.medium, m.usb = stick, true
}

// tool is judge for a program that has to succeed; it returns standard output.
func tool(t *testing.T, packages string, binds []string, argv ...string) string {
	t.Helper()
	r := judge(t, packages, binds, argv...)
	if r.code != 0 {
		t.Fatalf("%q: exit status %d\n%s%s", argv, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// fat makes a FAT from the sector first of an image to its end, with files.
func fat(t *testing.T, image string, first int64, label string, files map[string][]byte) {
	t.Helper()
	length, _ := sizes(t, image)
	blocks := min((length-first*512)/1024, 32<<10) - 64 // the end may hold a backup GPT
	dir := t.TempDir()
	bind := []string{image + ":/img:rw", dir + ":/files"}
	tool(t, "dosfstools", bind, "mkfs.vfat", "--offset", decimal(first), "-n", label, "/img", decimal(blocks))
	for name, data := range files {
		file := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		at := "/img@@" + decimal(first*512)
		for dir := range strings.SplitSeq(filepath.Dir(name), "/") {
			if dir != "." {
				tool(t, "mtools", bind, "mmd", "-i", at, "::"+name[:strings.Index(name, dir)+len(dir)])
			}
		}
		tool(t, "mtools", bind, "mcopy", "-i", at, "/files/"+filepath.Base(name), "::"+name)
	}
}

func sparse(t *testing.T, file string, size int64) {
	t.Helper()
	f, err := os.Create(file)
	if err == nil {
		err = f.Truncate(size)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// foreignDisk makes a disk that belongs to somebody: Windows' boot loader, and
// an ext4 whose journal was not replayed, so that even a look at it by mounting
// would write; noise everywhere else.
func foreignDisk(t *testing.T, file string) {
	t.Helper()
	const mib, size = 1 << 20, 72 << 20
	noise := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(noise)
	clear(noise[:mib])
	clear(noise[size-mib:])
	if err := os.WriteFile(file, noise, 0o644); err != nil {
		t.Fatal(err)
	}
	bind := []string{file + ":/img:rw"}
	tool(t, "gdisk", bind, "sgdisk", "-n", "1:2048:+34M", "-t", "1:EF00", "-n", "2:40M:+30M", "-t", "2:8300", "/img")
	fat(t, file, 2048, "WINDOWS", map[string][]byte{"EFI/Microsoft/Boot/bootmgfw.efi": noise[2*mib : 3*mib]})
	tool(t, "e2fsprogs", bind, "mke2fs", "-q", "-F", "-t", "ext4", "-L", "songs", "-E", "offset="+decimal(40*mib), "/img", "28M")
	tool(t, "e2fsprogs", bind, "debugfs", "-w", "-R", "feature needs_recovery", "/img?offset="+decimal(40*mib))
}

// install starts the machine from its medium with an installer in it.
func (m *box) install(t *testing.T) *vm.Machine {
	t.Helper()
	o := vm.Options{Firmware: m.firmware, Accel: vm.TCG, MemoryMiB: m.memory, ISOFirst: true, Args: m.args}
	if m.usb {
		o.Disks = append(o.Disks, vm.Disk{Path: m.medium, Bus: vm.USB, Removable: true, Serial: "MEDIUM"})
	} else {
		o.ISO = m.medium
	}
	o.Disks = append(o.Disks, m.disks()...)
	if m.stick != "" {
		o.Disks = append(o.Disks, vm.Disk{Path: m.stick, Bus: vm.USB, Removable: true, Serial: "ANSWERS", Later: m.answered == onLater})
	}
	g := boot(t, o)
	if m.answered == onLater {
		if err := g.Expect("Nothing is written to any disk before you have agreed", bootLimit); err != nil {
			t.Fatal(err)
		}
		pictured(t, g, "Install reprise", "Enter go on")
		if err := g.Plug(t.Context(), len(o.Disks)-1); err != nil {
			t.Fatal(err)
		}
	}
	if m.line != "" {
		editLine(t, g, m.line)
	}
	return g
}

// editLine adds words to the kernel line as the guide says: e edits the entry,
// whose fourth line begins with linux; Ctrl-X starts it. GRUB draws the screen
// anew for every letter, and takes none while it waits for the line.
func editLine(t *testing.T, g *vm.Machine, words string) {
	t.Helper()
	for _, step := range []struct{ expect, send string }{{"Rescue shell", "e"}, {"setparams", strings.Repeat(menuDown, 3) + "\x05 " + words}} {
		if err := g.Expect(step.expect, bootLimit); err != nil {
			t.Fatal(err)
		}
		if err := g.Send(step.send); err != nil {
			t.Fatal(err)
		}
	}
	const again = 10 * time.Second
	for range bootLimit / again {
		if err := g.Expect("Booting a command list", again); err == nil {
			return
		}
		if err := g.Send("\x18"); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("GRUB does not start the entry that was edited")
}

// disks are those of the machine itself.
func (m *box) disks() []vm.Disk {
	other := vm.Virtio
	if m.bus == vm.Virtio {
		other = vm.SATA
	}
	if m.target == "" {
		return nil
	}
	return []vm.Disk{
		{Path: m.target, Bus: m.bus, Serial: targetSerial, Keep: true, Log: m.log, Bad: m.bad},
		{Path: m.foreign, Bus: other, Serial: foreignSerial, Keep: true},
	}
}

// A moment is a line of an installation, and when it came.
type moment struct {
	line  string
	after time.Duration // since the machine was started
	log   int64         // bytes of the log of writes
}

// follow waits for the end of an installation without a person, and returns its
// lines, the last one is how it ended.
func (m *box) follow(t *testing.T, g *vm.Machine) []moment {
	t.Helper()
	begun := time.Now()
	var moments []moment
	for {
		line, err := g.ExpectLine(installPrefix, installLimit)
		if err != nil {
			t.Fatal(err)
		}
		now := moment{line: strings.TrimPrefix(line, installPrefix), after: time.Since(begun)}
		if m.log != "" {
			now.log, _ = sizes(t, m.log)
		}
		moments = append(moments, now)
		if !strings.HasPrefix(now.line, "step=") {
			return moments
		}
	}
}

// installed follows an installation that has to succeed, and to switch off.
func (m *box) installed(t *testing.T, g *vm.Machine) []moment {
	t.Helper()
	moments := m.follow(t, g)
	for _, n := range moments {
		t.Logf("%6.1f s  %s", n.after.Seconds(), n.line)
	}
	if last := moments[len(moments)-1].line; last != "done generation=1" {
		t.Fatalf("the installation ended with %q", last)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := g.Wait(ctx); err != nil {
		t.Fatalf("after the installation: %v", err)
	}
	return moments
}

// sound holds that the disk is whole while nobody uses it: its table, its file
// systems, every path of its store; and that the foreign disk is as it was.
func (m *box) sound(t *testing.T) {
	t.Helper()
	if now := sum(t, m.foreign); now != m.before {
		t.Errorf("the foreign disk had SHA-256 %s before, and has %s now", m.before, now)
	}
	bind := []string{m.target + ":/img"}
	if table := judge(t, "gdisk", bind, "sgdisk", "-v", "/img"); table.code != 0 || !strings.Contains(table.stdout, "No problems found") {
		t.Errorf("sgdisk -v: %+v", table)
	}
	esp, rootOffset := partitions(t, m.target)
	if fat := judge(t, "dosfstools", []string{esp + ":/esp"}, "fsck.fat", "-nv", "/esp"); fat.code != 0 {
		t.Errorf("fsck.fat: %+v", fat)
	}
	if m.answers["fileSystem"] == "btrfs" || m.answers["encryption"] == "luks2" {
		return // insideChecks look at it
	}
	if ext := judge(t, "e2fsprogs", bind, "e2fsck", "-fn", "/img?offset="+rootOffset); ext.code != 0 {
		t.Errorf("e2fsck: %+v", ext)
	}
	root := storeTemp(t)
	tool(t, "e2fsprogs", append(bind, root+":/root:rw"), "debugfs", "-R", "rdump /nix /root", "/img?offset="+rootOffset)
	r := run(t, toolLimit, exec.Command(program, "--store", root, "-q", "store", "verify", "--contents"))
	if r.code != 0 || r.stdout != "" {
		t.Errorf("the store of the disk: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// boots starts the machine without its medium, and holds it to what the rig
// promises.
func (m *box) boots(t *testing.T, more ...rigCheck) {
	t.Helper()
	g := boot(t, vm.Options{Firmware: m.firmware, Accel: vm.TCG, Disks: m.disks(), Args: m.args})
	begun := time.Now()
	if m.answers["encryption"] == "luks2" {
		for _, try := range []string{"wrong", diskPassphrase} {
			if err := g.Expect("Passphrase of the disk", bootLimit); err != nil {
				t.Fatal(err)
			}
			if err := g.Send(try + "\r"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := g.Expect(fmt.Sprint(m.answers["host"])+" login:", bootLimit); err != nil {
		t.Fatal(err)
	}
	t.Logf("login prompt of the installed disk after %s", time.Since(begun).Round(time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	client, err := g.SSH(ctx, "rig", m.signer)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	keeps(ctx, t, client, slices.Concat(without(rigChecks, m.unlike), firmwareChecks[m.firmware], installedChecks, more,
		insideChecks[fmt.Sprint(m.answers["fileSystem"])], insideChecks[fmt.Sprint(m.answers["encryption"])], insideChecks[fmt.Sprint("measure ", m.answers["measure"])],
		[]rigCheck{check("its name", "cat /proc/sys/kernel/hostname", fmt.Sprint(m.answers["host"]))}))
	if err := g.Shutdown(ctx, 2*time.Minute); err != nil {
		t.Error(err)
	}
}

// insideChecks are for disks that cannot be looked at from outside.
var insideChecks = map[string][]rigCheck{
	"btrfs": {
		check("the store verifies", storeVerifies, "0"), has("the disk has a btrfs", "findmnt -n -o FSTYPE /var", "btrfs"),
		check("the btrfs is whole", "log=$(sudo -n dmesg) && printf '%s' \"$log\" | awk 'tolower($0) ~ /btrfs.*error/ {n++} END {print n+0}'", "0"),
	},
	"measure 2": {
		check("what was measured is a comment", "grep -Ec '^// (Latency, measured 20|This is a virtual machine )' /etc/reprise/configuration.jsonnet", "2"),
		has("and a file", "cat /etc/reprise/reprise.measured.json", `"seconds":2,"wanted":2`),
	},
	"luks2": {check("the store verifies", storeVerifies, "0"), has("the root is encrypted", "lsblk -nro TYPE", "crypt")},
}

const storeVerifies = "sudo -n reprise store verify --contents -q; echo $?"

// installedChecks are what an installed rig promises besides.
var installedChecks = []rigCheck{
	check("no disk but its own is mounted", "disk=$(ls -d /dev/disk/by-id/*"+foreignSerial+") && on=$(lsblk -rno MOUNTPOINTS $disk) && printf '%s' \"$on\" | awk '/\\// {n++} END {print n+0}'", "0"),
	check("the other disk is there", "ls -d /dev/disk/by-id/*"+foreignSerial+" | wc -l", "1"),
}
