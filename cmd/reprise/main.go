// Command reprise turns one file into a bootable image of a purely functional
// Linux for musicians. The same program builds images on any Linux, is the
// first process inside them, and looks after the running machine.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"reprise/initrd/stage1"
	"reprise/internal/activation"
	"reprise/internal/builder"
	"reprise/internal/config"
	"reprise/internal/passwdtool"
	"reprise/store/sandbox"
)

func main() {
	// These answer before anything else runs: they are this program in another
	// role, setuid, started by itself, by a store or by the kernel.
	passwdtool.Init()
	sandbox.Init(buildInProcess)
	stage1.Init(stage1.Programs{Activate: activate, Session: activation.Session, Install: guidedInstall, Unattended: unattendedInstall})
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "builder":
			os.Exit(builder.Main(os.Args[2:]))
		case "eval-config":
			config.EvalMain()
		}
	}
	os.Exit(interruptible(os.Args[1:]))
}

// buildInProcess is `reprise builder KIND` in a sandbox that found its builder
// to be this very program.
func buildInProcess(argv []string) int {
	if len(argv) < 2 || argv[1] != "builder" {
		return 127
	}
	return builder.Main(argv[2:])
}

// interruptible runs the command so that the first signal cancels and cleans
// up, and the second kills.
func interruptible(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(130)
	}()
	return run(ctx, args, os.Stdin, os.Stdout, os.Stderr)
}
