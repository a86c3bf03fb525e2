package activation

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"reprise/internal/layer"
)

// Options are what Apply takes from its surroundings.
type Options struct {
	// Random makes machine ids and host keys; nil is crypto/rand's.
	Random io.Reader
	// Chown gives a name (a symlink itself, never what it points at) its
	// owner; nil is (*os.Root).Lchown. A test that is not root passes its own.
	Chown func(root *os.Root, name string, uid, gid int) error
}

// Run applies the bytes of an activation.json to the disk that is mounted at
// dir. Only what a machine cannot start without is an error; the rest goes to
// warn.
func Run(dir string, data []byte, warn func(error)) error {
	d, err := Parse(data)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("apply activation: %w", err)
	}
	defer root.Close()
	if err := Apply(root, d, Options{}); err != nil {
		warn(err)
	}
	// Without shadow nobody can log in, keys included.
	if _, err := root.Stat(Shadow); err != nil {
		return fmt.Errorf("apply activation: %w", err)
	}
	return nil
}

// Apply makes the disk at root hold the state that d declares. The error joins
// all that went wrong; the rest is done none the less.
func Apply(root *os.Root, d *Data, opt Options) error {
	if err := d.check(); err != nil {
		return fmt.Errorf("apply activation: %w", err)
	}
	if opt.Random == nil {
		opt.Random = rand.Reader
	}
	if opt.Chown == nil {
		opt.Chown = (*os.Root).Lchown
	}
	a := &applier{root: root, opt: opt}
	var errs []error
	note := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("apply activation: %s: %w", what, err))
		}
	}
	for _, it := range d.State {
		note(fmt.Sprintf("state %q", it.Path), a.item(it))
	}
	note("shadow", a.shadow(d))
	note("gshadow", a.gshadow(d))
	for _, u := range d.Users {
		if u.HomeMode != 0 {
			note(fmt.Sprintf("home of %q", u.Name), a.home(d.Skel, u))
		}
	}
	return errors.Join(errs...)
}

type applier struct {
	root *os.Root
	opt  Options
}

func (a *applier) item(it Item) error {
	switch it.Kind {
	case Dir:
		return a.dir(it.Path, it.Mode, it.UID, it.GID)
	case Link:
		_, err := a.root.Lstat(it.Path)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return a.publish(it.Path, func(temp string) error { return a.root.Symlink(it.Target, temp) })
	case File:
		_, err := a.root.Stat(it.Path)
		if errors.Is(err, fs.ErrNotExist) {
			return a.write(it.Path, []byte(it.Content), it.Mode, it.UID, it.GID)
		}
		if err != nil {
			return err
		}
		return a.settle(it.Path, it.Mode, it.UID, it.GID)
	case ID:
		return a.machineID(it)
	case SSHKey:
		return a.hostKey(it)
	}
	return fmt.Errorf("unknown kind %q", it.Kind)
}

// dir makes a directory when it is absent, and puts mode and owner of one that
// is there right. It appears with both, because nobody comes back to a parent
// that no item lists. A symlink to a directory within the disk is somebody's
// choice and stays.
func (a *applier) dir(name string, mode, uid, gid uint32) error {
	info, err := a.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return a.publish(name, func(temp string) error {
			if err := a.root.Mkdir(temp, 0o700); err != nil {
				return err
			}
			return a.settle(temp, mode, uid, gid)
		})
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("want a directory, found %s", info.Mode().Type())
	}
	return a.settle(name, mode, uid, gid)
}

// settle gives an existing name its owner and mode, in this order: chown(2)
// clears setuid and setgid.
func (a *applier) settle(name string, mode, uid, gid uint32) error {
	info, err := a.root.Lstat(name)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil
	}
	if gotUID, gotGID, ok := owner(info); !ok || gotUID != uid || gotGID != gid {
		if err := a.opt.Chown(a.root, name, int(uid), int(gid)); err != nil {
			return err
		}
	} else if info.Mode()&modeBits == layer.FileMode(mode) {
		return nil
	}
	return a.root.Chmod(name, layer.FileMode(mode))
}

const modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// write makes name hold data, whole or not at all.
func (a *applier) write(name string, data []byte, mode, uid, gid uint32) error {
	return a.publish(name, func(temp string) error { return a.fill(temp, bytes.NewReader(data), mode, uid, gid) })
}

// fill writes one new file, synced, with owner and mode.
func (a *applier) fill(name string, r io.Reader, mode, uid, gid uint32) error {
	f, err := a.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = a.settle(name, mode, uid, gid)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// tempPrefix starts the names of unfinished work. A name is fixed by its
// target, so that the next Apply finds and removes what a power cut left.
const tempPrefix = ".reprise-tmp-"

// publish lets fill make a temporary name beside name and renames it.
func (a *applier) publish(name string, fill func(temp string) error) error {
	parent := path.Dir(name)
	if _, err := a.root.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		if err := a.dir(parent, 0o755, 0, 0); err != nil {
			return err
		}
	}
	temp := path.Join(parent, tempPrefix+path.Base(name))
	if err := a.root.RemoveAll(temp); err != nil {
		return err
	}
	if err := fill(temp); err != nil {
		return errors.Join(err, a.root.RemoveAll(temp))
	}
	if err := a.root.Rename(temp, name); err != nil {
		return errors.Join(err, a.root.RemoveAll(temp))
	}
	return a.syncDir(parent)
}

func (a *applier) syncDir(name string) error {
	f, err := a.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// read returns a file's bytes, nil when it is absent. State files are small;
// a larger one is damage.
func (a *applier) read(name string) ([]byte, error) {
	f, err := a.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil && len(data) > maxState {
		err = fmt.Errorf("%q is larger than %d bytes", name, maxState)
	}
	return data, err
}

const maxState = 16 << 20 // bytes: 100,000 lines of shadow

// machineID makes an id where there is none. An id that cannot be one is
// replaced: systemd would refuse it and run with a new one every boot.
func (a *applier) machineID(it Item) error {
	data, err := a.read(it.Path)
	if err != nil {
		return err
	}
	id := strings.TrimSuffix(string(data), "\n")
	if raw, err := hex.DecodeString(id); err == nil && len(raw) == 16 && id == strings.ToLower(id) {
		return a.settle(it.Path, it.Mode, it.UID, it.GID)
	}
	var raw [16]byte
	if _, err := io.ReadFull(a.opt.Random, raw[:]); err != nil {
		return err
	}
	// A version 4 UUID, as machine-id(5) asks for.
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	return a.write(it.Path, []byte(hex.EncodeToString(raw[:])+"\n"), it.Mode, it.UID, it.GID)
}

// home makes a home directory from the skeleton. It appears whole; one that
// is there already is its owner's.
func (a *applier) home(skel []Item, u User) error {
	name := strings.TrimPrefix(u.Home, "/")
	if _, err := a.root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.publish(name, func(temp string) error {
		if err := a.root.Mkdir(temp, 0o700); err != nil {
			return err
		}
		if err := a.skeleton(temp, skel, u); err != nil {
			return err
		}
		if err := a.settle(temp, u.HomeMode, u.UID, u.GID); err != nil {
			return err
		}
		return a.syncDir(temp)
	})
}

func (a *applier) skeleton(dst string, skel []Item, u User) error {
	for _, it := range skel {
		to := path.Join(dst, it.Path)
		var err error
		switch it.Kind {
		case Dir:
			if err = a.root.Mkdir(to, 0o700); err == nil {
				err = a.settle(to, it.Mode, u.UID, u.GID)
			}
		case File:
			err = a.fill(to, strings.NewReader(it.Content), it.Mode, u.UID, u.GID)
		case Link:
			if err = a.root.Symlink(it.Target, to); err == nil {
				err = a.opt.Chown(a.root, to, int(u.UID), int(u.GID))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
