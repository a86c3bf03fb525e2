package rescue

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/core"
	"github.com/u-root/u-root/pkg/core/base64"
	"github.com/u-root/u-root/pkg/core/cat"
	"github.com/u-root/u-root/pkg/core/chmod"
	"github.com/u-root/u-root/pkg/core/cp"
	"github.com/u-root/u-root/pkg/core/find"
	"github.com/u-root/u-root/pkg/core/ls"
	"github.com/u-root/u-root/pkg/core/mkdir"
	"github.com/u-root/u-root/pkg/core/mktemp"
	"github.com/u-root/u-root/pkg/core/mv"
	"github.com/u-root/u-root/pkg/core/rm"
	"github.com/u-root/u-root/pkg/core/shasum"
	"github.com/u-root/u-root/pkg/core/tar"
	"github.com/u-root/u-root/pkg/core/touch"
	"mvdan.cc/sh/v3/interp"
)

// A call is one command with what it runs in.
type call struct {
	context.Context
	interp.HandlerContext
	args []string // without the name
}

type command func(call) error

// commands returns our commands by name. Of pkg/core two are left out: xargs
// wants programs on disk, and gzip brings a parallel compressor along.
func commands() map[string]command {
	return map[string]command{
		"base64": uroot(base64.New), "cat": uroot(cat.New), "chmod": uroot(chmod.New), "cp": uroot(cp.New),
		"find": uroot(find.New), "ls": uroot(ls.New), "mkdir": uroot(mkdir.New), "mktemp": uroot(mktemp.New),
		"mv": uroot(mv.New), "rm": uroot(rm.New), "shasum": uroot(shasum.New), "tar": uroot(tar.New), "touch": uroot(touch.New),

		"blk": blk, "chroot": chroot, "df": df, "dmesg": dmesg, "free": free, "grep": grep, "head": head,
		"help": help, "ip": ip, "kill": kill, "ln": ln, "lsmod": lsmod, "modprobe": modprobe, "mount": mountCommand,
		"poweroff": poweroff, "ps": ps, "reboot": reboot, "rmmod": rmmod, "sleep": sleep, "sync": syncCommand,
		"tail": tail, "umount": umount, "uname": uname, "wc": wc, "zcat": zcat,
	}
}

// uroot runs one of u-root's core commands.
func uroot(make func() core.Command) command {
	return func(c call) error { return c.runCore(make()) }
}

func (c call) runCore(cmd core.Command) error {
	cmd.SetIO(c.Stdin, c.Stdout, c.Stderr)
	cmd.SetWorkingDir(c.Dir)
	cmd.SetLookupEnv(func(name string) (string, bool) {
		v := c.Env.Get(name)
		return v.String(), v.IsSet()
	})
	err := cmd.RunContext(c.Context, c.args...)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

// usage is the error of a command that was called wrongly.
func usage(text string) error { return fmt.Errorf("usage: %s", text) }

func help(c call) error {
	fmt.Fprintln(c.Stdout, `Commands of this shell:
  `+wrap(slices.Sorted(maps.Keys(commands())), 76)+`
Shell: cd pwd echo printf test read exit, if for while case, pipes, redirections.
  blk                              disks and partitions, what they hold
  mount [-t TYPE] [-o OPTIONS] DEVICE DIR    mount; without arguments: list
  mount --bind DIR DIR             chroot DIR [COMMAND]     umount DIR
  dmesg | tail                     the kernel's last words
  modprobe [-f] MODULE             load a driver; -f: also one that is refused here
  reboot, poweroff                 both write everything to disk before
  exit                             try again to start the machine
The machine's disk, when it was found, is at /.reprise/disk.`)
	return nil
}

func wrap(words []string, width int) string {
	var b strings.Builder
	column := 0
	for i, w := range words {
		if i > 0 && column+1+len(w) > width {
			b.WriteString("\n  ")
			column = 0
		} else if i > 0 {
			b.WriteString(" ")
			column++
		}
		b.WriteString(w)
		column += len(w)
	}
	return b.String()
}
