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
	rss       int64 // bytes of the largest single process, mapped files too
	all       int64 // bytes of all processes at once, see watchMemory
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
		if err := os.WriteFile(file, []byte(configuration(host)), 0o644); err != nil {
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
	sources, err := archive.MachineSources(os.DirFS("/"), os.Getenv("REPRISE_MIRROR"))
	if err != nil {
		return err
	}
	var names []string
	for _, p := range l.In("system") {
		names = append(names, p.Name)
	}

	first, cold, mmdebstrap, mkosi := row{name: "reprise, very first: no lock yet"}, row{name: "reprise, cold"}, row{name: "mmdebstrap, tar only"}, row{name: "mkosi, bootable disk"}
	nothing, option := row{name: "reprise, nothing changed"}, row{name: "reprise, host name changed"}
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN4t0F6rJ7BhgZV7cJ1cX9o5m9ZQ4o7Jv3xw9c0b1a2d bench"
	for n := range times {
		store := filepath.Join(dir, fmt.Sprintf("store-%d", n))
		out := filepath.Join(dir, "rig.img")
		unlocked := filepath.Join(dir, fmt.Sprintf("first-%d", n), "rig.jsonnet")
		if err := os.MkdirAll(filepath.Dir(unlocked), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(unlocked, []byte(configuration("live-rig")), 0o644); err != nil {
			return err
		}
		r, err := b.reprise(store+"-first", "build", unlocked, "--authorize", key, "-o", out)
		if err != nil {
			return err
		}
		first.runs = append(first.runs, r)
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
		if r, err = b.mmdebstrap(sources, names); err != nil {
			return err
		}
		mmdebstrap.runs = append(mmdebstrap.runs, r)
		if r, err = b.mkosi(sources, names); err != nil {
			return err
		}
		mkosi.runs = append(mkosi.runs, r)
	}

	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d packages, medians of %d runs\n\twall s\tcpu s\tlargest process MiB\tall processes MiB\tagainst mmdebstrap\tagainst mkosi\n", len(names), times)
	for _, r := range []row{first, cold, option, nothing, mmdebstrap, mkosi} {
		if len(r.runs) == 0 {
			continue
		}
		mib := func(bytes int64) float64 { return float64(bytes) / (1 << 20) }
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f\t%.0f", r.name, r.median(wall), r.median(func(r run) float64 { return r.cpu.Seconds() }),
			r.median(func(r run) float64 { return mib(r.rss) }), r.median(func(r run) float64 { return mib(r.all) }))
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
	err := c.Start()
	done := make(chan struct{})
	var peak <-chan int64
	if err == nil {
		peak = watchMemory(c.Process.Pid, done)
		err = c.Wait()
	}
	took := time.Since(start)
	close(done)
	if err != nil {
		return run{}, fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, &said)
	}
	usage := c.ProcessState.SysUsage().(*syscall.Rusage)
	return run{took, c.ProcessState.UserTime() + c.ProcessState.SystemTime(), usage.Maxrss << 10, <-peak}, nil
}

// configuration is the live-rig with another host name.
func configuration(host string) string {
	return fmt.Sprintf("(import 'reprise/live-rig.jsonnet') { networking+: { hostName: '%s' } }\n", host)
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
		file := filepath.Join(dir, "src", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return run{}, err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
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

// keyring holds the keys of Debian's archive, in the root of a peer.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

func (b *bencher) mmdebstrap(sources []archive.Source, packages []string) (run, error) {
	args := []string{"mmdebstrap", "--variant=custom", "--mode=root", "--include=" + strings.Join(packages, ","), "trixie", "/peer/rig.tar"}
	for _, s := range sources {
		args = append(args, fmt.Sprintf("deb [signed-by=%s] %s %s %s", keyring, s.URL, s.Suite, strings.Join(s.Components, " ")))
	}
	return b.peer("mmdebstrap,debian-archive-keyring,ca-certificates", nil, args...)
}

func (b *bencher) mkosi(sources []archive.Source, packages []string) (run, error) {
	conf := fmt.Sprintf("[Distribution]\nDistribution=debian\nRelease=trixie\n[Output]\nFormat=disk\nImageId=rig\n[Content]\nBootable=yes\nBootloader=systemd-boot\nWithRecommends=no\nPackages=%s,systemd-boot\n",
		strings.Join(packages, ","))
	var list strings.Builder
	for _, s := range sources {
		fmt.Fprintf(&list, "Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n\n", s.URL, s.Suite, strings.Join(s.Components, " "), keyring)
	}
	return b.peer("mkosi,debian-archive-keyring,ca-certificates,apt,bubblewrap,cpio,dosfstools,e2fsprogs,kmod,mtools,systemd,systemd-boot,systemd-boot-efi,systemd-repart,zstd",
		// mkosi makes a list of its own only where there is none of this name.
		map[string]string{"mkosi.conf": conf, "mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources": list.String()},
		"mkosi", "-f", "--package-cache-dir", "/peer/packages", "--cache-dir", "/peer/cache", "--workspace-dir", "/peer/work", "build")
}
