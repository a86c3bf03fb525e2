package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"reprise/initrd/stage1"
	"reprise/installer/plan"
)

func TestMachineClock(t *testing.T) {
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		rtc  string // "" has none
		want time.Time
	}{
		"no clock":         {"", now},
		"an empty battery": {"86400\n", time.Unix(86400, 0)},
		"a fast clock":     {"4102444800\n", now},
		"no number":        {"x\n", now},
	} {
		root := fstest.MapFS{}
		if test.rtc != "" {
			root["sys/class/rtc/rtc0/since_epoch"] = &fstest.MapFile{Data: []byte(test.rtc)}
		}
		if got := machineClock(root, now); !got.Equal(test.want) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// The clock is set before anything that needs certificates, to the newest date
// of the packages on the medium, and only forward.
func TestWakeClock(t *testing.T) {
	dir := t.TempDir()
	const lock = "Lock: 1\nArchitecture: amd64\n" +
		"Archive: trixie 2026-09-12T07:55:41Z 0000000000000000000000000000000000000000000000000000000000000000\n" +
		"Archive: trixie-security 2026-11-21T00:53:03Z 0000000000000000000000000000000000000000000000000000000000000000\n"
	if err := os.WriteFile(filepath.Join(dir, "rig.lock"), []byte(lock), 0o644); err != nil {
		t.Fatal(err)
	}
	i := &installation{medium: stage1.Medium{Dir: dir}, carried: &plan.Medium{Systems: []plan.System{{Lock: "rig.lock"}, {Lock: "none.lock"}}}}
	newest := time.Date(2026, 11, 21, 0, 53, 3, 0, time.UTC)
	for name, test := range map[string]struct {
		now   time.Time
		fails error
		set   bool
		want  string
	}{
		"1970":        {time.Unix(60, 0), nil, true, "the clock showed 1970-01-01; it is set to 2026-11-21"},
		"a day early": {newest.Add(-24 * time.Hour), nil, true, "the clock showed 2026-11-20"},
		"right":       {newest.Add(time.Hour), nil, false, ""},
		"forbidden":   {time.Unix(60, 0), errors.New("operation not permitted"), true, "cannot be set: operation not permitted"},
	} {
		var set time.Time
		got := i.wakeClock(test.now, func(to time.Time) error { set = to; return test.fails })
		if !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: it says %q, want %q", name, got, test.want)
		}
		if test.set != set.Equal(newest) {
			t.Errorf("%s: it is set to %s", name, set)
		}
	}
}
