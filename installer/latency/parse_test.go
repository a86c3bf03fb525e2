package latency

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParse reads what cyclictest of Debian trixie wrote.
func TestParse(t *testing.T) {
	data, err := os.ReadFile("testdata/cyclictest-2.6.json")
	if err != nil {
		t.Fatal(err)
	}
	cores, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	type figures struct {
		CPU, Min, Max int
		Wakeups, Over int64
	}
	var got []figures
	for _, c := range cores {
		got = append(got, figures{c.CPU, c.Min, c.Max, c.Wakeups(), c.Overruns})
	}
	// The figures beside the histogram are cyclictest's own.
	var want []figures
	var out output
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"0", "1"} {
		th := out.Threads[name]
		f := figures{*th.CPU, int(th.Min), int(th.Max), th.Cycles, th.Cycles}
		for _, n := range th.Histogram {
			f.Over -= n
		}
		want = append(want, f)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, c := range cores {
		if first := int(c.Min); c.Counts[first] == 0 || c.Min > 0 && c.Counts[first-1] != 0 {
			t.Errorf("core %d begins elsewhere than at %d", c.CPU, first)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const head = `{"file_version": 1, "return_code": 0, "thread": {`
	one := func(body string) string { return head + `"0": {` + body + `}}}` }
	for _, c := range []struct{ text, want string }{
		{"", "empty"},
		{"Unable to change scheduling policy!", "invalid character"},
		{`{"file_version": 1`, "unexpected EOF"},
		{`[]`, "cannot unmarshal"},
		{`{"file_version": 2}`, "version 2"},
		{`{}`, "version 0"},
		{`{"file_version": 1, "return_code": 1}`, "ended with 1"},
		{head + `}}`, "no core"},
		{one(``), "which core"},
		{one(`"cpu": -1`), "which core"},
		{one(`"cpu": 99999`), "which core"},
		{one(`"cpu": 0, "cycles": -1`), "-1 wake-ups"},
		{one(`"cpu": 0, "cycles": 9223372036854775807, "histogram": {}`), "wake-ups"},
		{one(`"cpu": 0, "cycles": 5, "histogram": {"400": 1}`), "\"400\""},
		{one(`"cpu": 0, "cycles": 5, "histogram": {"-1": 1}`), "\"-1\""},
		{one(`"cpu": 0, "cycles": 5, "histogram": {"007": 1}`), "\"007\""},
		{one(`"cpu": 0, "cycles": 5, "histogram": {"x": 1}`), "\"x\""},
		{one(`"cpu": 0, "cycles": 5, "histogram": {"1": 6}`), "more than its 5"},
		{one(`"cpu": 0, "cycles": 5, "histogram": {"1": -6}`), "more than its 5"},
		{one(`"cpu": 0, "cycles": 5, "histogram": {"1": 3, "2": 3}`), "more than its 5"},
		{one(`"cpu": 0, "cycles": 1, "histogram": {"1": 1}, "min": 2, "max": 1`), "greatest 1"},
		{one(`"cpu": 0, "cycles": 1, "histogram": {"1": 1}, "min": 1, "max": 1, "avg": -1`), "average -1"},
		{head + `"0": {"cpu": 3, "cycles": 0}, "1": {"cpu": 3, "cycles": 0}}}`, "core 3 twice"},
		{strings.Repeat(" ", MaxOutput+1), "more than"},
	} {
		cores, err := Parse([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: %v, %v; want %q", c.text, cores, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	if data, err := os.ReadFile("testdata/cyclictest-2.6.json"); err == nil {
		f.Add(data)
	}
	f.Add([]byte(`{"file_version": 1, "return_code": 0, "thread": {"0": {"cpu": 0, "cycles": 9, "histogram": {"1": 3, "399": 2}, "min": 1, "max": 5000, "avg": 7.5}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		cores, err := Parse(data)
		if err != nil {
			return
		}
		r := Result{Seconds: 2, Wanted: 2, Cores: Join(cores, cores)}
		for i, c := range cores {
			if twice := r.Cores[i]; twice.Wakeups() != 2*c.Wakeups() || twice.Max != c.Max || len(twice.Counts) > Bound {
				t.Fatalf("%+v and itself are %+v", c, twice)
			}
		}
		_ = r.Text(nil, 80)
		_ = Comment(&r, nil)
		_ = r.Sentences()
	})
}

func TestKept(t *testing.T) {
	kept := []Result{*realtime(), stock()}
	data, err := Encode(kept)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, FileName, string(data))
	again, err := Decode(FileName, data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kept, again); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct{ text, want string }{
		{"", "unexpected end"},
		{`{"version": 2}`, "version 2"},
		{`{"version": 1, "measured": [{"seconds": -1}]}`, "measurement 1"},
		{`{"version": 1, "measured": [{"seconds": 31, "wanted": 30}]}`, "cannot be"},
		{`{"version": 1, "measured": [{}, {"cores": [{"cpu": 1}, {"cpu": 1}]}]}`, "measurement 2"},
		{`{"version": 1, "measured": [{"cores": [{"cpu": 1, "overruns": -1}]}]}`, "figures"},
		{`{"version": 1, "measured": [{"cores": [{"cpu": 1, "counts": [1, -1]}]}]}`, "figures"},
		{`{"version": 1, "measured": [{"cores": [{"cpu": 1, "min": 2, "max": 1}]}]}`, "figures"},
		{`{"version": 1, "measured": [` + strings.Repeat("{},", MaxKept) + `{}]}`, "64 at most"},
		{`{"version": 1, "measured": [{"cores": [{"cpu": 1, "counts": [` + strings.Repeat("0,", Bound) + `0]}]}]}`, "core 1"},
	} {
		if _, err := Decode(FileName, []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: %v; want %q", c.text, err, c.want)
		}
	}
}

func FuzzKept(f *testing.F) {
	if data, err := Encode([]Result{*realtime(), stock()}); err == nil {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		kept, err := Decode(FileName, data)
		if err != nil {
			return
		}
		for i := range kept {
			_ = kept[i].Text(kept, 80)
			_ = Comment(&kept[i], kept)
			_ = kept[i].Sentences()
		}
		again, err := Encode(kept)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(FileName, again); err != nil {
			t.Fatalf("what Encode wrote: %v", err)
		}
	})
}
