package vmtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cavaliergopher/cpio"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// Initramfs packs this binary, which must be static, as /init, and the modules
// that it loads, named below moduleDir without ".ko.xz".
func Initramfs(tb testing.TB, moduleDir string, modules []string) []byte {
	tb.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		tb.Fatal(err)
	}
	w := cpio.NewWriter(z)
	add := func(name, source string, mode cpio.FileMode) {
		content, err := os.ReadFile(source)
		if err != nil {
			tb.Fatal(err)
		}
		if err := w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | mode, Size: int64(len(content))}); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			tb.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	add("init", self, 0o755)
	for _, name := range modules {
		add(filepath.Base(name), filepath.Join(moduleDir, name+".ko.xz"), 0o644)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// InGuest tells whether this process is the /init of a machine.
func InGuest() bool { return os.Getpid() == 1 && os.Getenv("HOME") == "/" }

// Begin prepares a guest: /dev, /proc and /sys are mounted, standard output is
// the serial line.
func Begin() {
	for name, kind := range map[string]string{"/dev": "devtmpfs", "/proc": "proc", "/sys": "sysfs"} {
		os.Mkdir(name, 0o755)
		Must("mount "+name, unix.Mount(kind, name, kind, 0, ""))
	}
	console, err := os.OpenFile("/dev/ttyS0", os.O_RDWR, 0)
	Must("open the serial line", err)
	os.Stdout = console
}

// Must ends the machine when a guest meets an error.
func Must(what string, err error) {
	if err != nil {
		fmt.Printf("guest: %s: %v\n", what, err)
		unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
}

// Load loads modules that Initramfs packed, in their order.
func Load(modules []string) {
	for _, name := range modules {
		f, err := os.Open("/" + filepath.Base(name))
		Must("open "+name, err)
		const compressed = 4 // MODULE_INIT_COMPRESSED_FILE
		Must("load "+name, unix.FinitModule(int(f.Fd()), "", compressed))
		f.Close()
	}
}

// Await waits a moment for a device that the kernel still looks for.
func Await(device string) {
	for range 100 {
		if _, err := os.Stat(device); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}
