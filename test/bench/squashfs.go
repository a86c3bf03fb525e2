package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"reprise/image/squashfs"
	"reprise/store/tree"
)

// A packing is what a child process of the bench is to make, so that its
// memory can be told.
type packing struct {
	Paths      []squashfs.Path
	Cache, Out string
}

// packImage makes the image that the file describes.
func packImage(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var p packing
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	ctx := context.Background()
	image, err := squashfs.Pack(ctx, p.Paths, squashfs.Options{Cache: p.Cache})
	if err != nil {
		return err
	}
	out, err := os.Create(p.Out)
	if err != nil {
		return err
	}
	return errors.Join(image.WriteTo(ctx, out), out.Close())
}

// storeImage measures the store image of an ISO with the systems that are in
// the store: made the first time, made again after one small package changed,
// and made by mksquashfs, which does all of it each time.
func (b *bencher) storeImage(store string, times int) error {
	root, err := b.where("squashfs-tools")
	if err != nil {
		return err
	}
	paths, err := closures(store)
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dir, "store-image")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	changed, err := changeOne(paths, dir)
	if err != nil {
		return err
	}
	out := filepath.Join(dir, "store.squashfs")
	peer := filepath.Join(dir, "peer.squashfs")
	first, again := row{name: "store image, first time"}, row{name: "store image rebuilt after one package"}
	whole := row{name: "mksquashfs, zstd level 9"}
	for n := range times {
		cache := filepath.Join(dir, fmt.Sprintf("cache-%d", n))
		for _, step := range []struct {
			row   *row
			paths []squashfs.Path
		}{{&first, paths}, {&again, changed}} {
			r, err := b.pack(packing{step.paths, cache, out})
			if err != nil {
				return err
			}
			step.row.runs = append(step.row.runs, r)
		}
		r, err := mksquashfs(root, changed, peer)
		if err != nil {
			return err
		}
		whole.runs = append(whole.runs, r)
	}
	size := func(file string) float64 {
		info, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return float64(info.Size()) / (1 << 20)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%d store paths, medians of %d runs\n\twall s\tcpu s\tlargest process MiB\timage MiB\tsize against mksquashfs\tspeed against mksquashfs\n", len(paths), times)
	for _, r := range []row{first, again, whole} {
		mib := size(out)
		if r.name == whole.name {
			mib = size(peer)
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f\t%.1f\t%.3f\t%.1f×\n", r.name, r.median(wall), r.median(func(r run) float64 { return r.cpu.Seconds() }),
			r.median(func(r run) float64 { return float64(r.rss) / (1 << 20) }), mib, mib/size(peer), whole.median(wall)/r.median(wall))
	}
	return w.Flush()
}

// where is the tree of programs of the archive.
func (b *bencher) where(packages string) (string, error) {
	c := exec.Command(b.program, "--store", b.tools, "-q", "tool", "-p", packages, "--where")
	c.Stderr = os.Stderr
	out, err := c.Output()
	return strings.TrimSpace(string(out)), err
}

// closures lists what an ISO would carry of the store: every system and what
// it needs.
func closures(store string) ([]squashfs.Path, error) {
	lists, err := filepath.Glob(filepath.Join(store, "nix/store/*-system-*/closure"))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var paths []squashfs.Path
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			paths = append(paths, squashfs.Path{Name: name, Dir: filepath.Join(store, "nix/store", name)})
		}
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			return nil, err
		}
		add(filepath.Base(filepath.Dir(list)))
		for path := range strings.FieldsSeq(string(text)) {
			add(filepath.Base(path))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no system is in %q", store)
	}
	return paths, nil
}

// changeOne returns the paths with a newer version of a small one, below dir.
func changeOne(paths []squashfs.Path, dir string) ([]squashfs.Path, error) {
	const small = 200 << 10 // bytes, about the median of Debian's packages
	best, distance := 0, int64(1)<<62
	for i, p := range paths {
		if _, err := os.Stat(filepath.Join(p.Dir, "DEBIAN/control")); err != nil {
			continue
		}
		size := tree.Size(p.Dir)
		if d := max(size-small, small-size); d < distance {
			best, distance = i, d
		}
	}
	changed := append([]squashfs.Path(nil), paths...)
	old := paths[best]
	name := "0" + old.Name[1:] + "-changed"
	copied := filepath.Join(dir, name)
	if out, err := exec.Command("cp", "-a", old.Dir, copied).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy %q: %w: %s", old.Dir, err, out)
	}
	if err := os.Chmod(copied, 0o755); err != nil {
		return nil, err
	}
	changed[best] = squashfs.Path{Name: name, Dir: copied}
	return changed, os.WriteFile(filepath.Join(copied, "changed"), []byte("yes\n"), 0o444)
}

func (b *bencher) pack(p packing) (run, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return run{}, err
	}
	file := filepath.Join(b.dir, "packing.json")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return run{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return run{}, err
	}
	return timed(exec.Command(self, "-pack", file))
}

// mksquashfs runs the program of the tree root by the tree's own loader: what
// a sandbox costs is not its fault.
func mksquashfs(root string, paths []squashfs.Path, out string) (run, error) {
	libraries, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	if err != nil {
		return run{}, err
	}
	if err := os.RemoveAll(out); err != nil {
		return run{}, err
	}
	args := []string{"--library-path", strings.Join(libraries, ":"), filepath.Join(root, "usr/bin/mksquashfs")}
	for _, p := range paths {
		args = append(args, p.Dir)
	}
	args = append(args, out, "-comp", "zstd", "-Xcompression-level", "9", "-b", "128K", "-all-root", "-all-time", "1", "-no-xattrs", "-noappend", "-quiet", "-no-progress")
	return timed(exec.Command(filepath.Join(root, "lib64/ld-linux-x86-64.so.2"), args...))
}
