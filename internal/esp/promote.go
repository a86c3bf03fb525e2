package esp

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"reprise/internal/bootentry"
)

// Bless decides what ends the trial of generation n, which went well: n
// becomes the default, its entry gets its plain name. For a generation that is not on
// trial, and for one that is blessed already, there is nothing to do.
func Bless(s State, n int) Plan {
	onTrial := s.EnvProblem == "" && s.Env.Trial == n
	for _, e := range s.Entries {
		onTrial = onTrial || e.Number == n && e.Counted
	}
	if !onTrial {
		return Plan{Free: s.Space.Free}
	}
	return promote(s, n)
}

// SetDefault decides what makes generation n the default and ends every trial.
// It writes no kernel, and on a full ESP it needs no room.
func SetDefault(s State, n int) Plan { return promote(s, n) }

func promote(s State, n int) Plan {
	p := planning{s: s, gone: map[string]bool{}}
	p.Free = s.Space.Free
	from, ok := s.entry(n)
	switch {
	case !ok:
		p.Problems = append(p.Problems, fmt.Sprintf("generation %d has no boot entry: there are entries of %s", n, list(s.Numbers())))
	case !from.Text.Head:
		p.Problems = append(p.Problems, fmt.Sprintf("the boot entry %q was written by another version of this program", from.Name))
	case !s.inMenu(n):
		p.Problems = append(p.Problems, fmt.Sprintf("generation %d is not in GRUB's menu", n))
	}
	if len(p.Problems) > 0 {
		return p.Plan
	}
	plain := bootentry.EntryName(bootentry.Generation{Number: n})
	head := bootentry.Head(bootentry.Default)
	switch name := path.Join(bootentry.EntryDir, plain); {
	case from.Name == plain && from.Text.Rank != bootentry.Default:
		p.add(Step{Op: Patch, Path: name, Content: head})
	case from.Name == plain:
	default:
		content := append(head, from.content[bootentry.HeadBytes:]...)
		if need := p.clusters(int64(len(content))); need <= s.Space.Free {
			p.Need = need
			p.add(Step{Op: Create, Path: name, Content: content})
			break
		}
		// Without room for another file the one that is there changes its name.
		// FAT can lose it in a power cut between two sectors of the directory;
		// then the default before starts, and the next Make writes the entry.
		counted := path.Join(bootentry.EntryDir, from.Name)
		p.add(Step{Op: Patch, Path: counted, Content: head})
		p.sync()
		p.add(Step{Op: Rename, Path: counted, To: name})
		p.gone[counted] = true
	}
	p.sync()
	env := s.Env.Bless(n)
	env.Menu = s.menuLetter()
	if s.EnvProblem != "" {
		p.replace(bootentry.GRUBEnv, env.Encode())
	} else if env != s.Env {
		p.add(Step{Op: Patch, Path: bootentry.GRUBEnv, Content: env.Encode()[:bootentry.EnvSector]})
	}
	p.sync()
	var counted []string // they go last: while one is there, Bless is not done
	for _, e := range s.Entries {
		name := path.Join(bootentry.EntryDir, e.Name)
		switch {
		case p.gone[name] || e.Name == plain:
		case e.Number == n:
			counted = append(counted, name)
		case e.Text.Head && e.Text.Rank != bootentry.Other:
			p.add(Step{Op: Patch, Path: name, Content: bootentry.Head(bootentry.Other)})
		}
	}
	p.sync()
	for _, name := range counted {
		p.add(Step{Op: Remove, Path: name})
	}
	p.sync()
	return p.Plan
}

func (s State) inMenu(n int) bool {
	menu, _ := s.menuInUse()
	for _, e := range menu.Entries {
		if e.Number == n {
			return true
		}
	}
	return false
}

// list prints numbers for a sentence: "1, 2 and 4".
func list(numbers []int) string {
	if len(numbers) == 0 {
		return "no generation"
	}
	var b strings.Builder
	for i, n := range numbers {
		switch {
		case i == 0:
		case i == len(numbers)-1:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}
