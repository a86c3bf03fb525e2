package systemdiff

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// A UnitChange is one unit of systemd.
type UnitChange struct {
	Scope string // "system" or "user"
	Name  string // "jackd.service"
	Kind  Kind
	What  []string // of a changed one: "text", "drop-ins", "masked", "unmasked", "wanted by X", "no longer wanted by X"
}

// scopeOf is the scope of a file in a directory of units, else "".
func scopeOf(name string) string {
	for scope, dirs := range unitDirs {
		for _, dir := range dirs {
			if strings.HasPrefix(name, dir+"/") {
				return scope
			}
		}
	}
	return ""
}

// A unitPart is what one file is to a unit.
type unitPart struct {
	unit   string
	dropIn bool
	wanter string // "multi-user.target" for a link in its .wants or .requires; else ""
}

// partOf reads a path below a directory of units.
func partOf(name string) (scope string, p unitPart, ok bool) {
	if scope = scopeOf(name); scope == "" {
		return "", p, false
	}
	for _, dir := range unitDirs[scope] {
		rel, below := strings.CutPrefix(name, dir+"/")
		if !below {
			continue
		}
		dir, base := path.Split(rel)
		dir = strings.TrimSuffix(dir, "/")
		switch {
		case dir == "":
			return scope, unitPart{unit: base}, strings.Contains(base, ".") && !strings.HasSuffix(base, ".d") && !strings.HasSuffix(base, ".wants") && !strings.HasSuffix(base, ".requires")
		case strings.HasSuffix(dir, ".d"):
			return scope, unitPart{unit: strings.TrimSuffix(dir, ".d"), dropIn: true}, true
		case strings.HasSuffix(dir, ".wants"):
			return scope, unitPart{unit: base, wanter: strings.TrimSuffix(dir, ".wants")}, true
		case strings.HasSuffix(dir, ".requires"):
			return scope, unitPart{unit: base, wanter: strings.TrimSuffix(dir, ".requires")}, true
		}
	}
	return "", p, false
}

// units lists the units that have a file of their own, by scope and name; true
// means masked.
func units(files map[string]File) map[[2]string]bool {
	found := map[[2]string]bool{}
	for name, f := range files {
		if scope, p, ok := partOf(name); ok && !p.dropIn && p.wanter == "" {
			key := [2]string{scope, p.unit}
			masked := f.Target == "/dev/null" && strings.HasPrefix(name, "etc/")
			found[key] = found[key] || masked
		}
	}
	return found
}

// compareUnits makes changes of units from those of files.
func compareUnits(from, to map[string]File, changes []FileChange) []UnitChange {
	was, is := units(from), units(to)
	what := map[[2]string]map[string]bool{}
	for _, c := range changes {
		scope, p, ok := partOf(c.Path)
		if !ok {
			continue
		}
		key := [2]string{scope, p.unit}
		if what[key] == nil {
			what[key] = map[string]bool{}
		}
		switch {
		case p.dropIn:
			what[key]["drop-ins"] = true
		case p.wanter != "" && c.Kind == Added:
			what[key]["wanted by "+p.wanter] = true
		case p.wanter != "" && c.Kind == Removed:
			what[key]["no longer wanted by "+p.wanter] = true
		case p.wanter != "": // the same wish, written in another way
		case is[key] && !was[key]:
			what[key]["masked"] = true
		case was[key] && !is[key]:
			what[key]["unmasked"] = true
		default:
			what[key]["text"] = true
		}
	}
	var list []UnitChange
	for key, parts := range what {
		_, before := was[key]
		_, after := is[key]
		c := UnitChange{Scope: key[0], Name: key[1], Kind: Changed}
		switch {
		case after && !before:
			c.Kind = Added
		case before && !after:
			c.Kind = Removed
		case len(parts) == 0:
			continue
		default:
			c.What = slices.Sorted(maps.Keys(parts))
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b UnitChange) int {
		return strings.Compare(a.Scope+"/"+a.Name, b.Scope+"/"+b.Name)
	})
	return list
}
