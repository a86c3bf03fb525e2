// Command minimal is the yardstick for stage 1: the smallest init that loads a
// fixed list of modules, makes the same mounts and starts the same system. It
// finds the root partition by name and explains nothing when something fails.
// /modules lists the module files in the order in which to load them.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func must(what string, err error) {
	if err != nil {
		fmt.Println("minimal:", what, err)
		time.Sleep(time.Hour)
	}
}

func mount(source, target, kind string, flags uintptr, data string) {
	must("mkdir", os.MkdirAll(target, 0o755))
	must("mount "+target, unix.Mount(source, target, kind, flags, data))
}

func now() float64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return float64(ts.Nano()) / 1e9
}

func main() {
	begun := now()
	mount("devtmpfs", "/dev", "devtmpfs", 0, "")
	mount("proc", "/proc", "proc", 0, "")
	mount("sysfs", "/sys", "sysfs", 0, "")
	mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
	list, err := os.ReadFile("/modules")
	must("modules", err)
	for _, file := range strings.Fields(string(list)) {
		f, err := os.Open(file)
		must(file, err)
		flags := 0
		if strings.HasSuffix(file, ".xz") {
			flags = unix.MODULE_INIT_COMPRESSED_FILE
		}
		must(file, unix.FinitModule(int(f.Fd()), "", flags))
		f.Close()
	}
	loaded := now()
	line, err := os.ReadFile("/proc/cmdline")
	must("cmdline", err)
	var system string
	for _, word := range strings.Fields(string(line)) {
		if v, ok := strings.CutPrefix(word, "reprise.system="); ok {
			system = v
		}
	}
	device := ""
	for device == "" {
		uevents, _ := filepath.Glob("/sys/class/block/*/uevent")
		for _, u := range uevents {
			data, _ := os.ReadFile(u)
			if strings.Contains(string(data), "PARTNAME=root\n") {
				device = "/dev/" + filepath.Base(filepath.Dir(u))
			}
		}
	}
	const disk, meta, root, target = "/.reprise/disk", "/.reprise/meta", "/.reprise/root", "/sysroot"
	mount(device, disk, "ext4", unix.MS_NOATIME, "")
	mount(disk+system+"/root.erofs", meta, "erofs", unix.MS_RDONLY, "")
	mount("overlay", root, "overlay", unix.MS_RDONLY, "lowerdir="+meta+"::"+disk+"/nix/store,metacopy=on,redirect_dir=follow")
	mount("tmpfs", target, "tmpfs", 0, "size=1m,mode=755")
	for _, b := range []string{"usr", "etc"} {
		mount(root+"/"+b, target+"/"+b, "", unix.MS_BIND, "")
	}
	for _, b := range []string{"nix", "var", "home", "root", "srv"} {
		must("mkdir", os.MkdirAll(disk+"/"+b, 0o755))
		mount(disk+"/"+b, target+"/"+b, "", unix.MS_BIND, "")
	}
	must("bind store", unix.Mount(disk+"/nix/store", target+"/nix/store", "", unix.MS_BIND, ""))
	must("read-only store", unix.Mount("", target+"/nix/store", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	for _, l := range []string{"bin", "sbin", "lib", "lib64"} {
		must(l, os.Symlink("usr/"+l, target+"/"+l))
	}
	for _, m := range []string{disk, meta, root, "/dev", "/proc", "/sys", "/run"} {
		must("mkdir", os.MkdirAll(target+m, 0o755))
		must("move "+m, unix.Mount(m, target+m, "", unix.MS_MOVE, ""))
	}
	if kmsg, err := os.OpenFile("/sysroot/dev/kmsg", os.O_WRONLY, 0); err == nil {
		fmt.Fprintf(kmsg, "<6>minimal: begun %.3f, modules %.3f, switch %.3f\n", begun, loaded, now())
		kmsg.Close()
	}
	os.RemoveAll("/init")
	must("chdir", os.Chdir(target))
	must("move", unix.Mount(".", "/", "", unix.MS_MOVE, ""))
	must("chroot", unix.Chroot("."))
	must("exec", unix.Exec("/usr/lib/systemd/systemd", []string{"/sbin/init"}, []string{"HOME=/", "TERM=linux"}))
}
