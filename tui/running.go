package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"reprise/installer"
	"reprise/installer/plan"
	"reprise/internal/progress"
)

// marks are what stands before a step.
var marks = map[installer.Status]string{
	"": "[ ]", installer.Started: "[>]", installer.Done: "[x]", installer.Kept: "[x]", installer.Failed: "[!]",
}

// runningText shows an installation on its way.
func runningText(p *plan.Plan, s snapshot, width int) string {
	var b strings.Builder
	b.WriteString(cut(fmt.Sprintf("Installing %s on %s. Do not switch off.", p.System, p.Disk.Path), width) + "\n\n")
	for _, step := range p.Steps {
		status := s.steps[step.Name]
		line := " " + marks[status] + " " + step.Text
		if status == installer.Kept {
			line = " " + marks[status] + " (done before) " + step.Text
		}
		b.WriteString(cut(line, width) + "\n")
	}
	b.WriteString("\n")
	if s.task == "" {
		b.WriteString("Working.  " + clock(s.elapsed) + " so far\n")
	} else {
		b.WriteString(cut(bar(s, min(30, width/3))+"  "+amounts(s), width) + "\n")
		b.WriteString(cut(s.task+"  "+s.about, width) + "\n")
		b.WriteString(clock(s.elapsed) + " so far\n")
	}
	for _, n := range s.notes {
		b.WriteString(cut("! "+strings.ReplaceAll(n, "\n", " "), width) + "\n")
	}
	return b.String()
}

// bar is drawn in ASCII; without a total it is empty.
func bar(s snapshot, width int) string {
	full := 0
	if s.total > 0 {
		full = int(int64(width) * min(s.done, s.total) / s.total)
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

func amounts(s snapshot) string {
	show := func(n int64) string {
		if s.unit == progress.Bytes {
			return amount(n)
		}
		return humanize.Comma(n)
	}
	text := show(s.done)
	if s.total > 0 {
		text = fmt.Sprintf("%3d %%  %s of %s", 100*min(s.done, s.total)/s.total, show(s.done), show(s.total))
	}
	if rate := s.rate(); rate > 0 {
		text += ", " + show(int64(rate)) + "/s"
	}
	if left, ok := s.left(); ok {
		text += ", " + clock(left) + " left"
	}
	return text
}

// clock writes a duration in minutes and seconds.
func clock(d time.Duration) string {
	seconds := int64((d + time.Second/2) / time.Second)
	if seconds >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}
