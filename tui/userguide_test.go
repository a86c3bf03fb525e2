package tui

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/installer"
	"reprise/installer/answers"
	"reprise/installer/plan"
)

// guides are held to what the program says: below each mark a block has what
// the mark names, and -update writes it.
const guides = "../docs/guide"

// marked is a mark and the block below it.
var marked = regexp.MustCompile("(?m)^<!-- ([a-z]+) ?([A-Za-z-]*) -->\n```([a-z]+)\n((?s:.*?))^```$")

// TestGuides holds the pictures and examples of the guides.
func TestGuides(t *testing.T) {
	files, err := filepath.Glob(guides + "/*.md")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d guides, %v", len(files), err)
	}
	for _, file := range append(files, "../README.md") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := string(data)
		if marks, blocks := strings.Count(got, "\n<!-- "), len(marked.FindAllString(got, -1)); marks != blocks {
			t.Errorf("%s has %d marks and %d blocks below them", file, marks, blocks)
		}
		want := marked.ReplaceAllStringFunc(got, func(block string) string {
			m := marked.FindStringSubmatch(block)
			return fmt.Sprintf("<!-- %s -->\n```%s\n%s```", strings.TrimSpace(m[1]+" "+m[2]), m[3], picture(t, m[1], m[2], m[4]))
		})
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is not what the program says; go test ./tui -run TestGuides -update writes it (-want +got):\n%s", file, diff)
		}
	}
}

// picture is what belongs below a mark; now is what stands there.
func picture(t *testing.T, kind, name, now string) string {
	t.Helper()
	switch kind {
	case "screen":
		return blankLines.ReplaceAllString(screenshot(t, name), "\n\n")
	case "talk":
		_, rest, ok := strings.Cut(read(t, "testdata/talk.txt"), "\n\n"+name+"\n\n")
		text, _, end := strings.Cut(rest, "\n\n"+name+"\n\n")
		if !ok || !end {
			t.Errorf("no talk about %q", name)
		}
		return strings.TrimRight(name+"\n\n"+text, "\n") + "\n"
	case "menu":
		var b strings.Builder
		for n, m := range regexp.MustCompile(`(?m)^menuentry '([^']*)'`).FindAllStringSubmatch(read(t, "../internal/bootmenu/testdata/grub.cfg"), -1) {
			fmt.Fprintf(&b, "%s%s\n", map[bool]string{true: " *", false: "  "}[n == 0], m[1])
		}
		return b.String()
	case "answers":
		return answers.Example
	case "lines":
		return serialLines(t)
	case "problems":
		return problems(t)
	case "example": // written by hand, and right
		file, err := answers.Parse(name, []byte(now))
		if err != nil {
			t.Errorf("example %q: %v", name, err)
		} else if all := answers.Check(file.Answers); len(all) > 0 {
			t.Errorf("example %q: %v", name, all)
		}
		if !json.Valid([]byte(now)) {
			t.Errorf("example %q is no JSON", name)
		}
		return now
	}
	t.Errorf("no picture %q", kind)
	return now
}

var blankLines = regexp.MustCompile(`\n{3,}`)

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// screenshot is a screen of the golden files, at 80 by 24.
func screenshot(t *testing.T, name string) string {
	t.Helper()
	if name == "running-copy" {
		return read(t, "testdata/running.80x24.txt")
	}
	for _, file := range []string{laptop + ".80x24.txt", "states.80x24.txt"} {
		for section := range strings.SplitSeq(read(t, filepath.Join("testdata", file)), "==== ") {
			head, text, _ := strings.Cut(section, "\n")
			if at, _, _ := strings.Cut(head, ","); at == name {
				return text
			}
		}
	}
	t.Errorf("no screen %q", name)
	return ""
}

// serialLines are those of an installation without a person that succeeds.
func serialLines(t *testing.T) string {
	r := newRig(t, laptop)
	r.to(stepReview)
	var b strings.Builder
	b.WriteString("reprise: installing as /dev/sdb3: " + answers.FileName + " says\n")
	tell := installer.Lines(&b)
	for _, s := range r.m.s.Plan.Steps {
		if s.Name == plan.Encrypt {
			continue
		}
		tell(s.Name, installer.Started)
		tell(s.Name, installer.Done)
	}
	return b.String() + installer.LastLine(&installer.Result{Generation: 1}, "", nil)
}

// problems are those of answers with three mistakes.
func problems(t *testing.T) string {
	const wrong = `{
  "version": 1, "profile": "live-rig",
  "disk": "S4EWNX0R", "erase": "S4EWNX0X",
  "hostname": "rig-01",
  "fileSystem": "ext3"
}
`
	_, err := answers.Parse(answers.FileName, []byte(wrong))
	if err == nil {
		t.Fatal("the wrong answers are right")
	}
	return installer.LastLine(nil, "answers", err) + "\nreprise: " + strings.TrimRight(err.Error(), "\n") + "\n"
}
