package unitdiff

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"reprise/internal/effect/machine/unit"
)

// tree is the units of one manager in one view.
type tree struct {
	*files
	dirs  []string                       // of units, those of highest rank first
	names map[string]string              // name → path of the file or link that counts
	also  map[string]bool                // directories of drop-ins that are there
	wants map[string]map[string][]string // "wants" … → unit that wants → names
	units map[string]*definition
	alias map[string][]string // name → its other names
}

// A definition is a unit as the view has it.
type definition struct {
	name   string // without aliases; of an instance its own
	path   string // of its file; "" when it is masked
	masked bool
	settings
}

func newTree(f *files, manager string) (*tree, error) {
	t := &tree{files: f, dirs: []string{"etc/systemd/" + manager, "usr/local/lib/systemd/" + manager, "usr/lib/systemd/" + manager},
		names: map[string]string{}, also: map[string]bool{}, wants: map[string]map[string][]string{},
		units: map[string]*definition{}, alias: map[string][]string{}}
	for _, k := range pulls {
		t.wants[k] = map[string][]string{}
	}
	for _, dir := range t.dirs {
		entries, err := f.readDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if err := t.add(dir, e); err != nil {
				return nil, err
			}
		}
	}
	for name := range t.names {
		if to := t.canonical(name); to != name {
			t.alias[to] = append(t.alias[to], name)
		}
	}
	for _, names := range t.alias {
		slices.Sort(names)
	}
	return t, nil
}

// pulls are the directories beside a unit that say what it brings along.
var pulls = []string{"wants", "requires", "upholds"}

func (t *tree) add(dir string, e fs.DirEntry) error {
	name, place := e.Name(), dir+"/"+e.Name()
	if unit.ValidName(name) {
		if _, taken := t.names[name]; !taken && !e.IsDir() {
			t.names[name] = place
		}
		return nil
	}
	owner, suffix := cutSuffix(name)
	if suffix == ".d" {
		t.also[place] = true
		return nil
	}
	if suffix = strings.TrimPrefix(suffix, "."); slices.Contains(pulls, suffix) {
		entries, err := t.readDir(place)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if list := t.wants[suffix]; unit.ValidName(e.Name()) && !slices.Contains(list[owner], e.Name()) {
				list[owner] = append(list[owner], e.Name())
			}
		}
	}
	return nil
}

// canonical follows the links that give a unit another name.
func (t *tree) canonical(name string) string {
	for range maxLinks {
		next, _ := t.step(name)
		if next == "" || next == name {
			return name
		}
		name = next
	}
	return name
}

// step looks at the name's file: the name that it leads to, when it is an
// alias, or else the path of the unit's file; "" and "" when there is none,
// and "/dev/null" for a masked unit.
func (t *tree) step(name string) (alias, file string) {
	place, ok := t.names[name]
	if !ok {
		template := unit.Template(name)
		if template == name {
			return "", ""
		}
		if place, ok = t.names[template]; !ok {
			return "", ""
		}
		if alias, file = t.follow(template, place); alias != "" {
			alias = instanceOf(alias, name)
		}
		return alias, file
	}
	return t.follow(name, place)
}

func (t *tree) follow(name, place string) (alias, file string) {
	for range maxLinks {
		target, err := t.fsys.ReadLink(place)
		if err != nil {
			return "", place // no link
		}
		if target == "/dev/null" {
			return "", target
		}
		if !path.IsAbs(target) {
			target = path.Join("/", path.Dir(place), target)
		}
		target = merged(strings.TrimPrefix(path.Clean(target), "/"))
		base := path.Base(target)
		if !slices.Contains(t.dirs, path.Dir(target)) || base == name || base == unit.Template(name) {
			place = target // the file of this very unit
			continue
		}
		if unit.ValidName(base) {
			return instanceOf(base, name), ""
		}
		place = target
	}
	return "", ""
}

// instanceOf puts the instance of like into the name of a template.
func instanceOf(template, like string) string {
	if unit.Template(template) != template {
		return template
	}
	prefix, suffix, ok := strings.Cut(template, "@")
	_, rest, instance := strings.Cut(like, "@")
	if !ok || !instance || suffix != path.Ext(template) {
		return template
	}
	inst, _ := cutSuffix(rest)
	return prefix + "@" + inst + suffix
}

// load reads a unit with its drop-ins; nil when the view has none of that
// name.
func (t *tree) load(name string) (*definition, error) {
	name = t.canonical(name)
	if d, ok := t.units[name]; ok {
		return d, nil
	}
	_, file := t.step(name)
	if file == "" {
		t.units[name] = nil
		return nil, nil
	}
	d := &definition{name: name, path: file, settings: settings{}}
	if file == "/dev/null" {
		d.path, d.masked = "", true
		t.units[name] = d
		return d, nil
	}
	text, err := t.text(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.units[name] = nil // a link to nowhere
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if text == "" {
		d.path, d.masked = "", true
	}
	d.read(text)
	for _, p := range t.dropins(name) {
		if text, err = t.text(p); err != nil {
			return nil, err
		}
		d.read(text)
	}
	t.units[name] = d
	return d, nil
}

// dropins lists the drop-ins of a unit in the order in which they count. Of one
// file name the first counts: directories of higher rank come first, in each
// the most particular name, and what is for all units of a kind comes last.
// Source: systemd.unit(5), "Description".
func (t *tree) dropins(name string) []string {
	var dirs []string
	names := t.owners(name)
	for _, dir := range t.dirs {
		for _, owner := range names {
			dirs = append(dirs, dir+"/"+owner+".d")
		}
	}
	for _, dir := range t.dirs {
		dirs = append(dirs, dir+"/"+strings.TrimPrefix(kind(name), ".")+".d")
	}
	chosen := map[string]string{}
	for _, dir := range dirs {
		if !t.also[dir] {
			continue
		}
		entries, err := t.readDir(dir)
		if err != nil {
			continue // newTree has seen the directory
		}
		for _, e := range entries {
			if _, taken := chosen[e.Name()]; !taken && strings.HasSuffix(e.Name(), ".conf") {
				chosen[e.Name()] = dir + "/" + e.Name()
			}
		}
	}
	var list []string
	for _, base := range slices.Sorted(maps.Keys(chosen)) {
		if target, err := t.fsys.ReadLink(chosen[base]); err != nil || target != "/dev/null" {
			list = append(list, chosen[base])
		}
	}
	return list
}

// owners are the names whose drop-ins a unit has, the most particular first.
func (t *tree) owners(name string) []string {
	names := append([]string{name}, t.alias[name]...)
	template := unit.Template(name)
	if template != name {
		names = append(names, template)
	}
	base, suffix := cutSuffix(template)
	base, _, _ = strings.Cut(base, "@")
	for dash := strings.LastIndexByte(base, '-'); dash > 0; dash = strings.LastIndexByte(base, '-') {
		base = base[:dash]
		names = append(names, base+"-"+suffix)
	}
	return names
}

// brings lists what a unit starts along with it, with the names' aliases
// followed.
func (t *tree) brings(d *definition) []string {
	fill := specifiers(d.name)
	var names []string
	add := func(list []string) {
		for _, n := range list {
			if n = fill(n); unit.ValidName(n) {
				names = append(names, t.canonical(n))
			}
		}
	}
	for _, key := range []string{"Unit.Wants", "Unit.Requires", "Unit.BindsTo", "Unit.Upholds", "Service.Sockets"} {
		add(d.words(key))
	}
	for _, k := range pulls {
		for _, owner := range append([]string{d.name, unit.Template(d.name)}, t.alias[d.name]...) {
			add(t.wants[k][owner])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// needs lists the units without which a unit does not run: when one of them
// stops, it stops.
func (t *tree) needs(d *definition) []string {
	fill := specifiers(d.name)
	var names []string
	for _, key := range []string{"Unit.Requires", "Unit.BindsTo", "Unit.PartOf"} {
		for _, n := range d.words(key) {
			names = append(names, t.canonical(fill(n)))
		}
	}
	for _, n := range t.wants["requires"][d.name] {
		names = append(names, t.canonical(n))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
