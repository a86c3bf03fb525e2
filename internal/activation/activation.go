// Package activation brings the state that a system keeps on its disk to what
// the system declares: the activation.json of a system path is a Data, and
// stage 1 applies it to the mounted disk before it starts the system.
//
// Words: the disk is the directory that holds nix, var, home and root (see
// docs/architecture.md, "At run time"); the state directory is StateDir on it, and /etc
// of every system holds symlinks into it.
//
// Invariants:
//   - Data holds no secret and no password hash; what Apply makes is locked.
//   - Apply is idempotent and may be cut at any instant: each file appears
//     whole or not at all, and the next Apply finishes what is missing.
//   - What people changed since stays: passwords, host keys, the machine id,
//     home directories. Nothing is ever removed; a shadow line whose user is
//     no longer declared moves to ShadowAside and returns with the user.
//   - Apply does all that it can and then returns every error joined: a
//     machine with one odd directory still boots.
package activation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Version of the activation.json that this package writes and reads. A system
// path holds both the file and the initrd that reads it, so there is one.
const Version = 1

// Places on the disk, relative to its root.
const (
	StateDir    = "var/lib/reprise/state"
	Shadow      = StateDir + "/shadow"
	GShadow     = StateDir + "/gshadow"
	ShadowAside = StateDir + "/shadow.removed" // lines of users no longer declared
	MachineID   = StateDir + "/machine-id"
	HostKey     = StateDir + "/ssh/ssh_host_ed25519_key"
	// Configuration is where /etc/reprise leads: the configuration that the
	// machine was made from, what that imports, and its lock.
	Configuration = StateDir + "/etc/reprise"
	Connections   = StateDir + "/NetworkManager/system-connections" // and their secrets
)

// Kind says what an Item is.
type Kind string

const (
	Dir    Kind = "dir"     // mode and owner are put right on every Apply
	File   Kind = "file"    // Content when absent; later only mode and owner
	Link   Kind = "link"    // made when nothing is there
	ID     Kind = "id"      // a machine-id(5) file: 32 hex digits, made when absent or empty
	SSHKey Kind = "ssh-key" // an ed25519 host key in OpenSSH form and its .pub, made when absent or damaged
)

// Data is activation.json.
type Data struct {
	Version     int     `json:"version"`
	HostName    string  `json:"hostName"`
	ShadowGroup uint32  `json:"shadowGroup"` // gid that may read shadow and gshadow: 42 in Debian
	Users       []User  `json:"users"`       // every line of /etc/passwd, sorted by name
	Groups      []Group `json:"groups"`      // every line of /etc/group, sorted by name
	State       []Item  `json:"state"`       // parents before children
	// Skel is what a new home directory begins with: paths relative to it,
	// owners left out, parents before children.
	Skel []Item `json:"skel,omitempty"`
}

// A User is one line of /etc/passwd and what Apply makes for it.
type User struct {
	Name string `json:"name"`
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
	Home string `json:"home"` // absolute; made from the skeleton when HomeMode is not zero
	// HomeMode is the mode of a new home directory, 0700 say; 0 makes none.
	HomeMode uint32 `json:"homeMode,omitempty"`
	Shell    string `json:"shell"`
}

// A Group is one line of /etc/group.
type Group struct {
	Name    string   `json:"name"`
	GID     uint32   `json:"gid"`
	Members []string `json:"members,omitempty"`
}

// An Item is a file or directory that has to be on the disk.
type Item struct {
	Path    string `json:"path"` // relative to the disk, clean: "var/lib/reprise/state"
	Kind    Kind   `json:"kind"`
	Mode    uint32 `json:"mode,omitempty"` // decimal in JSON; 07777 at most; of no meaning for a link
	UID     uint32 `json:"uid,omitempty"`
	GID     uint32 `json:"gid,omitempty"`
	Target  string `json:"target,omitempty"`  // of a link
	Content string `json:"content,omitempty"` // of a new file
}

// Encode returns activation.json: the same bytes for the same data.
func (d *Data) Encode() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode activation: %w", err)
	}
	return append(b, '\n'), nil
}

// Parse reads activation.json. It refuses unknown fields, another version and
// anything that Apply could not do inside the disk.
func Parse(b []byte) (*Data, error) {
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	d := new(Data)
	if err := decoder.Decode(d); err != nil {
		return nil, fmt.Errorf("parse activation: %w", err)
	}
	if decoder.More() {
		return nil, fmt.Errorf("parse activation: text after the value")
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("parse activation: %w", err)
	}
	return d, nil
}

// name is what passwd(5) can hold without harm. Upper case is for Debian's own
// accounts, such as Debian-exim.
var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)

// ValidName reports whether s may be a user or group name.
func ValidName(s string) bool { return name.MatchString(s) }

func (d *Data) check() error {
	if d.Version != Version {
		return fmt.Errorf("activation version is %d, want %d", d.Version, Version)
	}
	last := ""
	for _, u := range d.Users {
		if !ValidName(u.Name) || u.Name <= last {
			return fmt.Errorf("user %q after %q: want valid names in order", u.Name, last)
		}
		last = u.Name
		if u.HomeMode > 0o7777 {
			return fmt.Errorf("user %q: home mode %o is out of range", u.Name, u.HomeMode)
		}
		if u.HomeMode != 0 && (!path.IsAbs(u.Home) || !validPath(strings.TrimPrefix(u.Home, "/"))) {
			return fmt.Errorf("user %q: home %q is not an absolute clean path", u.Name, u.Home)
		}
	}
	last = ""
	for _, g := range d.Groups {
		if !ValidName(g.Name) || g.Name <= last {
			return fmt.Errorf("group %q after %q: want valid names in order", g.Name, last)
		}
		last = g.Name
		for _, m := range g.Members {
			if !ValidName(m) {
				return fmt.Errorf("group %q: member %q is not a user name", g.Name, m)
			}
		}
	}
	for _, it := range d.Skel {
		if it.Kind != Dir && it.Kind != File && it.Kind != Link {
			return fmt.Errorf("skel %q: kind %q is not one of a home directory", it.Path, it.Kind)
		}
	}
	for _, it := range slices.Concat(d.State, d.Skel) {
		if !validPath(it.Path) || it.Mode > 0o7777 {
			return fmt.Errorf("state %q: want a clean relative path and a mode up to 7777", it.Path)
		}
		switch it.Kind {
		case Dir, File, ID, SSHKey:
		case Link:
			if it.Target == "" || strings.ContainsRune(it.Target, 0) {
				return fmt.Errorf("state %q: a link to %q", it.Path, it.Target)
			}
		default:
			return fmt.Errorf("state %q: unknown kind %q", it.Path, it.Kind)
		}
	}
	return nil
}

func validPath(p string) bool {
	return p != "" && p != "." && !path.IsAbs(p) && path.Clean(p) == p && p != ".." &&
		!strings.HasPrefix(p, "../") && !strings.ContainsAny(p, "\x00\n")
}
