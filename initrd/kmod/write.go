package kmod

import (
	"maps"
	"slices"
	"strings"
)

// Files returns the index files for a choice of modules, by name: the text
// that Read takes, cut down to these modules. rename gives the file of each
// module as it will lie there, nil keeps it. What the kernel has built in is
// left out: nobody needs to load it. The same choice gives the same bytes.
func (x *Index) Files(chosen []Module, rename func(file string) string) map[string][]byte {
	if rename == nil {
		rename = func(file string) string { return file }
	}
	chosen = slices.Clone(chosen)
	slices.SortFunc(chosen, func(a, b Module) int { return strings.Compare(a.File, b.File) })
	in := map[string]bool{}
	for _, m := range chosen {
		in[m.Name] = true
	}
	var dep, soft, aliases strings.Builder
	for _, m := range chosen {
		dep.WriteString(rename(m.File) + ":")
		for _, name := range m.Deps {
			if d := x.modules[name]; d != nil && in[name] {
				dep.WriteString(" " + rename(d.File))
			}
		}
		dep.WriteString("\n")
		if len(m.Pre)+len(m.Post) > 0 {
			soft.WriteString("softdep " + m.Name)
			if len(m.Pre) > 0 {
				soft.WriteString(" pre: " + strings.Join(m.Pre, " "))
			}
			if len(m.Post) > 0 {
				soft.WriteString(" post: " + strings.Join(m.Post, " "))
			}
			soft.WriteString("\n")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(x.exact)) {
		for _, module := range x.exact[name] {
			if in[module] {
				aliases.WriteString("alias " + name + " " + module + "\n")
			}
		}
	}
	for _, a := range x.patterns {
		if in[a.module] {
			aliases.WriteString("alias " + a.pattern + " " + a.module + "\n")
		}
	}
	return map[string][]byte{
		"modules.dep":     []byte(dep.String()),
		"modules.softdep": []byte(soft.String()),
		"modules.alias":   []byte(aliases.String()),
	}
}
