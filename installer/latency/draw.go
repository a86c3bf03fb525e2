package latency

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// Lower ends of the rows of a histogram in microseconds: few for a screen of
// 24 lines, many for a larger one. The last row is that of the overruns.
var (
	few  = []int{0, 2, 5, 10, 20, 50, 100, 200, Bound}
	many = []int{0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, Bound}
)

// A row is one of a histogram.
type row struct {
	from  int // microseconds; up to the next row's
	count int64
}

func (c Core) rows(edges []int) []row {
	rows := make([]row, len(edges))
	for i, from := range edges {
		rows[i].from = from
		if from == Bound {
			rows[i].count = c.Overruns
			continue
		}
		for micros := from; micros < min(edges[i+1], len(c.Counts)); micros++ {
			rows[i].count += c.Counts[micros]
		}
	}
	return rows
}

// span names the microseconds of row i.
func span(edges []int, i int) string {
	switch {
	case edges[i] == Bound:
		return fmt.Sprintf("%d or more", Bound)
	case edges[i+1]-1 == edges[i]:
		return fmt.Sprint(edges[i])
	}
	return fmt.Sprintf("%d to %d", edges[i], edges[i+1]-1)
}

// Histogram draws all cores together, a row for each range of latencies, in so
// many columns and at most so many lines, heading included. Bars are
// logarithmic: one late wake-up matters, and would not be seen beside a million.
func (r *Result) Histogram(width, height int) string {
	edges := few
	if height > len(many) {
		edges = many
	}
	total := r.Total()
	rows := total.rows(edges)
	var most int64 = 1
	for _, row := range rows {
		most = max(most, row.count)
	}
	const label, number = 12, 14
	room := max(8, width-label-number-3)
	var b strings.Builder
	fmt.Fprintf(&b, "%*s   %-*s%*s\n", label, "us late", room, "all cores; bars are logarithmic", number, "wake-ups")
	for i, row := range rows {
		bar := 0
		if row.count > 0 { // a single one is seen
			bar = 1 + int(float64(room-1)*math.Log1p(float64(row.count-1))/math.Log1p(float64(max(most-1, 1))))
		}
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(fmt.Sprintf("%*s | %-*s%*s", label, span(edges, i), room, strings.Repeat("#", min(bar, room)), number, humanize.Comma(row.count)), " "))
	}
	return b.String()
}

// Table has a heading and a line for each core, within 72 columns and at most
// so many lines: where there are too many cores, those that came earliest are
// left out.
func (r *Result) Table(lines int) string {
	shown, out := r.Cores, ""
	if len(shown) > max(lines-1, 1) {
		latest := slices.Clone(shown)
		slices.SortStableFunc(latest, func(a, b Core) int { return b.Max - a.Max })
		latest = latest[:max(lines-2, 1)]
		slices.SortFunc(latest, func(a, b Core) int { return a.CPU - b.CPU })
		out = fmt.Sprintf("and %s that came earlier\n", cores(len(shown)-len(latest)))
		shown = latest
	}
	var b strings.Builder
	line := func(cells ...string) {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-8s%13s%6s%9s%8s%9s%8s%11s", cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7]), " ") + "\n")
	}
	line("core", "wake-ups", "min", "average", "99 %", "99.99 %", "max", "over 400")
	for _, c := range shown {
		name := fmt.Sprint(c.CPU)
		if c.Isolated {
			name += " alone"
		}
		line(name, humanize.Comma(c.Wakeups()), fmt.Sprint(c.Min), fmt.Sprintf("%.1f", c.Average), c.percentile(99), c.percentile(99.99), fmt.Sprint(c.Max), humanize.Comma(c.Overruns))
	}
	return b.String() + out
}

// percentile is for people; ">" stands before the bound of what is not known.
func (c Core) percentile(p float64) string {
	micros, ok := c.Percentile(p)
	switch {
	case c.Wakeups() == 0:
		return "-"
	case !ok:
		return fmt.Sprintf(">%d", Bound-1)
	}
	return fmt.Sprint(micros)
}

// Sentences read the histogram and the table aloud.
func (r *Result) Sentences() []string {
	total := r.Total()
	all := total.Wakeups()
	if all == 0 {
		return []string{"Nothing was measured."}
	}
	s := []string{fmt.Sprintf("%s wake-ups were measured on %s, %s.", humanize.Comma(all), cores(len(r.Cores)), r.Kernel)}
	for i, row := range total.rows(few) {
		if row.count > 0 {
			came := "came"
			if row.count == all {
				came = "all came"
			}
			s = append(s, fmt.Sprintf("%s (%s) %s %s microseconds late.", humanize.Comma(row.count), percent(row.count, all), came, span(few, i)))
		}
	}
	for _, c := range r.Cores {
		alone := ""
		if c.Isolated {
			alone = ", isolated"
		}
		if c.Wakeups() == 0 {
			s = append(s, fmt.Sprintf("Core %d%s: no wake-up.", c.CPU, alone))
			continue
		}
		s = append(s, fmt.Sprintf("Core %d%s: average %.1f, 99 of 100 %s, 9,999 of 10,000 %s, the latest %d microseconds.", c.CPU, alone, c.Average, c.within(99), c.within(99.99), c.Max))
	}
	return s
}

func (c Core) within(p float64) string {
	if micros, ok := c.Percentile(p); ok {
		return fmt.Sprintf("within %d", micros)
	}
	return fmt.Sprintf("not within %d", Bound-1)
}

func cores(n int) string {
	if n == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%d cores", n)
}

// percent never says 0 or 100 of what is some or not all.
func percent(part, all int64) string {
	p := 100 * float64(part) / float64(all)
	switch {
	case part == all:
		return "100 %"
	case p < 0.01:
		return "under 0.01 %"
	case p > 99.99:
		return "over 99.99 %"
	case p < 1 || p > 99:
		return fmt.Sprintf("%.2f %%", p)
	}
	return fmt.Sprintf("%.0f %%", p)
}
