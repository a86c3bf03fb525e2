package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"reprise/tui"
)

// ownEditor is the editor that somebody has chosen, or else one that is there,
// as a command line; "" when there is none, as in the initramfs of a medium.
func ownEditor(getenv func(string) string) string {
	for _, line := range []string{getenv("VISUAL"), getenv("EDITOR"), "nano", "vim", "vi"} {
		if words := strings.Fields(line); len(words) > 0 {
			if _, err := exec.LookPath(words[0]); err == nil {
				return strings.Join(words, " ")
			}
		}
	}
	return ""
}

// An edited text is in a file of its own while a program changes it.
type edited struct {
	*exec.Cmd
	dir, file string
}

func (e *edited) SetStdin(r io.Reader)  { e.Stdin = r }
func (e *edited) SetStdout(w io.Writer) { e.Stdout = w }
func (e *edited) SetStderr(w io.Writer) { e.Stderr = w }

// Text reads the file once, and takes it away.
func (e *edited) Text() ([]byte, error) {
	data, err := os.ReadFile(e.file)
	if removed := os.RemoveAll(e.dir); err == nil {
		err = removed
	}
	return data, err
}

// editWith hands a text to the editor. It keeps its name, by which editors know
// what is in it.
func editWith(line string) func(string, []byte) (tui.Outside, error) {
	return func(name string, text []byte) (tui.Outside, error) {
		dir, err := os.MkdirTemp("", "reprise-edit-")
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			os.RemoveAll(dir)
			return nil, fmt.Errorf("give the text to %q: %w", line, err)
		}
		words := append(strings.Fields(line), file)
		return &edited{exec.Command(words[0], words[1:]...), dir, file}, nil
	}
}
