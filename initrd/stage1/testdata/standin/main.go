// Command standin is stage 1 and nothing else: what the boot tests put into an
// initramfs as /init, with an activation that looks at the version only and an
// installer that installs nothing and does as it is told.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"reprise/initrd/stage1"
)

func main() {
	stage1.Init(stage1.Programs{Activate: activate, Install: install, Unattended: unattended})
	fmt.Println("standin: this is not an initramfs:", os.Args)
}

func activate(_ string, data []byte) error {
	var a struct{ Version int }
	if err := json.Unmarshal(data, &a); err != nil {
		return err
	}
	if a.Version != 1 {
		return fmt.Errorf("version is %d, want 1", a.Version)
	}
	return nil
}

// install does what is typed: reboot, power off, shell, again or fault.
func install(_ context.Context, m stage1.Medium) (stage1.Next, error) {
	if strings.Contains(m.Line, "standin.fault") {
		panic("a fault")
	}
	size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	if err != nil {
		return "", err
	}
	session, err := unix.Getsid(0)
	if err != nil {
		return "", err
	}
	printk, err := os.ReadFile("/proc/sys/kernel/printk")
	if err != nil {
		return "", err
	}
	fmt.Printf("standin: installer on %s of %s, %d x %d, leader %v, TERM %s, printk %s\n", m.Console, m.Device,
		size.Row, size.Col, session == os.Getpid(), os.Getenv("TERM"), strings.Fields(string(printk))[0])
	if _, err := os.Stat(m.Dir + "/reprise/medium.json"); err != nil {
		return "", err
	}
	fmt.Print("standin> ")
	word, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return "", err
	}
	if word = strings.TrimSpace(word); word == "fault" {
		panic("a fault")
	}
	return stage1.Next(word), nil
}

func unattended(_ context.Context, m stage1.Medium, out io.Writer) (found bool, next stage1.Next, err error) {
	switch {
	case strings.Contains(m.Line, "standin.answers=good"):
		fmt.Fprintf(out, "reprise-install: step=partition status=done\nreprise-install: done generation=1\n")
		return true, stage1.PowerOff, nil
	case strings.Contains(m.Line, "standin.answers=bad"):
		fmt.Fprintln(out, "reprise-install: failed step=plan reason=no disk")
		return true, "", errors.New("no disk")
	}
	return false, "", nil
}
