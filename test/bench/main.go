// Command bench measures reprise beside its peers on this machine, in one run,
// and prints medians and ratios: absolute seconds say little on a shared
// machine, ratios say what a user gains.
//
// The peers are mmdebstrap (a tar of the same packages) and mkosi (a bootable
// disk of the same packages). They come from the archive through
// `reprise tool`, run as root with every id, and use the same mirror.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"reprise/internal/archive"
	"reprise/internal/lock"
)

// A run is one finished command.
type run struct {
	wall, cpu time.Duration
	rss       int64 // bytes of the largest single process
}

// A row is several runs of one thing.
type row struct {
	name string
	runs []run
}

func (r row) median(value func(run) float64) float64 {
	values := make([]float64, len(r.runs))
	for i, one := range r.runs {
		values[i] = value(one)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

func wall(r run) float64 { return r.wall.Seconds() }

func main() {
	times := flag.Int("n", 3, "runs of each command")
	program := flag.String("reprise", "./reprise", "the program")
	peers := flag.Bool("peers", true, "run mmdebstrap and mkosi too; needs root")
	pack := flag.String("pack", "", "make the squashfs image that this file describes, and nothing else")
	flag.Parse()
	if *pack != "" {
		if err := packImage(*pack); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := bench(*program, *times, *peers); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(program string, times int, peers bool) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "reprise-bench-")
	if err != nil {
		return err
	}
	defer func() {
		exec.Command("chmod", "-R", "u+w", dir).Run()
		os.RemoveAll(dir)
	}()
	b := &bencher{program: program, dir: dir, tools: filepath.Join(dir, "tools")}

	// Prepared outside the clock: the lock, so that every run has the same
	// packages, and the peers' own programs.
	base := filepath.Join(dir, "rig.jsonnet")
	changed := filepath.Join(dir, "changed", "rig.jsonnet")
	if err := os.MkdirAll(filepath.Dir(changed), 0o755); err != nil {
		return err
	}
	for file, host := range map[string]string{base: "live-rig", changed: "stage-left"} {
		text := fmt.Sprintf("(import 'reprise/live-rig.jsonnet') { networking+: { hostName: '%s' } }\n", host)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if _, err := b.reprise(b.tools, "lock", base); err != nil {
		return err
	}
	locked, err := os.ReadFile(filepath.Join(dir, "reprise.lock"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "changed", "reprise.lock"), locked, 0o644); err != nil {
		return err
	}
	l, err := lock.Parse("reprise.lock", locked)
	if err != nil {
		return err
	}
	mirror, err := b.mirror()
	if err != nil {
		return err
	}
	var names []string
	for _, p := range l.In("system") {
		// The peers read one suite, which may have another kernel version
		// than the security suite: the meta package brings it.
		if !strings.HasPrefix(p.Name, "linux-image-6") {
			names = append(names, p.Name)
		}
	}

	cold, mmdebstrap, mkosi := row{name: "reprise, cold"}, row{name: "mmdebstrap, tar only"}, row{name: "mkosi, bootable disk"}
	nothing, option := row{name: "reprise, nothing changed"}, row{name: "reprise, host name changed"}
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN4t0F6rJ7BhgZV7cJ1cX9o5m9ZQ4o7Jv3xw9c0b1a2d bench"
	for n := range times {
		store := filepath.Join(dir, fmt.Sprintf("store-%d", n))
		out := filepath.Join(dir, "rig.img")
		for _, step := range []struct {
			row  *row
			file string
		}{{&cold, base}, {&nothing, base}, {&option, changed}} {
			r, err := b.reprise(store, "build", step.file, "--authorize", key, "-o", out)
			if err != nil {
				return err
			}
			step.row.runs = append(step.row.runs, r)
		}
		// The stores are removed at the end: ext4 goes slowly past inodes that
		// were freed in the last minutes, which would burden whoever is next.
		if !peers {
			continue
		}
		r, err := b.mmdebstrap(mirror, names)
		if err != nil {
			return err
		}
		mmdebstrap.runs = append(mmdebstrap.runs, r)
		if r, err = b.mkosi(mirror, names); err != nil {
			return err
		}
		mkosi.runs = append(mkosi.runs, r)
	}

	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d packages, medians of %d runs\n\twall s\tcpu s\tlargest process MiB\tagainst mmdebstrap\tagainst mkosi\n", len(names), times)
	for _, r := range []row{cold, option, nothing, mmdebstrap, mkosi} {
		if len(r.runs) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f", r.name, r.median(wall), r.median(func(r run) float64 { return r.cpu.Seconds() }),
			r.median(func(r run) float64 { return float64(r.rss) / (1 << 20) }))
		for _, peer := range []row{mmdebstrap, mkosi} {
			if len(peer.runs) > 0 {
				fmt.Fprintf(w, "\t%.1f×", peer.median(wall)/r.median(wall))
			}
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return b.storeImage(filepath.Join(dir, "store-0"), times)
}

type bencher struct {
	program, dir, tools string
	peers               int // runs of peers so far
}

// reprise times one run of the program with the given store.
func (b *bencher) reprise(store string, args ...string) (run, error) {
	return timed(exec.Command(b.program, append([]string{"--store", store, "-q"}, args...)...))
}

func timed(c *exec.Cmd) (run, error) {
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	start := time.Now()
	err := c.Run()
	took := time.Since(start)
	if err != nil {
		return run{}, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, &said)
	}
	usage := c.ProcessState.SysUsage().(*syscall.Rusage)
	return run{took, c.ProcessState.UserTime() + c.ProcessState.SystemTime(), usage.Maxrss << 10}, nil
}

// mirror returns the archive that the machine's apt uses.
func (b *bencher) mirror() (string, error) {
	sources, err := archive.MachineSources(os.DirFS("/"), os.Getenv("REPRISE_MIRROR"))
	if err != nil {
		return "", err
	}
	return sources[0].URL, nil
}

// everyday are the programs that package scripts and the peers call.
const everyday = "bash,coreutils,dash,debianutils,diffutils,findutils,grep,gzip,libc-bin,mount,passwd,perl,sed,tar,util-linux,xz-utils"

// peer runs a program of the archive as root with every id, in an empty
// directory of its own, seen as /peer. The tools are in the store before the
// clock starts.
func (b *bencher) peer(packages string, files map[string]string, args ...string) (run, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("peer-%d", b.peers))
	b.peers++
	for _, d := range []string{"src", "cache", "packages", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return run{}, err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "src", name), []byte(text), 0o644); err != nil {
			return run{}, err
		}
	}
	tool := []string{"tool", "-p", packages + "," + everyday}
	if _, err := b.reprise(b.tools, append(slices.Clone(tool), "--where")...); err != nil {
		return run{}, err
	}
	tool = append(tool, "--all-ids", "--nests", "--network", "--bind", dir+":/peer:rw", "--dir", "/peer/src",
		"--env", "TMPDIR=/peer", "--env", "HOME=/peer", "--env", "LC_ALL=C.UTF-8", "--")
	return b.reprise(b.tools, append(tool, args...)...)
}

func (b *bencher) mmdebstrap(mirror string, packages []string) (run, error) {
	return b.peer("mmdebstrap,debian-archive-keyring,ca-certificates", nil,
		"mmdebstrap", "--variant=custom", "--mode=root", "--include="+strings.Join(packages, ","), "trixie", "/peer/rig.tar", "deb "+mirror+" trixie main")
}

func (b *bencher) mkosi(mirror string, packages []string) (run, error) {
	conf := fmt.Sprintf("[Distribution]\nDistribution=debian\nRelease=trixie\nLocalMirror=%s\n[Output]\nFormat=disk\nImageId=rig\n[Content]\nBootable=yes\nBootloader=systemd-boot\nWithRecommends=no\nPackages=%s,systemd-boot\n",
		mirror, strings.Join(packages, ","))
	return b.peer("mkosi,debian-archive-keyring,ca-certificates,apt,bubblewrap,cpio,dosfstools,e2fsprogs,kmod,mtools,systemd,systemd-boot,systemd-boot-efi,systemd-repart,zstd",
		map[string]string{"mkosi.conf": conf},
		"mkosi", "-f", "--package-cache-dir", "/peer/packages", "--cache-dir", "/peer/cache", "--workspace-dir", "/peer/work", "build")
}
