package stage1

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// TestWaitForDisk gives one list a look, the last one again and again.
func TestWaitForDisk(t *testing.T) {
	one, two, three := []string{"sda"}, []string{"sda", "sdb"}, []string{"sda", "sdb", "sdb1"}
	for name, c := range map[string]struct {
		before []string
		looks  [][]string
		want   []string // nil: it goes on waiting
		most   int      // looks that it takes
	}{
		"nothing comes":           {one, [][]string{one, one, one, one}, nil, 0},
		"a stick":                 {one, [][]string{one, two, three, three, three}, three, 5},
		"came between":            {one, [][]string{three}, three, 3},
		"comes and goes at once":  {one, [][]string{two, one, one, one, one}, nil, 0},
		"goes":                    {two, [][]string{two, one, one}, one, 4},
		"goes, and another comes": {two, [][]string{one, three, three, three}, three, 4},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			looks := 0
			got, err := waitForDisk(ctx, time.Microsecond, c.before, func() []string {
				now := c.looks[min(looks, len(c.looks)-1)]
				if looks++; looks > 20 {
					cancel()
				}
				return now
			})
			if c.want == nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%q, %v, want none", got, err)
				}
				return
			}
			if err != nil || !slices.Equal(got, c.want) || looks > c.most {
				t.Errorf("%q, %v after %d looks, want %q after %d", got, err, looks, c.want, c.most)
			}
		})
	}
}
