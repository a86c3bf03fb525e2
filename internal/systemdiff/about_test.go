package systemdiff

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAboutRoundTrip(t *testing.T) {
	a := &About{Version: AboutVersion, Packages: []Asked{{Name: "bash"}, {Name: "jackd2", For: []Source{{By: "x.y", At: ":1:2"}}}}}
	for _, v := range []struct{ name, value string }{{"a", `"<&>"`}, {"b", `["x",{"y":1}]`}, {"c", `"` + strings.Repeat("x", longest) + `"`}, {"d", "null"}} {
		o := Option{Name: v.name, From: []Source{{Element: "0", At: "lib/x.jsonnet:3:4", Near: true}}}
		o.SetValue(json.RawMessage(v.value))
		a.Options = append(a.Options, o)
	}
	text, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseAbout(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if d := cmp.Diff(a, again); d != "" {
		t.Error(d)
	}
	if len(text) > 1000 {
		t.Errorf("a long value is kept: %d bytes", len(text))
	}
	if o, ok := again.Option("c"); !ok || o.Long == nil {
		t.Errorf("option c is %+v, %v", o, ok)
	}
}

func TestParseAboutRefuses(t *testing.T) {
	for _, text := range []string{
		``, `{`, `{"version":2}`, `{"version":1,"options":[{"name":"a"}]}`,
		`{"version":1,"options":[{"name":"b","value":1},{"name":"a","value":1}]}`,
		`{"version":1,"options":[{"name":"a","value":1,"long":{"bytes":3}}]}`,
	} {
		if a, err := ParseAbout([]byte(text)); err == nil {
			t.Errorf("%s gives %+v", text, a)
		}
	}
}

func FuzzParseAbout(f *testing.F) {
	f.Add(`{"version":1,"packages":[{"name":"a","for":[{"by":"x","at":":1:2"}]}],"options":[{"name":"a","value":[1],"from":[{"element":"0","by":"a"}]}]}`)
	f.Add(`{"version":1,"options":[{"name":"a","value":{"x": null}},{"name":"b","long":{"bytes":1,"sha256":""}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAbout([]byte(text))
		if err != nil {
			return
		}
		s := &System{About: a, Config: "c"}
		var b strings.Builder
		for i := range a.Options { // no option may make the text go round for ever
			if err := a.Options[i].Text(&b, s, "default"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Diff(s, &System{About: &About{}}, nil, false); err != nil {
			t.Fatal(err)
		}
		encoded, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseAbout(encoded)
		if err != nil {
			t.Fatalf("%v: %s", err, encoded)
		}
		if twice, _ := again.Encode(); string(twice) != string(encoded) {
			t.Errorf("%s became %s", encoded, twice)
		}
	})
}

func TestUnits(t *testing.T) {
	file := func(source string) File { return File{Source: source} }
	from := map[string]File{"usr/lib/systemd/system/a.service": file("1"), "usr/lib/systemd/system/x.target": file("1"), "usr/lib/systemd/user/a.service": file("1"), "etc/systemd/system/m.service": {}}
	masked := File{}
	masked.Target = "/dev/null"
	to := map[string]File{"usr/lib/systemd/system/a.service": file("1"), "etc/systemd/system/a.service": masked, "usr/lib/systemd/system/n@.service": file("1"), "etc/systemd/system/m.service": {}}
	changes := []FileChange{
		{Path: "etc/systemd/system/a.service", Kind: Added},
		{Path: "usr/lib/systemd/system/n@.service", Kind: Added},
		{Path: "usr/lib/systemd/system/x.target", Kind: Removed},
		{Path: "etc/systemd/system/x.target.wants/n@1.service", Kind: Added},
		{Path: "etc/systemd/system/m.service.d/10.conf", Kind: Added},
		{Path: "usr/lib/systemd/user/a.service", Kind: Changed},
		{Path: "etc/hostname", Kind: Changed},
	}
	to["usr/lib/systemd/user/a.service"] = file("2")
	want := []UnitChange{
		{"system", "a.service", Changed, []string{"masked"}},
		{"system", "m.service", Changed, []string{"drop-ins"}},
		{"system", "n@.service", Added, nil},
		{"system", "n@1.service", Changed, []string{"wanted by x.target"}},
		{"system", "x.target", Removed, nil},
		{"user", "a.service", Changed, []string{"text"}},
	}
	if d := cmp.Diff(want, compareUnits(from, to, changes)); d != "" {
		t.Error(d)
	}
}
