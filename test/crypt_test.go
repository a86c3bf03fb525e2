package test

import (
	"bytes"
	"context"
	"crypto/aes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/xts"

	"reprise/initrd/luks"
	"reprise/internal/growroot"
	"reprise/internal/vm"
)

// encryptedUUID is that of the container which the rig of these tests lies in.
const encryptedUUID = "6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4"

// encryptedRig is the live-rig for an encrypted disk, with another keyboard.
const encryptedRig = `(import 'reprise/live-rig.jsonnet') + {
  boot+: { initrd+: { luks: { devices: { root: { device: '/dev/disk/by-uuid/` + encryptedUUID + `', allowDiscards: true } } } } },
}
`

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
	_, offset := partitions(t, image)
	start, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
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
	// Costs as the installer has them, without measuring for seconds.
	if r := judge(t, "cryptsetup-bin", []string{dir + ":/disk:rw"}, "cryptsetup", "luksFormat", "--type", "luks2", "--batch-mode", "--uuid", encryptedUUID,
		"--pbkdf", "argon2id", "--pbkdf-memory", "262144", "--pbkdf-force-iterations", "4", "--sector-size", "4096",
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
	r := liveRig(t)
	dir := t.TempDir()
	file, image, disk := filepath.Join(dir, "rig.jsonnet"), filepath.Join(dir, "rig.img"), filepath.Join(dir, "disk.img")
	if err := os.WriteFile(file, []byte(encryptedRig), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, buildLimit, "build", file, "-q", "--authorize", r.keyFile+".pub", "--lock", r.lock, "-o", image)
	encryptDisk(t, image, disk)
	const more = 1 << 30
	length, _ := sizes(t, disk)
	if err := os.Truncate(disk, length+more); err != nil {
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
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	defer cancel()
	client, err := m.SSH(ctx, "rig", r.key)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, c := range []rigCheck{
		check("all units are well", "systemctl is-system-running --wait", "running"),
		check("no unit failed", "systemctl --failed --no-legend | wc -l", "0"),
		check("the root lies in the container", "findmnt -rn -o SOURCE,FSTYPE /.reprise/disk", "/dev/mapper/root ext4"),
		check("it is encrypted", "lsblk -rno TYPE /dev/mapper/root", "crypt"),
		check("what is not in use is told to the disk", "test $(cat /sys/class/block/dm-0/queue/discard_max_bytes) -gt 0 && echo yes", "yes"),
		check("it fills the disk", "test $(df -B1 --output=size /var | tail -n 1) -ge "+decimal(length-luksHead-600<<20+more)+" && echo yes", "yes"),
		check("nothing of stage 1 runs any more", "pgrep -f reprise-unlock | wc -l", "0"),
	} {
		got, err := vm.Output(ctx, client, c.command)
		if err != nil {
			t.Errorf("%s: %v", c.command, err)
		}
		if got = strings.TrimSpace(got); !c.good(got) {
			t.Errorf("%s\n  %s\n  says %q, want %s", c.what, c.command, got, c.want)
		}
	}
	if err := m.Shutdown(ctx, 2*time.Minute); err != nil {
		t.Error(err)
	}
	cleanInside(t, disk)
}

// cleanInside holds that the ext4 in the container was unmounted as it should.
func cleanInside(t *testing.T, disk string) {
	t.Helper()
	_, offset := partitions(t, disk)
	start, err := strconv.ParseInt(offset, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	container := io.NewSectionReader(f, start, info.Size()-start)
	h, err := luks.Read(container)
	if err != nil {
		t.Fatal(err)
	}
	v, err := h.Unlock(container, []byte(passphrase), 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	cipher, err := xts.NewCipher(aes.NewCipher, v.Key)
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "root.ext4")
	out, err := os.Create(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	block := make([]byte, 1<<20)
	zero := make([]byte, len(block))
	var length int64
	for at := v.Offset; ; at += int64(len(block)) {
		n, err := container.ReadAt(block, at)
		n -= n % v.SectorSize
		for s := 0; s < n; s += v.SectorSize {
			if sector := block[s : s+v.SectorSize]; !bytes.Equal(sector, zero[:v.SectorSize]) { // a hole was never written
				cipher.Decrypt(sector, sector, uint64(at-v.Offset+int64(s))/512)
			}
		}
		if !bytes.Equal(block[:n], zero[:n]) {
			if _, err := out.WriteAt(block[:n], at-v.Offset); err != nil {
				t.Fatal(err)
			}
		}
		length = at - v.Offset + int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Truncate(length); err != nil {
		t.Fatal(err)
	}
	if r := judge(t, "e2fsprogs", []string{plain + ":/root.ext4"}, "e2fsck", "-fn", "/root.ext4"); r.code != 0 || strings.Contains(r.stdout, "recovering journal") {
		t.Errorf("e2fsck: %+v", r)
	}
}
