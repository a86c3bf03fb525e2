package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo terminal of 100 columns.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(theirs.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 100}); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// onTerminal runs the program on a terminal and returns all that came to it,
// and the modes of the terminal before and after.
func onTerminal(t *testing.T, interrupt string, args ...string) (text string, code int) {
	t.Helper()
	ours, theirs := terminal(t)
	defer ours.Close()
	before, err := unix.IoctlGetTermios(int(theirs.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), "TERM=xterm")
	c.Stdin, c.Stdout, c.Stderr = theirs, theirs, theirs
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		var all bytes.Buffer
		chunk := make([]byte, 4096)
		for {
			n, err := ours.Read(chunk)
			all.Write(chunk[:n])
			if interrupt != "" && strings.Contains(all.String(), interrupt) {
				interrupt = ""
				ours.Write([]byte{3}) // Ctrl-C, as a person types it
			}
			if err != nil { // EIO: everybody on the other side is gone
				read <- all.String()
				return
			}
		}
	}()
	c.Wait()
	after, err := unix.IoctlGetTermios(int(theirs.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if *before != *after {
		t.Errorf("the terminal was left in other modes:\n%+v\n%+v", before, after)
	}
	theirs.Close()
	return <-read, c.ProcessState.ExitCode()
}

// screen plays what came to a terminal and returns the lines that stay. It
// knows what live lines use: up, erase, carriage return.
func screen(t *testing.T, text string) []string {
	t.Helper()
	lines, row, col := [][]rune{nil}, 0, 0
	put := func(r rune) {
		for len(lines) <= row {
			lines = append(lines, nil)
		}
		for len(lines[row]) <= col {
			lines[row] = append(lines[row], ' ')
		}
		lines[row][col] = r
		col++
	}
	control := regexp.MustCompile(`^\x1b\[([0-9;?]*)([A-Za-z])`)
	for len(text) > 0 {
		if m := control.FindStringSubmatch(text); m != nil {
			n := 1
			fmt.Sscanf(m[1], "%d", &n)
			switch m[2] {
			case "A":
				row = max(0, row-n)
			case "J":
				if row < len(lines) {
					lines = lines[:row+1]
					lines[row] = lines[row][:min(col, len(lines[row]))]
				}
			case "K":
				if row < len(lines) {
					lines[row] = lines[row][:min(col, len(lines[row]))]
				}
			case "m":
			default:
				t.Errorf("control sequence %q on the terminal", m[0])
			}
			text = text[len(m[0]):]
			continue
		}
		r := []rune(text[:min(4, len(text))])[0]
		text = text[len(string(r)):]
		switch r {
		case '\n':
			row++
			for len(lines) <= row {
				lines = append(lines, nil)
			}
		case '\r':
			col = 0
		default:
			if r < ' ' {
				t.Errorf("control character %q on the terminal", r)
				continue
			}
			put(r)
		}
	}
	var all []string
	for _, l := range lines {
		all = append(all, strings.TrimRight(string(l), " "))
	}
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

// TestTerminal holds that a terminal gets live lines with bytes and rate, and
// that only results stay when the work is done, failed or interrupted.
func TestTerminal(t *testing.T) {
	r := liveRig(t)
	dir := t.TempDir()
	copyFile(t, r.lock, filepath.Join(dir, "x.lock"))
	image := filepath.Join(dir, "x.img")
	build := []string{"--store", store, "build", "live-rig", "--authorize", r.keyFile + ".pub", "-o", image}

	text, code := onTerminal(t, "write x.img", build...)
	if code != 130 {
		t.Errorf("Ctrl-C on the terminal: exit code %d\n%q", code, text)
	}
	left := screen(t, text)
	if len(left) == 0 || left[len(left)-1] != "reprise: interrupted; unfinished work is removed" {
		t.Errorf("after Ctrl-C the screen is %q", left)
	}
	if names := listing(t, dir); len(names) != 2 {
		t.Errorf("after Ctrl-C: %q", names)
	}

	text, code = onTerminal(t, "", build...)
	if code != 0 {
		t.Fatalf("exit code %d\n%q", code, text)
	}
	for _, part := range []string{"write x.img", "MiB", "/s"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q on the terminal:\n%q", part, text)
		}
	}
	if strings.Count(text, "write x.img") < 3 {
		t.Errorf("the line is not live:\n%q", text)
	}
	for _, line := range screen(t, text) {
		if strings.Contains(line, "write x.img") || strings.ContainsAny(line, "[]%") && strings.Contains(line, "/s") {
			t.Errorf("a live line stayed on the screen: %q", line)
		}
	}
	if left := screen(t, text); len(left) != 4 || !strings.HasPrefix(left[0], image+": written, ") {
		t.Errorf("the screen ends as %q", left)
	}
}
