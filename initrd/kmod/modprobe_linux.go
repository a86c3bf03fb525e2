package kmod

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Modprobe answers `modprobe [-q] [-f] [-r] [-a] [--] NAME [parameter=value …]`,
// where NAME is a module or an alias: what the kernel runs as /sbin/modprobe
// when it wants something by name, and what a person types in the rescue
// shell. Modules come from dir (usr/lib/modules/<version>); those that are
// refused are loaded with -f alone, which means nothing else here. It returns
// the exit status, 0 or 1.
func Modprobe(dir string, refused Refused, args []string, stderr io.Writer) int {
	call, err := parseModprobe(args)
	if err == nil {
		err = call.run(dir, refused)
	}
	if err == nil || call.quiet && (errors.Is(err, ErrUnknown) || errors.Is(err, ErrRefused)) {
		if err != nil {
			return 1
		}
		return 0
	}
	fmt.Fprintln(stderr, "modprobe:", err)
	return 1
}

type modprobeCall struct {
	quiet, remove, force bool
	names                []string
	parameters           string
}

func parseModprobe(args []string) (modprobeCall, error) {
	var c modprobeCall
	all, flags := false, true
	for _, arg := range args {
		switch {
		case flags && arg == "--":
			flags = false
		case flags && len(arg) > 1 && arg[0] == '-':
			switch arg {
			case "-q", "--quiet":
				c.quiet = true
			case "-f", "--force":
				c.force = true
			case "-r", "--remove":
				c.remove = true
			case "-a", "--all":
				all = true
			case "-b", "--use-blacklist", "-s", "--syslog", "-v", "--verbose":
			default:
				return c, fmt.Errorf("option %q is not known", arg)
			}
		case len(c.names) == 0 || all || c.remove:
			c.names = append(c.names, arg)
		default:
			c.parameters = strings.TrimSpace(c.parameters + " " + arg)
		}
	}
	if len(c.names) == 0 {
		return c, errors.New("want the name of a module or an alias")
	}
	return c, nil
}

func (c modprobeCall) run(dir string, refused Refused) error {
	if c.remove {
		for _, name := range c.names {
			if err := unix.DeleteModule(Name(name), unix.O_NONBLOCK); err != nil {
				return fmt.Errorf("remove %s: %w", Name(name), err)
			}
		}
		return nil
	}
	x, err := Read(os.DirFS(dir))
	if err != nil {
		return err
	}
	if c.force {
		refused = nil
	}
	var errs []error
	for _, name := range c.names {
		if err := refused.check(x, name); err != nil {
			errs = append(errs, err)
			continue
		}
		var options map[string]string
		if c.parameters != "" {
			options = map[string]string{Name(name): c.parameters}
		}
		if err := NewLoader(x, dir, options, refused.names()).Load(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Dir returns the modules directory of the running kernel below root, such as
// "/usr/lib/modules/6.12.107+deb13-rt-amd64".
func Dir(root string) (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return filepath.Join(root, "usr/lib/modules", unix.ByteSliceToString(u.Release[:])), nil
}
