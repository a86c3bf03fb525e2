package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"reprise/image/layout"
	"reprise/internal/atomicfile"
	"reprise/internal/diag"
	"reprise/store"
)

// What a store knows of the places that images are built to, by absolute path:
//
//	nix/var/nix/gcroots/<root name>          the system of the image there
//	nix/var/nix/gcroots/<root name>-tools    what the next build of it needs
//	nix/var/reprise/images/<root name>.json  which image was written there
//
// The record is there before the roots, for their name does not tell the place.

// rootName keeps the system of an image from the collector until another image
// is built to the same place.
func rootName(image string) string {
	// The hash tells /a/b.img from /a-b.img; the name is for people.
	sum := sha256.Sum256([]byte(image))
	name := filepath.Base(image)
	return "image-" + hex.EncodeToString(sum[:8]) + "-" + name[:min(100, len(name))]
}

// imageRoots are the names of the roots of an image at a place.
func imageRoots(place string) []string {
	name := rootName(place)
	return []string{name, name + "-tools"}
}

// own makes this the only build that writes image, whatever its store, and
// removes what a build that was killed while it wrote has left: that is large.
func own(image string) (release func(), err error) {
	release, err = atomicfile.Own(image)
	if errors.Is(err, atomicfile.ErrOwned) {
		return nil, &diag.Failure{Code: diag.ExitFailed, Err: diag.Problem{File: image, Got: "is being written by another reprise build",
			Want: "one build at a time for an image", Do: "wait for it, or choose another place with -o"}}
	}
	return release, err
}

// A record remembers the image that was written to one place, so that nothing
// is done when nothing has changed. It is as good as git's index: device,
// inode, size and modification time tell whether anybody wrote to the file
// since.
type record struct {
	Out  string `json:"out"`
	Seed string `json:"seed,omitempty"` // of the image, in hex; "" until one is written
	written
}

// written is what a file that was written looks like.
type written struct {
	Dev     uint64 `json:"dev,omitempty"`
	Ino     uint64 `json:"ino,omitempty"`
	Size    int64  `json:"size,omitempty"`
	MtimeNS int64  `json:"mtimeNs,omitempty"`
}

func look(out string) (written, error) {
	info, err := os.Stat(out)
	if err != nil {
		return written{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	return written{st.Dev, st.Ino, info.Size(), info.ModTime().UnixNano()}, nil
}

func recordFile(s *store.Store, place string) string {
	return filepath.Join(s.StateDir("images"), rootName(place)+".json")
}

func readRecord(s *store.Store, place string) (r record, err error) {
	data, err := os.ReadFile(recordFile(s, place))
	if err != nil {
		return record{}, err
	}
	return r, json.Unmarshal(data, &r)
}

func (r record) write(s *store.Store) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(recordFile(s, r.Out), 0o644, append(data, '\n'))
}

// expect records that an image comes to a place, so that its roots go with it.
func (s *session) expect(place string) error {
	if r, err := readRecord(s.store, place); err == nil && r.Out == place {
		return nil
	}
	if err := os.MkdirAll(s.store.StateDir("images"), 0o755); err != nil {
		return err
	}
	return record{Out: place}.write(s.store)
}

// remember records that the image of a seed was written to a place.
func (s *session) remember(seed layout.Seed, place string) error {
	now, err := look(place)
	if err != nil {
		return err
	}
	return record{place, hex.EncodeToString(seed[:]), now}.write(s.store)
}

// upToDate reports whether what is at a place is the image of a seed, as it was
// written.
func (s *session) upToDate(seed layout.Seed, place string) bool {
	r, err := readRecord(s.store, place)
	if err != nil {
		return false
	}
	now, err := look(place)
	return err == nil && r == record{place, hex.EncodeToString(seed[:]), now}
}

// rememberedImages returns the places of records, and for each the files that
// tell of it: its record, and others that no build reads any more.
func rememberedImages(s *store.Store) (map[string][]string, error) {
	dir := s.StateDir("images")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	images := map[string][]string{}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		if filepath.Ext(file) != ".json" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		var r record
		if json.Unmarshal(data, &r) == nil && filepath.IsAbs(r.Out) {
			images[r.Out] = append(images[r.Out], file)
		}
	}
	return images, nil
}

// forget removes roots and files of the image at a place when it is gone, and
// of one that is there the files that no build reads. size is theirs. An image
// that is being written keeps all.
func forget(s *store.Store, place string, files []string, dryRun bool) (gone bool, size int64, err error) {
	judge := func() (dead []string, gone bool) {
		_, err := os.Stat(place)
		gone = errors.Is(err, fs.ErrNotExist) // who may not look does not know
		for _, file := range files {
			if gone || file != recordFile(s, place) {
				dead = append(dead, file)
			}
		}
		return dead, gone
	}
	dead, gone := judge()
	if len(dead) == 0 {
		return false, 0, nil
	}
	if !dryRun {
		release, err := atomicfile.Own(place)
		switch {
		case err == nil:
			defer release()
			dead, gone = judge()
		case !errors.Is(err, fs.ErrNotExist): // without a directory there is no writer
			return false, 0, nil // next time: when it is written, when there is room for a lock
		}
	}
	for _, file := range dead {
		if info, err := os.Stat(file); err == nil {
			size += info.Size()
		}
	}
	if dryRun {
		return gone, size, nil
	}
	if gone { // roots before the record, which tells of them
		for _, name := range imageRoots(place) {
			if err := s.RemoveRoot(name); err != nil {
				return false, 0, err
			}
		}
	}
	for _, file := range dead {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, 0, err
		}
	}
	return gone, size, nil
}
