package stage1

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Levels of the kernel's log.
const (
	logError   = 3
	logWarning = 4
	logInfo    = 6
)

// A journal writes to the kernel's log. Before it is open, and when that
// failed, nothing is written.
type journal struct{ file *os.File }

func (j *journal) open() {
	if j.file != nil {
		return
	}
	f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err == nil {
		j.file = f
	}
}

// printf writes one line. The kernel takes less than a kilobyte in one piece.
func (j *journal) printf(level int, format string, args ...any) {
	if j.file == nil {
		return
	}
	line := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " ")
	_, _ = fmt.Fprintf(j.file, "<%d>reprise: %.900s\n", level, line)
}

// kernelSays returns the last lines of the kernel's log that hold a word.
func (j *journal) kernelSays(word string) []string {
	buffer := make([]byte, 256<<10)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buffer)
	if err != nil {
		return nil
	}
	const most = 5
	var lines []string
	for line := range bytes.Lines(buffer[:n]) {
		if bytes.Contains(line, []byte(word)) {
			lines = append(lines, "kernel: "+strings.TrimSpace(stripLevel(string(line))))
		}
	}
	return lines[max(0, len(lines)-most):]
}

// stripLevel turns "<6>[    2.31] text" into "[    2.31] text".
func stripLevel(line string) string {
	if _, rest, ok := strings.Cut(line, ">"); ok && strings.HasPrefix(line, "<") {
		return rest
	}
	return line
}

// quietConsole keeps the kernel's messages off the consoles, all but the worst,
// until the returned function is called. The log has them all the same.
func quietConsole() (restore func()) {
	before, err := os.ReadFile("/proc/sys/kernel/printk") // the first number is the console's level
	level, convErr := strconv.Atoi(strings.Fields(string(before) + " 7")[0])
	if err != nil || convErr != nil {
		return func() {}
	}
	set := func(n int) { _ = os.WriteFile("/proc/sys/kernel/printk", []byte(strconv.Itoa(n)), 0) }
	set(min(level, logError))
	return func() { set(level) }
}
