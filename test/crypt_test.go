package test

import (
	"bytes"
	"context"
	"crypto/aes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	diskfs "github.com/diskfs/go-diskfs"
	"golang.org/x/crypto/xts"
	"golang.org/x/sys/unix"

	"reprise/initrd/luks"
	"reprise/internal/growroot"
	"reprise/internal/vm"
)

// encryptedUUID is that of the container which the rig of these tests lies in.
const encryptedUUID = "6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4"

// otherRootRig is the live-rig for a root that a disk image never has: one that
// the installer makes.
const otherRootRig = `(import 'reprise/live-rig.jsonnet') + {
  boot+: { initrd+: {
    luks: { devices: { root: { device: '/dev/disk/by-uuid/` + encryptedUUID + `', allowDiscards: true } } },
  } },
}
`

var theOtherRig = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "other-rig")
	file := filepath.Join(dir, "rig.jsonnet")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	return filepath.Join(dir, "rig.img"), os.WriteFile(file, []byte(otherRootRig), 0o644)
})

// otherRig is an image of otherRootRig, its root still a plain ext4.
func otherRig(t *testing.T) string {
	t.Helper()
	r := liveRig(t)
	image, err := theOtherRig()
	if err != nil {
		t.Fatal(err)
	}
	must(t, buildLimit, "build", filepath.Join(filepath.Dir(image), "rig.jsonnet"), "-q", "--authorize", r.keyFile+".pub", "--lock", r.lock, "-o", image)
	return image
}

// moreRoom is how much larger a disk becomes before it starts, bytes.
const moreRoom = 1 << 30

// otherRootChecks are what the rig promises wherever its root lies.
func otherRootChecks(source string, disk int64) []rigCheck {
	return []rigCheck{
		check("all units are well", "systemctl is-system-running --wait", "running"),
		check("no unit failed", "systemctl --failed --no-legend | wc -l", "0"),
		check("where the root lies", "findmnt -rn -o SOURCE,FSTYPE /.reprise/disk", source),
		// All but boot partitions, the head of a container and the file system's own tables.
		check("it fills the disk", "test $(df -B1 --output=size /var | tail -n 1) -ge "+decimal(disk-400<<20)+" && echo yes", "yes"),
	}
}

// holds runs checks in a machine that has started, and switches it off.
func holds(t *testing.T, m *vm.Machine, checks []rigCheck) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	client, err := m.SSH(ctx, "rig", liveRig(t).key)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	keeps(ctx, t, client, checks)
	if err := m.Shutdown(ctx, 2*time.Minute); err != nil {
		t.Error(err)
	}
}

// rootOf copies the root partition of a disk to a file, holes left out.
func rootOf(t *testing.T, disk string) (file string, start int64) {
	t.Helper()
	start, size := rootPartition(t, disk)
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file = filepath.Join(t.TempDir(), "root")
	copyHoles(t, io.NewSectionReader(f, start, size), file, 0)
	return file, start
}

const passphrase = "grüße aus dem Proberaum"

// luksHead is where cryptsetup lets the data begin.
const luksHead = 16 << 20 // bytes

// encryptDisk copies an image to a disk whose root partition lies in a LUKS2
// container that cryptsetup makes. No kernel of this machine takes part: the
// data is encrypted here, as dm-crypt would.
func encryptDisk(t *testing.T, image, disk string) {
	t.Helper()
	length, _ := sizes(t, image)
	sparseCopy(t, image, disk, length+luksHead)
	start, _ := rootPartition(t, image)
	plain, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := growroot.Table(f, length+luksHead, 512, 3, start)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	head := filepath.Join(dir, "head")
	if err := os.WriteFile(head, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(head, 2*luksHead); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "passphrase"), []byte(passphrase), 0o600); err != nil {
		t.Fatal(err)
	}
	// The least that cryptsetup takes: a guest without acceleration is slow at it.
	if r := judge(t, "cryptsetup-bin", []string{dir + ":/disk:rw"}, "cryptsetup", "luksFormat", "--type", "luks2", "--batch-mode", "--uuid", encryptedUUID,
		"--pbkdf", "argon2id", "--pbkdf-memory", "8192", "--pbkdf-force-iterations", "4", "--sector-size", "4096",
		"--key-file", "/disk/passphrase", "/disk/head"); r.code != 0 {
		t.Fatalf("luksFormat: %+v", r)
	}
	container, err := os.ReadFile(head)
	if err != nil {
		t.Fatal(err)
	}
	h, err := luks.Read(bytes.NewReader(container))
	if err != nil {
		t.Fatal(err)
	}
	v, err := h.Unlock(bytes.NewReader(container), []byte(passphrase), 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	if v.Offset != luksHead || v.Cipher != "aes-xts-plain64" {
		t.Fatalf("the container has %q at %d", v.Cipher, v.Offset)
	}
	if _, err := f.WriteAt(container[:luksHead], start); err != nil {
		t.Fatal(err)
	}
	cipher, err := xts.NewCipher(aes.NewCipher, v.Key)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for at := int64(0); at < size-luksHead; at += int64(len(block)) {
		n, err := plain.ReadAt(block[:min(int64(len(block)), size-luksHead-at)], start+at)
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		for s := 0; s+v.SectorSize <= n; s += v.SectorSize {
			cipher.Encrypt(block[s:s+v.SectorSize], block[s:s+v.SectorSize], uint64(at+int64(s))/512)
		}
		if _, err := f.WriteAt(block[:n], start+luksHead+at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEncrypted starts the live-rig from an encrypted disk in a machine with 512
// MiB of memory: a wrong passphrase is refused, the right one is taken, and the
// root grows to the disk through the encryption.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	image := otherRig(t)
	disk := filepath.Join(t.TempDir(), "disk.img")
	encryptDisk(t, image, disk)
	length, _ := sizes(t, disk)
	if err := os.Truncate(disk, length+moreRoom); err != nil {
		t.Fatal(err)
	}
	m := boot(t, vm.Options{Disks: []vm.Disk{{Path: disk, Keep: true}}, Firmware: vm.BIOS, Accel: vm.TCG, MemoryMiB: 512})
	talk := func(expect, send string) {
		t.Helper()
		if err := m.Expect(expect, bootLimit); err != nil {
			t.Fatal(err)
		}
		if err := m.Send(send); err != nil {
			t.Fatal(err)
		}
	}
	const question = "Passphrase of the disk"
	talk(question, "\r") // no answer, and no try
	talk(question, "Proberaum\r")
	talk("That is not the passphrase. 2 tries left.", "")
	// A slip of the fingers, taken back.
	talk(question, passphrase[:len(passphrase)-1]+"ü\x7fm\r")
	asked := time.Now()
	talk("live-rig login:", "")
	t.Logf("login prompt %s after the passphrase", time.Since(asked).Round(time.Second))
	if strings.Contains(m.Text(), "Proberaum") {
		t.Error("the passphrase was shown")
	}
	holds(t, m, append(otherRootChecks("/dev/mapper/root ext4", length+moreRoom),
		check("it is encrypted", "lsblk -rno TYPE /dev/mapper/root", "crypt"),
		check("what is not in use is told to the disk", "test $(cat /sys/class/block/dm-0/queue/discard_max_bytes) -gt 0 && echo yes", "yes"),
		check("what the installer makes could be opened, too", "test $(sudo -n dmesg | sed -n 's/.*asks for the passphrase of .*, \\([0-9]*\\) MiB of.*/\\1/p') -ge 256 && echo yes", "yes")))
	cleanInside(t, disk)
}

// cleanInside holds that the ext4 in the container was unmounted as it should.
func cleanInside(t *testing.T, disk string) {
	t.Helper()
	root, _ := rootOf(t, disk)
	f, err := os.OpenFile(root, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h, err := luks.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	v, err := h.Unlock(f, []byte(passphrase), 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "root.ext4")
	cipher, err := xts.NewCipher(aes.NewCipher, v.Key)
	if err != nil {
		t.Fatal(err)
	}
	inside := io.NewSectionReader(f, v.Offset, info.Size()-v.Offset)
	copyHoles(t, &decrypted{from: inside, cipher: cipher, sector: make([]byte, v.SectorSize)}, plain, 0)
	if r := judge(t, "e2fsprogs", []string{plain + ":/root.ext4"}, "e2fsck", "-fn", "/root.ext4"); r.code != 0 || strings.Contains(r.stdout, "recovering journal") {
		t.Errorf("e2fsck: %+v", r)
	}
}

// decrypted reads the data of a volume from its first byte on. Sectors of zeros
// were never written, and stay so.
type decrypted struct {
	from   io.Reader
	cipher *xts.Cipher
	sector []byte // a buffer
	at     int64
	left   []byte // of the sector, still to be read
}

func (d *decrypted) Read(p []byte) (int, error) {
	if len(d.left) == 0 {
		if _, err := io.ReadFull(d.from, d.sector); err != nil {
			return 0, io.EOF // what is less than a sector is not used
		}
		if !bytes.Equal(d.sector, make([]byte, len(d.sector))) {
			d.cipher.Decrypt(d.sector, d.sector, uint64(d.at)/512)
		}
		d.at += int64(len(d.sector))
		d.left = d.sector
	}
	n := copy(p, d.left)
	d.left = d.left[n:]
	return n, nil
}

// rootPartition is where the root lies on a disk, bytes.
func rootPartition(t *testing.T, image string) (start, size int64) {
	t.Helper()
	disk, err := diskfs.Open(image, diskfs.WithOpenMode(diskfs.ReadOnly))
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	table, err := disk.GetPartitionTable()
	if err != nil {
		t.Fatal(err)
	}
	root := table.GetPartitions()[2]
	return root.GetStart(), root.GetSize()
}

// copyHoles writes what r has to a file from at on; where it has zeros there
// will be a hole, or zeros.
func copyHoles(t *testing.T, r io.Reader, name string, at int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block, zero := make([]byte, 1<<20), make([]byte, 1<<20)
	end := at
	for {
		n, err := io.ReadFull(r, block)
		if n > 0 {
			if bytes.Equal(block[:n], zero[:n]) {
				if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, end, int64(n)); err != nil {
					t.Fatal(err)
				}
			} else if _, err := f.WriteAt(block[:n], end); err != nil {
				t.Fatal(err)
			}
			end += int64(n)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if info, err := f.Stat(); err != nil || info.Size() < end {
		if err := f.Truncate(end); err != nil {
			t.Fatal(err)
		}
	}
}
