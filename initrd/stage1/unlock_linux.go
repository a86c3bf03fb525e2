package stage1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"reprise/initrd/blockdev"
	"reprise/initrd/devmapper"
	"reprise/initrd/kmod"
	"reprise/initrd/luks"
)

// encryption are the modules that an encrypted disk is read with. The first
// must be there; of the ciphers the kernel asks for those that it needs, and
// begins with the fastest that it has by then.
var encryption = []string{"dm_crypt", "crypto-xts", "crypto-aes"}

// container is what blockdev calls an encrypted device.
const container = "crypto_LUKS"

// tries is how many passphrases may be wrong before a person is told more than
// that.
const tries = 3

// contentOf reads what a device holds.
func contentOf(node string) blockdev.Content {
	f, err := os.Open(node)
	if err != nil {
		return blockdev.Content{}
	}
	defer f.Close()
	return blockdev.Probe(f)
}

// opened returns the node with the file system of a root partition: its own, or
// that of the container that it holds.
func (b *boot) opened(d blockdev.Device) (string, error) {
	node := "/dev/" + d.Name
	content := contentOf(node)
	if content.Type != container {
		return node, nil
	}
	name := b.line.luksName(content.UUID)
	mapped := filepath.Join(devmapper.Dir, name)
	if _, err := os.Stat(mapped); err == nil && devmapper.Remove(name) != nil {
		return mapped, nil // an earlier attempt has opened it, and somebody uses it
	}
	for _, module := range encryption {
		err := b.devices.loader.Load(module)
		if errors.Is(err, kmod.ErrUnknown) && module == encryption[0] {
			return "", &Failure{Got: "the disk is encrypted, and this initramfs cannot open it", Want: "the kernel module dm_crypt",
				Seen: []string{node + " is a LUKS container"}, Err: err,
				Do: []string{"build the system with boot.initrd.luks.devices"}}
		}
		if err != nil && !errors.Is(err, kmod.ErrUnknown) {
			b.log.printf(logWarning, "%v", err)
		}
	}
	v, err := b.unlock(d, node)
	if err != nil {
		return "", err
	}
	defer v.Clear()
	c := devmapper.Crypt{
		Name: name, UUID: devmapper.LUKSName(content.UUID, name), Device: node, Offset: v.Offset, Size: v.Size, Cipher: v.Cipher, Key: v.Key,
		FirstIV: v.FirstIV, SectorSize: v.SectorSize, Discards: b.line.Discard, ReadOnly: b.line.ReadOnly,
	}
	if mapped, err = c.Open(); err != nil {
		return "", &Failure{Got: "the encrypted disk cannot be used", Want: "the cipher " + v.Cipher, Err: err,
			Seen: append(b.log.kernelSays("device-mapper"), b.log.kernelSays("crypt")...)}
	}
	return mapped, nil
}

// unlock asks for the passphrase on every console until one opens the device.
func (b *boot) unlock(d blockdev.Device, node string) (*luks.Volume, error) {
	room, _ := freeMemory()
	b.log.printf(logInfo, "stage 1 asks for the passphrase of %s, %d MiB of memory are free", node, room>>20)
	defer quietConsole()()
	// Keyboards, too, and those that are plugged in now.
	defer b.attend()()
	screens := openScreens()
	defer screens.close()
	b.loadKeymap()
	q := screens.quiet()
	defer q.restore()
	what := d.Name
	if d.PartLabel != "" {
		what += ", " + d.PartLabel
	}
	for left := tries; ; {
		passphrase, err := q.ask(fmt.Sprintf("\r\nPassphrase of the disk (%s): ", what), b.line.Patience)
		if err != nil {
			return nil, &Failure{Got: "the disk is encrypted, and nobody has given its passphrase", Err: err, Locked: true,
				Want: "a passphrase, on " + strings.Join(screens.names(), " or ")}
		}
		screens.print("Opening the disk, a moment …\r\n")
		v, err := openVolume(node, passphrase)
		clear(passphrase)
		switch {
		case err == nil:
			b.mark("unlock")
			return v, nil
		case !errors.Is(err, luks.ErrPassphrase):
			return nil, &Failure{Got: "the encrypted disk cannot be opened", Want: "a LUKS2 container on " + node, Err: err, Locked: true}
		}
		if left--; left == 0 {
			return nil, &Failure{Got: "the disk stays locked", Locked: true,
				Want: fmt.Sprintf("its passphrase; %d were wrong", tries),
				Do: []string{"for a shell press a key; exit asks for the passphrase again",
					"look at Caps Lock, and at the keyboard: " + b.keymapText()}}
		}
		tries := "tries"
		if left == 1 {
			tries = "try"
		}
		screens.print(fmt.Sprintf("That is not the passphrase. %d %s left.\r\n", left, tries))
	}
}

// wrongPassphrase is the exit status of the process that opens a container.
const wrongPassphrase = 45

// openVolume opens a container in a process of its own: opening takes much
// memory, and process 1 must not be the one that runs out of it. All that the
// process held is gone when it ends.
func openVolume(node string, passphrase []byte) (*luks.Volume, error) {
	cmd := exec.Command("/proc/self/exe", node)
	cmd.Args[0] = unlockName
	cmd.Env = []string{}
	cmd.Stdin = bytes.NewReader(passphrase)
	var out, said bytes.Buffer
	out.Grow(4096) // so that no copy is left behind
	cmd.Stdout, cmd.Stderr = &out, &said
	defer func() { clear(out.Bytes()[:out.Cap()]) }()
	err := cmd.Run()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == wrongPassphrase {
		return nil, luks.ErrPassphrase
	}
	if err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			err = errors.New(text)
		}
		return nil, err
	}
	v := new(luks.Volume)
	if err := json.Unmarshal(out.Bytes(), v); err != nil {
		return nil, fmt.Errorf("read the key: %w", err)
	}
	return v, nil
}

// unlockMain is that process: passphrase on standard input, volume on standard
// output. It returns its exit status.
func unlockMain(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "reprise: this program is started by stage 1, never by hand")
		return 2
	}
	// The first to go when memory runs out.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	err := unlockVolume(args[0])
	if errors.Is(err, luks.ErrPassphrase) {
		return wrongPassphrase
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func unlockVolume(node string) error {
	passphrase, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	if err != nil {
		return err
	}
	f, err := os.Open(node)
	if err != nil {
		return err
	}
	defer f.Close()
	h, err := luks.Read(f)
	if err != nil {
		return err
	}
	room, err := freeMemory()
	if err != nil {
		return err
	}
	// Memory that is free is there to be used once.
	debug.SetGCPercent(20)
	v, err := h.Unlock(f, passphrase, room)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(v)
}

// spare is what opening a container needs besides the keyslot's own memory.
const spare = 24 << 20 // bytes

// freeMemory is what this process can take, bytes.
func freeMemory() (int64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 50)
			return max(0, n<<10-spare), err
		}
	}
	return 0, errors.New("/proc/meminfo does not say how much memory is free")
}
