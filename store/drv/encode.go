package drv

import (
	"maps"
	"slices"

	"reprise/store/storepath"
)

// Encode returns the bytes of the .drv file: lists sorted and without
// repetitions, whatever the order of the fields. Strings may hold any bytes.
func (d *Derivation) Encode() []byte {
	inputs := make(map[string][]string, len(d.InputDrvs))
	for p, ids := range d.InputDrvs {
		inputs[string(p)] = ids
	}
	return d.encode(inputs, false)
}

// encode writes the derivation with inputs in the place of InputDrvs. masked
// empties the output paths and the environment variables that hold them.
func (d *Derivation) encode(inputs map[string][]string, masked bool) []byte {
	b := aterm{buf: make([]byte, 0, 4096)}
	b.raw("Derive(")
	each(&b, slices.Sorted(maps.Keys(d.Outputs)), func(id string) {
		out := d.Outputs[id]
		if masked {
			out.Path = ""
		}
		b.tuple(id, string(out.Path), out.HashAlgo, out.Hash)
	})
	b.raw(",")
	each(&b, slices.Sorted(maps.Keys(inputs)), func(key string) {
		b.raw("(")
		b.str(key)
		b.raw(",")
		each(&b, sorted(inputs[key]), b.str)
		b.raw(")")
	})
	b.raw(",")
	each(&b, sorted(d.InputSrcs), func(p storepath.Path) { b.str(string(p)) })
	b.raw(",")
	b.str(d.Platform)
	b.raw(",")
	b.str(d.Builder)
	b.raw(",")
	each(&b, d.Args, b.str)
	b.raw(",")
	each(&b, slices.Sorted(maps.Keys(d.Env)), func(name string) {
		value := d.Env[name]
		if _, isOutput := d.Outputs[name]; isOutput && masked {
			value = ""
		}
		b.tuple(name, value)
	})
	b.raw(")")
	return b.buf
}

func sorted[S ~[]E, E ~string](list S) S {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// aterm is the part of the ATerm notation that derivations use.
type aterm struct{ buf []byte }

func (b *aterm) raw(s string) { b.buf = append(b.buf, s...) }

// str writes a quoted string. Only these five bytes are escaped.
func (b *aterm) str(s string) {
	b.buf = append(b.buf, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b.buf = append(b.buf, '\\', c)
		case '\n':
			b.buf = append(b.buf, `\n`...)
		case '\r':
			b.buf = append(b.buf, `\r`...)
		case '\t':
			b.buf = append(b.buf, `\t`...)
		default:
			b.buf = append(b.buf, c)
		}
	}
	b.buf = append(b.buf, '"')
}

func (b *aterm) tuple(fields ...string) {
	b.raw("(")
	for i, field := range fields {
		if i > 0 {
			b.raw(",")
		}
		b.str(field)
	}
	b.raw(")")
}

func each[E any](b *aterm, list []E, write func(E)) {
	b.raw("[")
	for i, item := range list {
		if i > 0 {
			b.raw(",")
		}
		write(item)
	}
	b.raw("]")
}
