package latency

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// How says what was done to measure.
func (r *Result) How() string {
	s := fmt.Sprintf("cyclictest, SCHED_FIFO %d, every %d us on %s, %d s", Priority, Interval, cores(len(r.Cores)), r.Seconds)
	if r.IdleMicros != nil {
		s += fmt.Sprintf(", idle states that wake within %d us", *r.IdleMicros)
	}
	if l := r.Load; l.Workers > 0 {
		threads := fmt.Sprintf("%d threads", l.Workers)
		if l.Workers == 1 {
			threads = "1 thread"
		}
		s += fmt.Sprintf("; beside it %s hashed %s, threads woke each other %s times", threads, humanize.IBytes(uint64(max(l.HashedBytes, 0))), humanize.Comma(l.Wakes))
		if l.ReadBytes > 0 {
			s += fmt.Sprintf(", and %s of %s were read from its disk", humanize.IBytes(uint64(l.ReadBytes)), l.ReadFrom)
		}
	} else {
		s += "; no load beside it"
	}
	return s + "."
}

// lineWidth is where the lines of a comment wrap.
const lineWidth = 76

// Comment is what goes to the top of a configuration, a line each: what was
// measured now, and beside it what other kernels of the same machine had.
func Comment(r *Result, others []Result) []string {
	var lines []string
	add := func(text string) { lines = append(lines, wrap(text, lineWidth)...) }
	lines = append(lines, "")
	add(fmt.Sprintf("Latency, measured %s:", r.When.UTC().Format("2006-01-02 15:04 UTC")))
	add(r.Kernel.String() + ".")
	add(r.How())
	lines = append(lines, strings.Split(strings.TrimRight(r.Table(maxCPU), "\n"), "\n")...)
	for _, s := range r.Words() {
		add(s)
	}
	if len(Others(r, others)) > 0 {
		lines = append(lines, "Beside other kernels of this machine:")
		lines = append(lines, strings.Split(strings.TrimRight(Compare(r, others), "\n"), "\n")...)
	}
	for i, l := range lines {
		lines[i] = printable(l)
	}
	return lines
}

// CommentFailed is the comment when it could not be measured.
func CommentFailed(when time.Time, reason string) []string {
	return append([]string{""}, wrap(printable(fmt.Sprintf("Latency could not be measured %s: %s", when.UTC().Format("2006-01-02 15:04 UTC"), strings.Join(strings.Fields(reason), " "))), lineWidth)...)
}

// Others are the measurements of other kernels on the machine of r, the latest
// of each, sorted by kernel.
func Others(r *Result, kept []Result) []Result {
	var others []Result
	for _, o := range kept {
		if o.Machine != r.Machine || o.Kernel == r.Kernel {
			continue
		}
		i := slices.IndexFunc(others, func(x Result) bool { return x.Kernel == o.Kernel })
		switch {
		case i < 0:
			others = append(others, o)
		case o.When.After(others[i].When):
			others[i] = o
		}
	}
	slices.SortFunc(others, func(a, b Result) int { return strings.Compare(a.Kernel.String(), b.Kernel.String()) })
	return others
}

// Compare shows r beside what other kernels had on the same machine, at most
// two of them, in 76 columns. Without another kernel it says how to have one.
func Compare(r *Result, kept []Result) string {
	others := Others(r, kept)
	if len(others) == 0 {
		return "No other kernel was measured on this machine: start it with another one, and\nmeasure again to see both.\n"
	}
	slices.SortStableFunc(others, func(a, b Result) int { return b.When.Compare(a.When) })
	shown := []*Result{r}
	for i := range others[:min(2, len(others))] {
		shown = append(shown, &others[i])
	}
	const label = 18
	width := (lineWidth - label) / len(shown)
	var b strings.Builder
	row := func(name string, cell func(*Result) string) {
		line := fmt.Sprintf("%-*s", label, name)
		for _, s := range shown {
			line += fmt.Sprintf("%*s", width, shorten(cell(s), width-1))
		}
		b.WriteString(printable(strings.TrimRight(line, " ")) + "\n")
	}
	row("kernel", func(s *Result) string { return s.Kernel.Release })
	row("", func(s *Result) string { return s.Kernel.Preemption })
	row("measured", func(s *Result) string { return s.When.UTC().Format("2006-01-02 15:04") })
	row("seconds", func(s *Result) string { return fmt.Sprint(s.Seconds) })
	row("average us", func(s *Result) string { return fmt.Sprintf("%.1f", s.Total().Average) })
	row("99 % within", func(s *Result) string { return s.Total().percentile(99) })
	row("99.99 % within", func(s *Result) string { return s.Total().percentile(99.99) })
	row("latest", func(s *Result) string { return fmt.Sprint(s.Total().Max) })
	row("over 400", func(s *Result) string { return humanize.Comma(s.Total().Overruns) })
	row("looks safe", func(s *Result) string {
		switch v, ok := s.Judge(); {
		case !ok:
			return "not known"
		case v.Quantum == 0:
			return "none"
		default:
			return fmt.Sprintf("%d frames", v.Quantum)
		}
	})
	return b.String()
}

// OtherSentences read aloud what Compare shows of other kernels.
func OtherSentences(r *Result, kept []Result) []string {
	var s []string
	for _, o := range Others(r, kept) {
		safe := "No quantum looked safe"
		if v, ok := o.Judge(); !ok {
			continue
		} else if v.Quantum > 0 {
			safe = fmt.Sprintf("%d frames looked safe", v.Quantum)
		}
		total := o.Total()
		s = append(s, printable(fmt.Sprintf("With kernel %s this machine had, on %s: average %.1f, 9,999 of 10,000 %s, the latest %d microseconds. %s.", o.Kernel, o.When.UTC().Format("2006-01-02"), total.Average, total.within(99.99), total.Max, safe)))
	}
	return s
}

// shorten cuts the front of a text: kernels differ at the end of their names.
func shorten(s string, width int) string {
	if len(s) <= width {
		return s
	}
	return "~" + s[len(s)-width+1:]
}

// Text is the whole result for a person, in so many columns.
func (r *Result) Text(kept []Result, width int) string {
	var b strings.Builder
	say := func(text string) {
		for _, l := range wrap(text, min(width, 100)) {
			b.WriteString(l + "\n")
		}
	}
	say(r.Kernel.String() + ".")
	for _, s := range r.Words() {
		say(s)
	}
	b.WriteString("\n" + r.Histogram(min(width, 100), len(few)+1) + "\n" + r.Table(maxCPU) + "\n")
	say(r.How())
	b.WriteString("\n" + Compare(r, kept))
	return b.String()
}

// wrap breaks text at spaces into lines of width columns.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
