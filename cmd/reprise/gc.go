package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"reprise/internal/atomicfile"
	"reprise/internal/toolbox"
	"reprise/store"
	"reprise/store/tree"
)

// collected is what reprise store gc removed, or would remove.
type collected struct {
	store.Report
	Trees  []toolbox.Dead // roots of programs
	Images []string       // places of images that are gone, whose roots went
	Failed []string       // names of directories that --keep-failed left
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
		gone, size, err := images[place].collect(s, place, dryRun)
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
	c.Report, err = s.Collect(ctx, store.CollectOptions{DryRun: dryRun, Without: roots, Sink: a.sink})
	c.Bytes += bytes
	return c, err
}

// imageRoots are the names of the roots of an image at a place.
func imageRoots(place string) []string {
	name := rootName(place)
	return []string{name, name + "-tools"}
}

// placeFile is where the place of an image is kept, for a root's name does not
// tell it.
func placeFile(s *store.Store, place string) string {
	return filepath.Join(s.StateDir("images"), rootName(place)+".place")
}

// remembered is what is kept of an image at a place.
type remembered struct {
	files  []rememberedFile
	newest time.Time // of the records
}

// A rememberedFile is a record, or says where the image is.
type rememberedFile struct {
	path   string
	size   int64
	at     time.Time
	record *record // nil for the place
}

// rememberedImages returns what is kept of images by their places.
func rememberedImages(s *store.Store) (map[string]*remembered, error) {
	dir := s.StateDir("images")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	images := map[string]*remembered{}
	for _, e := range entries {
		f := rememberedFile{path: filepath.Join(dir, e.Name())}
		data, err := os.ReadFile(f.path)
		if err != nil {
			continue // gone meanwhile
		}
		info, err := e.Info()
		if err != nil {
			continue
		}
		f.size, f.at = info.Size(), info.ModTime()
		var place string
		switch filepath.Ext(e.Name()) {
		case ".place":
			place = strings.TrimSuffix(string(data), "\n")
		case ".json":
			f.record = &record{}
			if json.Unmarshal(data, f.record) != nil {
				continue
			}
			place = f.record.Out
		default:
			continue
		}
		if !filepath.IsAbs(place) {
			continue
		}
		image := images[place]
		if image == nil {
			image = &remembered{}
			images[place] = image
		}
		image.files = append(image.files, f)
		if f.record != nil && f.at.After(image.newest) {
			image.newest = f.at
		}
	}
	return images, nil
}

// collect forgets an image that is gone, and of one that is there all records
// but its own and the newest. An image that is being written stays as it is.
func (r *remembered) collect(s *store.Store, place string, dryRun bool) (gone bool, size int64, err error) {
	dead, gone, err := r.dead(place)
	if err != nil || len(dead) == 0 {
		return false, 0, nil // who may not look does not know
	}
	if !dryRun {
		release, err := atomicfile.Own(place)
		switch {
		case err == nil:
			defer release()
			if dead, gone, err = r.dead(place); err != nil {
				return false, 0, nil
			}
		case errors.Is(err, fs.ErrNotExist): // no directory, no writer
		default: // next time: when it is written, when there is room for a lock
			return false, 0, nil
		}
	}
	for _, f := range dead {
		if !dryRun {
			if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return false, 0, err
			}
		}
		size += f.size
	}
	if gone && !dryRun {
		for _, name := range imageRoots(place) {
			if err := s.RemoveRoot(name); err != nil {
				return false, 0, err
			}
		}
	}
	return gone, size, nil
}

// dead returns what need not be kept of the image at place.
func (r *remembered) dead(place string) (files []rememberedFile, gone bool, err error) {
	now, err := look(place)
	if errors.Is(err, fs.ErrNotExist) {
		return r.files, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	for _, f := range r.files {
		if f.record != nil && *f.record != now && !f.at.Equal(r.newest) {
			files = append(files, f)
		}
	}
	return files, false, nil
}
