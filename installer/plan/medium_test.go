package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/store/storepath"
)

func aMedium() *Medium {
	const system, base, tools = storepath.Path("/nix/store/00000000000000000000000000000002-system-rig"),
		storepath.Path("/nix/store/00000000000000000000000000000001-base-1"),
		storepath.Path("/nix/store/00000000000000000000000000000003-tools")
	return &Medium{
		Version: MediumVersion, Label: "REPRISE",
		Systems: []System{{Name: "live-rig", Path: system, Closure: []storepath.Path{base, system}, Kernel: "boot/kernel"}},
		Tools:   Tools{Path: tools, Closure: []storepath.Path{tools}},
		Paths:   []Path{{Path: base, NarSize: 1}, {Path: system, Refs: []storepath.Path{base}}, {Path: tools}},
	}
}

func TestMediumRoundTrip(t *testing.T) {
	m := aMedium()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseMedium(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, got); d != "" {
		t.Error(d)
	}
	if got.Find(m.Tools.Path) == nil || got.Find("/nix/store/00000000000000000000000000000009-x") != nil {
		t.Error("Find does not find, or finds what is not there")
	}
	if got.System("live-rig") == nil || got.System("studio") != nil {
		t.Error("System does not find, or finds what is not there")
	}
}

func TestMediumRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Medium)
		want   string
	}{
		"version":      {func(m *Medium) { m.Version = 9 }, "its version is 9"},
		"unsorted":     {func(m *Medium) { m.Paths[0], m.Paths[1] = m.Paths[1], m.Paths[0] }, "not sorted"},
		"no path":      {func(m *Medium) { m.Paths[0].Path = "/etc/passwd" }, "/etc/passwd"},
		"not carried":  {func(m *Medium) { m.Systems[0].Path = "/nix/store/00000000000000000000000000000009-x" }, "system live-rig"},
		"tools absent": {func(m *Medium) { m.Paths = m.Paths[:2] }, "tools"},
		"size":         {func(m *Medium) { m.Paths[0].NarSize = -1 }, "less than nothing"},
	} {
		m := aMedium()
		c.change(m)
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseMedium(data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
}

func FuzzParseMedium(f *testing.F) {
	data, err := aMedium().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1,"paths":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMedium(data)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseMedium(again); err != nil {
			t.Errorf("what was printed is not read: %v", err)
		}
	})
}
