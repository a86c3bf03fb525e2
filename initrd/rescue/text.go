package rescue

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/interp"
)

func exitStatus(n int) error { return interp.ExitStatus(uint8(n)) }

// path makes an argument absolute: the shell's directory is not the process's.
func (c call) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.Dir, p)
}

func (c call) show(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(c.Stdout, f)
	return err
}

// each calls use with every line of the named files, or of the input, until it
// says false.
func (c call) each(files []string, use func(line string) bool) error {
	if len(files) == 0 {
		return c.scan(c.Stdin, use)
	}
	for _, name := range files {
		f, err := os.Open(c.path(name))
		if err != nil {
			return err
		}
		err = c.scan(f, use)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (c call) scan(r io.Reader, use func(line string) bool) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if c.Err() != nil {
			return c.Err()
		}
		if !use(s.Text()) {
			return nil
		}
	}
	return s.Err()
}

func grep(c call) error {
	ignore, invert := "", false
	args := c.args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && len(args[0]) > 1 {
		for _, flag := range args[0][1:] {
			switch flag {
			case 'i':
				ignore = "(?i)"
			case 'v':
				invert = true
			case 'E':
			default:
				return fmt.Errorf("option -%c is not known", flag)
			}
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return usage("grep [-iv] PATTERN [FILE…]")
	}
	re, err := regexp.Compile(ignore + args[0])
	if err != nil {
		return err
	}
	found := false
	err = c.each(args[1:], func(line string) bool {
		if re.MatchString(line) == invert {
			return true
		}
		found = true
		_, err := fmt.Fprintln(c.Stdout, line)
		return err == nil
	})
	if err == nil && !found {
		return exitStatus(1)
	}
	return err
}

// count takes "-n N" or "-N" off the arguments.
func (c call) count() (n int, files []string, err error) {
	n, files = 10, c.args
	if len(files) > 0 && strings.HasPrefix(files[0], "-") {
		text := strings.TrimPrefix(files[0][1:], "n")
		files = files[1:]
		if text == "" && len(files) > 0 {
			text, files = files[0], files[1:]
		}
		if n, err = strconv.Atoi(text); err != nil || n < 0 {
			return 0, nil, fmt.Errorf("%q is not a number of lines", text)
		}
	}
	return n, files, nil
}

func head(c call) error {
	n, files, err := c.count()
	if err != nil || n == 0 {
		return err
	}
	return c.each(files, func(line string) bool {
		_, err := fmt.Fprintln(c.Stdout, line)
		n--
		return err == nil && n > 0
	})
}

func tail(c call) error {
	n, files, err := c.count()
	if err != nil || n == 0 {
		return err
	}
	var last []string
	if err := c.each(files, func(line string) bool {
		if len(last) == n {
			last = append(last[:0], last[1:]...)
		}
		last = append(last, line)
		return true
	}); err != nil {
		return err
	}
	for _, line := range last {
		fmt.Fprintln(c.Stdout, line)
	}
	return nil
}

func wc(c call) error {
	lines, words, bytes := 0, 0, 0
	err := c.each(c.args, func(line string) bool {
		lines, words, bytes = lines+1, words+len(strings.Fields(line)), bytes+len(line)+1
		return true
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Stdout, lines, words, bytes)
	return err
}

func ln(c call) error {
	symbolic := len(c.args) > 0 && strings.HasPrefix(c.args[0], "-s")
	force := len(c.args) > 0 && c.args[0] == "-sf"
	if symbolic {
		c.args = c.args[1:]
	}
	if len(c.args) != 2 {
		return usage("ln [-s[f]] TARGET NAME")
	}
	name := c.path(c.args[1])
	if !symbolic {
		return os.Link(c.path(c.args[0]), name)
	}
	if info, err := os.Lstat(name); force && err == nil && info.Mode().Type() == os.ModeSymlink {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return os.Symlink(c.args[0], name)
}

// zcat prints what a gzip file holds, such as /proc/config.gz.
func zcat(c call) error {
	if len(c.args) != 1 {
		return usage("zcat FILE")
	}
	f, err := os.Open(c.path(c.args[0]))
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return err
	}
	_, err = io.Copy(c.Stdout, z)
	return err
}

func sleep(c call) error {
	if len(c.args) != 1 {
		return usage("sleep SECONDS")
	}
	seconds, err := strconv.ParseFloat(c.args[0], 64)
	if err != nil || !(seconds >= 0 && seconds < 1e9) {
		return fmt.Errorf("%q is not a number of seconds", c.args[0])
	}
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		return nil
	case <-c.Done():
		return c.Err()
	}
}
