package program

import "encoding/json"

// placesProgram walks a value along what is known to evaluate (good) and
// returns for each object {name: [site numbers, the same of its value]}.
const placesProgram = `
local marks(object, name) = local key = '\u0001place ' + name;
  if std.objectHasAll(object, key) then object[key] else [];
local walk(v, good) =
  if std.isObject(good) then { [name]: [marks(v, name), walk(v[name], good[name])] for name in std.objectFields(good) }
  else if std.isArray(good) then [null, [if std.isObject(good[i]) then walk(v[i], good[i]) else null for i in std.range(0, std.length(good) - 1)]]
  else null;
walk((import 'main'), `

// places finds where each part of a value was written. It gives none when the
// marked program fails where the plain one did not: a program can tell by
// asking for hidden fields.
func (e *evaluation) places(value []byte) map[string]Place {
	m := &marker{}
	vm := e.machine()
	e.parse(vm, m)
	text, err := e.run(vm, placesProgram+string(value)+")")
	if err != nil {
		return nil
	}
	var root map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &root); err != nil {
		panic("places program gave no object: " + err.Error())
	}
	places := map[string]Place{}
	m.collect(places, "", root)
	return places
}

// collect reads one object of the answer of placesProgram. A user who defines
// a field with our secret name may bend its shape: then there is no place.
func (m *marker) collect(places map[string]Place, path string, object map[string]json.RawMessage) {
	for name, raw := range object {
		var entry [2]json.RawMessage
		if json.Unmarshal(raw, &entry) != nil || len(entry[1]) == 0 {
			continue
		}
		at := Join(path, name)
		uses := m.uses(entry[0])
		if len(uses) > 0 {
			if s := m.sites[uses[len(uses)-1].site]; !s.library {
				places[at] = s.place
			}
		}
		var fields map[string]json.RawMessage
		var array [2]json.RawMessage
		switch entry[1][0] {
		case '{':
			if json.Unmarshal(entry[1], &fields) == nil {
				m.collect(places, at, fields)
			}
		case '[':
			if json.Unmarshal(entry[1], &array) == nil {
				m.collectArray(places, at, uses, array)
			}
		}
	}
}

// collectArray reads [null, elements]; elements that are no objects are null.
func (m *marker) collectArray(places map[string]Place, path string, uses []use, array [2]json.RawMessage) {
	var elements []map[string]json.RawMessage
	if json.Unmarshal(array[1], &elements) != nil {
		return
	}
	known := m.elements(uses)
	for i, element := range elements {
		if len(known) == len(elements) && known[i].Line > 0 {
			places[Join(path, i)] = known[i]
		}
		m.collect(places, Join(path, i), element)
	}
}

// uses decodes the value of a companion; nil when it is none of ours.
func (m *marker) uses(raw json.RawMessage) []use {
	var pairs [][2]int
	if json.Unmarshal(raw, &pairs) != nil {
		return nil
	}
	var uses []use
	for _, p := range pairs {
		if p[0] < 0 || p[0] >= len(m.sites) || p[1] < 0 || p[1] > maxOutputBytes {
			return nil
		}
		uses = append(uses, use{site: p[0], size: p[1]})
	}
	return uses
}
