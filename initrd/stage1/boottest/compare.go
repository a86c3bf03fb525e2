package boottest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"

	"reprise/initrd/kmod"
)

// A Comparison has the times from the kernel's start to the system's first
// program, of boots that followed each other in turn.
type Comparison struct {
	Stage1, Minimal []time.Duration
}

// Compare boots the same disk with stage 1 and with the smallest init that
// makes the same mounts (testdata/minimal), each so many times, in turn.
func Compare(t testing.TB, tools Tools, times int) Comparison {
	t.Helper()
	dir := t.TempDir()
	if tools.Binary == "" {
		tools.Binary = goBuild(t, "standin", dir)
	}
	if tools.Activation == nil {
		tools.Activation = []byte(`{"version":1}`)
	}
	disk, _ := makeDisk(t, tools, goBuild(t, "sysinit", dir), dir)
	ours, minimal := filepath.Join(dir, "ours"), filepath.Join(dir, "minimal.img")
	writeInitrd(t, tools, ours, false)
	if err := writeMinimal(tools, goBuild(t, "minimal", dir), minimal); err != nil {
		t.Fatal(err)
	}
	var c Comparison
	for range times {
		for _, run := range []struct {
			initrd string
			into   *[]time.Duration
		}{{minimal, &c.Minimal}, {ours, &c.Stage1}} {
			took, err := reached(t, tools, Options{Kernel: tools.Kernel, Initrd: run.initrd, Disk: disk, Bus: VirtioBlock,
				Append: "console=ttyS0 quiet panic=1 " + rootLine + " " + system + goodSystem})
			if err != nil {
				t.Fatal(err)
			}
			*run.into = append(*run.into, took)
		}
	}
	return c
}

// reached boots once and returns the kernel's time when the system started.
func reached(t testing.TB, tools Tools, o Options) (time.Duration, error) {
	m, err := tools.Start(t.Context(), o)
	if err != nil {
		return 0, err
	}
	defer m.Stop()
	if err := m.Expect("sysinit: done", patience); err != nil {
		return 0, fmt.Errorf("%w\n%s", err, m.Log())
	}
	_, rest, _ := strings.Cut(m.Log(), "sysinit: reached pid 1 at ")
	var seconds float64
	if _, err := fmt.Sscanf(rest, "%f s", &seconds); err != nil {
		return 0, fmt.Errorf("read the time in %.40q: %w", rest, err)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// minimalModules are what the yardstick loads, in this order.
var minimalModules = []string{"crc32c_generic", "libcrc32c", "crc16", "mbcache", "jbd2", "ext4", "erofs", "overlay", "virtio_blk"}

func writeMinimal(tools Tools, program, out string) error {
	init, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	records := []cpio.Record{
		cpio.Directory("dev", 0o755), cpio.CharDev("dev/console", 0o600, 5, 1),
		cpio.StaticFile("init", string(init), 0o755), cpio.Directory("m", 0o755),
	}
	order := ""
	for _, name := range minimalModules {
		data, suffix, err := findModule(tools, name)
		if err != nil {
			return err
		}
		file := "m/" + name + suffix
		order += "/" + file + "\n"
		records = append(records, cpio.StaticFile(file, string(data), 0o644))
	}
	records = append(records, cpio.StaticFile("modules", order, 0o644))
	var archive bytes.Buffer
	w := cpio.Newc.Writer(&archive)
	if err := cpio.WriteRecords(w, records); err != nil {
		return err
	}
	if err := cpio.WriteTrailer(w); err != nil {
		return err
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return err
	}
	return os.WriteFile(out, z.EncodeAll(archive.Bytes(), nil), 0o644)
}

// findModule reads a module's file from the trees.
func findModule(tools Tools, name string) (data []byte, suffix string, err error) {
	dir := path.Join("usr/lib/modules", tools.Version)
	for _, index := range tools.Trees {
		deps, err := index.Open(path.Join(dir, "modules.dep"))
		if err != nil {
			continue
		}
		text, err := io.ReadAll(deps)
		deps.Close()
		if err != nil {
			return nil, "", err
		}
		for line := range strings.Lines(string(text)) {
			file, _, _ := strings.Cut(line, ":")
			if kmod.Name(file) != name {
				continue
			}
			for _, tree := range tools.Trees {
				f, err := tree.Open(path.Join(dir, file))
				if err != nil {
					continue
				}
				defer f.Close()
				data, err := io.ReadAll(f)
				return data, path.Base(file)[strings.Index(path.Base(file), ".ko"):], err
			}
		}
	}
	return nil, "", fmt.Errorf("module %q is not in the trees", name)
}
