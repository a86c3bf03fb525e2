package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"reprise/image/squashfs"
	"reprise/internal/toolbox"
	"reprise/store"
	"reprise/store/storepath"
	"reprise/store/tree"
)

// collected is what reprise store gc removed, or would remove.
type collected struct {
	store.Report
	Trees  []toolbox.Dead  // roots of programs
	Images []string        // places of images that are gone, whose roots went
	Failed []string        // names of directories that --keep-failed left
	Media  squashfs.Pruned // what paths are in media, compressed
}

// fields are what --json tells of it.
func (c *collected) fields(dryRun bool) fields {
	paths, trees := []string{}, []string{}
	for _, p := range c.Paths {
		paths = append(paths, p.Base)
	}
	for _, t := range c.Trees {
		trees = append(trees, t.Name)
	}
	return fields{
		"dryRun": dryRun, "bytes": c.Bytes, "paths": paths, "trees": trees,
		"images": append([]string{}, c.Images...), "failed": append([]string{}, c.Failed...),
		"compressed": c.Media.Files,
	}
}

// others names what is no store path: ", 2 tool roots, 1 failed build".
func (c *collected) others() string {
	var text strings.Builder
	for _, what := range []struct {
		n         int
		one, many string
	}{
		{len(c.Trees), "tool root", "tool roots"},
		{len(c.Images), "record of an image that is gone", "records of images that are gone"},
		{len(c.Failed), "failed build", "failed builds"},
		{c.Media.Files, "path compressed for media", "paths compressed for media"},
	} {
		switch {
		case what.n == 1:
			fmt.Fprintf(&text, ", 1 %s", what.one)
		case what.n > 1:
			fmt.Fprintf(&text, ", %d %s", what.n, what.many)
		}
	}
	return text.String()
}

// collect removes what nothing needs from the store and its state.
func (a *app) collect(ctx context.Context, s *store.Store, dryRun bool) (*collected, error) {
	c := &collected{}
	var err error
	if c.Trees, err = toolbox.Collect(ctx, s, dryRun, a.sink); err != nil {
		return nil, err
	}
	var bytes int64
	for _, t := range c.Trees {
		bytes += t.Bytes
	}
	var roots []string
	images, err := rememberedImages(s)
	if err != nil {
		return nil, err
	}
	for _, place := range slices.Sorted(maps.Keys(images)) {
		gone, size, err := forget(s, place, images[place], dryRun)
		if err != nil {
			return nil, err
		}
		bytes += size
		if gone {
			c.Images = append(c.Images, place)
			roots = append(roots, imageRoots(place)...)
		}
	}
	failed, err := os.ReadDir(s.StateDir("failed"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range failed {
		dir := filepath.Join(s.StateDir("failed"), e.Name())
		size := tree.Size(dir)
		if !dryRun {
			if err := store.RemoveAll(dir); err != nil {
				return nil, err
			}
		}
		c.Failed = append(c.Failed, e.Name())
		bytes += size
	}
	if c.Report, err = s.Collect(ctx, store.CollectOptions{DryRun: dryRun, Without: roots, Sink: a.sink}); err != nil {
		return c, err
	}
	c.Media, err = pruneMedia(ctx, s, c.Paths, dryRun)
	c.Bytes += bytes + c.Media.Bytes
	return c, err
}

// pruneMedia removes the compressed blocks of paths that are not in the store,
// or not there once dead has gone.
func pruneMedia(ctx context.Context, s *store.Store, dead []store.Dead, dryRun bool) (squashfs.Pruned, error) {
	gone := make(map[string]bool, len(dead))
	for _, d := range dead {
		gone[d.Base] = true
	}
	var unknown error
	pruned, err := squashfs.Prune(ctx, s.StateDir("squashfs"), dryRun, func(name string) bool {
		p, err := storepath.ParseBase(name)
		if err != nil || dryRun && gone[name] {
			return false
		}
		valid, err := s.Valid(ctx, p)
		if err != nil {
			unknown = err
			return true
		}
		return valid[p]
	})
	return pruned, errors.Join(unknown, err)
}
