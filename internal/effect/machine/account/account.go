// Package account makes /etc/passwd, /etc/group, /etc/subuid and /etc/subgid
// from what packages and the configuration ask for. It is pure.
//
// Sources, in this order: the master files of base-passwd, whose ids are
// Debian policy; sysusers.d files; the adduser, addgroup, useradd, groupadd
// and usermod lines of postinst scripts (read by maint); the configuration.
//
// An id of a system account never depends on what else is installed: it is
// fixed by base-passwd, else by the line that asks for it, else by
// registry.txt, else derived from the name (see derived). Only when two names
// derive the same id does the later name move to the next free one.
//
// Passwords are not here: every line has x, and shadow is state of the
// machine (internal/activation).
package account

import (
	"cmp"
	_ "embed"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"

	"reprise/internal/activation"
)

// A User is one line of passwd.
type User struct {
	Name        string
	UID, GID    uint32
	Gecos       string
	Home, Shell string
}

// A Group is one line of group.
type Group struct {
	Name    string
	GID     uint32
	Members []string // sorted
}

// NoLogin is the shell of system accounts.
const NoLogin = "/usr/sbin/nologin"

// noGroup is the group of system users that ask for none of their own.
const noGroup = "nogroup"

// A Want is one account that somebody asks for. The zero values of ID, Group,
// Home and Shell leave the choice to Resolve.
type Want struct {
	From  string  `json:"from"` // who asks, for messages: a package or "configuration"
	Kind  Kind    `json:"kind"`
	Name  string  `json:"name"`
	ID    *uint32 `json:"id,omitempty"`
	Group string  `json:"group,omitempty"` // of a User: its primary group, by name or number; of a Member: the group to join
	Gecos string  `json:"gecos,omitempty"`
	Home  string  `json:"home,omitempty"`
	Shell string  `json:"shell,omitempty"`
}

// Configuration is the From of what the machine's configuration asks for.
const Configuration = "configuration"

// Kind says what is wanted.
type Kind string

const (
	WantUser   Kind = "user"
	WantGroup  Kind = "group"
	WantMember Kind = "member" // Name joins Group
)

// Database is the result.
type Database struct {
	Users  []User  // base-passwd's order, then by id
	Groups []Group // the same
}

// UserID and GroupID find ids by name; "root" is always there.
func (d *Database) UserID(name string) (uint32, bool) {
	for _, u := range d.Users {
		if u.Name == name {
			return u.UID, true
		}
	}
	return 0, name == "root"
}

// GroupID is described at UserID.
func (d *Database) GroupID(name string) (uint32, bool) {
	for _, g := range d.Groups {
		if g.Name == name {
			return g.GID, true
		}
	}
	return 0, name == "root"
}

// Passwd returns /etc/passwd.
func (d *Database) Passwd() string {
	var b strings.Builder
	for _, u := range d.Users {
		fmt.Fprintf(&b, "%s:x:%d:%d:%s:%s:%s\n", u.Name, u.UID, u.GID, u.Gecos, u.Home, u.Shell)
	}
	return b.String()
}

// Group returns /etc/group.
func (d *Database) Group() string {
	var b strings.Builder
	for _, g := range d.Groups {
		fmt.Fprintf(&b, "%s:x:%d:%s\n", g.Name, g.GID, strings.Join(g.Members, ","))
	}
	return b.String()
}

// subordinate ids per user and where they begin: login.defs(5), SUB_UID_MIN
// and SUB_UID_COUNT.
const (
	subMin   = 100_000
	subCount = 65_536
	humanMin = 1000 // UID_MIN
	humanMax = 59_999
)

// SubIDs returns /etc/subuid, which is /etc/subgid too: a range for each
// normal user, fixed by the user's id.
func (d *Database) SubIDs() string {
	var b strings.Builder
	for _, u := range d.Users {
		if u.UID >= humanMin && u.UID <= humanMax {
			fmt.Fprintf(&b, "%s:%d:%d\n", u.Name, subMin+uint64(u.UID-humanMin)*subCount, subCount)
		}
	}
	return b.String()
}

//go:embed registry.txt
var registryText string

// registry parses registry.txt.
func registry() (map[string]uint32, error) {
	ids := map[string]uint32{}
	taken := map[uint32]string{}
	for line := range strings.Lines(registryText) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, number, _ := strings.Cut(line, " ")
		id, err := strconv.ParseUint(number, 10, 16)
		if err != nil || !activation.ValidName(name) {
			return nil, fmt.Errorf("registry: %q is not a name and an id", line)
		}
		if other, twice := taken[uint32(id)]; twice {
			return nil, fmt.Errorf("registry: id %d is both %q and %q", id, other, name)
		}
		if _, twice := ids[name]; twice || id <= 100 || id >= derivedMin {
			return nil, fmt.Errorf("registry: %q comes twice or its id is out of range", name)
		}
		ids[name], taken[uint32(id)] = uint32(id), name
	}
	return ids, nil
}

// Ids of names that the registry does not know. Below 1000, so that they
// count as system accounts everywhere; above the registry.
const (
	derivedMin = 500
	derivedEnd = 1000
)

// derived is the id that a name gets when nobody else gives it one.
func derived(name string) uint32 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return derivedMin + uint32(h.Sum64()%(derivedEnd-derivedMin))
}

// Resolve makes the database. Masters are base-passwd's files.
func Resolve(passwdMaster, groupMaster []byte, wants []Want) (*Database, error) {
	r := &resolver{users: map[string]*User{}, groups: map[string]*Group{}, userBy: map[string]Want{}}
	var err error
	if r.registry, err = registry(); err != nil {
		return nil, err
	}
	if err := r.masters(string(passwdMaster), string(groupMaster)); err != nil {
		return nil, err
	}
	r.fixed = len(r.userOrder)
	r.fixedGroups = len(r.groupOrder)
	wants = slices.Clone(wants)
	for _, w := range wants {
		if err := check(w); err != nil {
			return nil, err
		}
	}
	if err := r.wants(wants); err != nil {
		return nil, err
	}
	return r.database()
}

func check(w Want) error {
	if !activation.ValidName(w.Name) || (w.Kind == WantMember && !activation.ValidName(w.Group)) {
		return fmt.Errorf("%s asks for account %q %q: not a valid name", w.From, w.Name, w.Group)
	}
	if strings.ContainsAny(w.Gecos+w.Home+w.Shell, ":\n\x00") {
		return fmt.Errorf("%s asks for account %q with a colon or line break in a field", w.From, w.Name)
	}
	return nil
}

type resolver struct {
	registry              map[string]uint32
	users                 map[string]*User
	groups                map[string]*Group
	userOrder, groupOrder []string
	fixed, fixedGroups    int
	userBy                map[string]Want
	members               []Want
}

func (r *resolver) masters(passwd, group string) error {
	for line := range strings.Lines(group) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) != 4 {
			return fmt.Errorf("base-passwd: group line %q has %d fields, want 4", line, len(f))
		}
		gid, err := parseID(f[2])
		if err != nil {
			return fmt.Errorf("base-passwd: %w", err)
		}
		r.addGroup(f[0], gid)
	}
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) != 7 {
			return fmt.Errorf("base-passwd: passwd line %q has %d fields, want 7", line, len(f))
		}
		uid, err1 := parseID(f[2])
		gid, err2 := parseID(f[3])
		if err := cmp.Or(err1, err2); err != nil {
			return fmt.Errorf("base-passwd: %w", err)
		}
		r.addUser(User{f[0], uid, gid, f[4], f[5], f[6]})
	}
	if r.users["root"] == nil || r.groups["root"] == nil || r.groups[noGroup] == nil {
		return fmt.Errorf("base-passwd: master files lack root or %s", noGroup)
	}
	return nil
}

func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil || id >= 1<<32-2 || id == 65535 { // (uid_t)-1 in its two widths
		return 0, fmt.Errorf("%q is not an id", s)
	}
	return uint32(id), nil
}

func (r *resolver) addGroup(name string, gid uint32) {
	r.groups[name] = &Group{Name: name, GID: gid}
	r.groupOrder = append(r.groupOrder, name)
}

func (r *resolver) addUser(u User) {
	r.users[u.Name] = &u
	r.userOrder = append(r.userOrder, u.Name)
}

// An account is the user and the group of one name.
type account struct {
	name        string
	user, group bool
	uid, gid    *uint32 // as wanted
	from        string  // who wanted an id first
}

// wants adds accounts: those with an id first, then those of the registry,
// then the derived ones by name. So a derived id never takes a fixed one.
func (r *resolver) wants(wants []Want) error {
	accounts := map[string]*account{}
	for _, w := range wants {
		if w.Kind == WantMember {
			r.members = append(r.members, w)
			continue
		}
		if r.users[w.Name] != nil && (w.Kind == WantUser || r.groups[w.Name] != nil) ||
			w.Kind == WantGroup && r.groups[w.Name] != nil {
			r.changeShell(w)
			continue // base-passwd's
		}
		a := accounts[w.Name]
		if a == nil {
			a = &account{name: w.Name}
			accounts[w.Name] = a
		}
		if err := a.add(w); err != nil {
			return err
		}
		if w.Kind == WantUser {
			if have, ok := r.userBy[w.Name]; ok {
				w = merge(have, w)
			}
			r.userBy[w.Name] = w
		}
	}
	rank := func(name string) int {
		if accounts[name].uid != nil || accounts[name].gid != nil {
			return 0
		}
		if _, ok := r.registry[name]; ok {
			return 1
		}
		return 2
	}
	names := slices.Sorted(maps.Keys(accounts))
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	var pending []Want
	for _, name := range names {
		a := accounts[name]
		if a.group && r.groups[name] == nil {
			gid, err := r.id(name, cmp.Or(a.gid, a.uid), a.user, true)
			if err != nil {
				return err
			}
			r.addGroup(name, gid)
			if a.uid == nil {
				a.uid = &gid
			}
		}
		if a.user {
			w := r.userBy[name]
			uid, err := r.id(name, a.uid, true, false)
			if err != nil {
				return err
			}
			r.addUser(User{Name: name, UID: uid, Gecos: w.Gecos, Home: w.Home, Shell: w.Shell})
			pending = append(pending, w)
		}
	}
	for _, w := range pending {
		if err := r.primaryGroup(w); err != nil {
			return err
		}
	}
	return nil
}

// add takes one wish into the account.
func (a *account) add(w Want) error {
	id := &a.gid
	if w.Kind == WantUser {
		id = &a.uid
	}
	if w.ID != nil {
		if *id != nil && **id != *w.ID {
			return fmt.Errorf("%s %q: %s asks for id %d and %s for %d", w.Kind, w.Name, a.from, **id, w.From, *w.ID)
		}
		*id, a.from = w.ID, w.From
	}
	a.user = a.user || w.Kind == WantUser
	a.group = a.group || w.Kind == WantGroup || w.Group == ""
	return nil
}

// changeShell lets the configuration give one of base-passwd's users, root
// above all, another shell or description.
func (r *resolver) changeShell(w Want) {
	if u := r.users[w.Name]; u != nil && w.Kind == WantUser && w.From == Configuration {
		u.Shell = cmp.Or(w.Shell, u.Shell)
		u.Gecos = cmp.Or(w.Gecos, u.Gecos)
	}
}

// merge joins two wishes for one user: sysusers.d and a postinst often ask
// for the same. The first that says something is heard.
func merge(a, b Want) Want {
	a.Group = cmp.Or(a.Group, b.Group)
	a.Gecos = cmp.Or(a.Gecos, b.Gecos)
	a.Home = cmp.Or(a.Home, b.Home)
	a.Shell = cmp.Or(a.Shell, b.Shell)
	if a.ID == nil {
		a.ID = b.ID
	}
	return a
}

// id chooses a number that no other user (group) has.
func (r *resolver) id(name string, wanted *uint32, user, group bool) (uint32, error) {
	taken := func(id uint32) string {
		for _, n := range r.userOrder {
			if user && r.users[n].UID == id {
				return n
			}
		}
		for _, n := range r.groupOrder {
			if group && r.groups[n].GID == id {
				return n
			}
		}
		return ""
	}
	id, fixed := r.registry[name]
	if wanted != nil {
		id, fixed = *wanted, true
	}
	if fixed {
		if other := taken(id); other != "" {
			return 0, fmt.Errorf("account %q: id %d is that of %q", name, id, other)
		}
		return id, nil
	}
	id = derived(name)
	for range derivedEnd - derivedMin {
		if taken(id) == "" {
			return id, nil
		}
		if id++; id == derivedEnd {
			id = derivedMin
		}
	}
	return 0, fmt.Errorf("account %q: no system id is free", name)
}

func (r *resolver) primaryGroup(w Want) error {
	u := r.users[w.Name]
	if w.Group == "" {
		u.GID = r.groups[w.Name].GID
		return nil
	}
	if g := r.groups[w.Group]; g != nil {
		u.GID = g.GID
		return nil
	}
	gid, err := parseID(w.Group)
	if err != nil {
		return fmt.Errorf("%s asks for user %q in group %q, which nothing makes", w.From, w.Name, w.Group)
	}
	u.GID = gid
	return nil
}

func (r *resolver) database() (*Database, error) {
	for _, m := range r.members {
		g, u := r.groups[m.Group], r.users[m.Name]
		if g == nil || u == nil {
			if m.From == Configuration {
				return nil, fmt.Errorf("user %q is to be in group %q: no package and no option makes both", m.Name, m.Group)
			}
			continue // sysusers.d may name accounts that this machine lacks
		}
		if !slices.Contains(g.Members, u.Name) {
			g.Members = append(g.Members, u.Name)
		}
	}
	d := &Database{}
	byID := func(a, b string, id func(string) uint32) int {
		return cmp.Or(cmp.Compare(id(a), id(b)), strings.Compare(a, b))
	}
	slices.SortFunc(r.userOrder[r.fixed:], func(a, b string) int {
		return byID(a, b, func(n string) uint32 { return r.users[n].UID })
	})
	slices.SortFunc(r.groupOrder[r.fixedGroups:], func(a, b string) int {
		return byID(a, b, func(n string) uint32 { return r.groups[n].GID })
	})
	for _, name := range r.userOrder {
		u := *r.users[name]
		u.Home = cmp.Or(u.Home, "/")
		u.Shell = cmp.Or(u.Shell, NoLogin)
		d.Users = append(d.Users, u)
	}
	for _, name := range r.groupOrder {
		slices.Sort(r.groups[name].Members)
		d.Groups = append(d.Groups, *r.groups[name])
	}
	return d, nil
}
