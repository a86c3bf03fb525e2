package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"reprise/initrd/stage1"
	"reprise/installer/plan"
)

// readMedium reads what the mounted medium carries.
func readMedium(dir string) (*plan.Medium, error) {
	data, err := os.ReadFile(filepath.Join(dir, "reprise/medium.json"))
	if err != nil {
		return nil, err
	}
	return plan.ParseMedium(data)
}

// guidedInstall is the installer for a person: stage 1 gives it a console of
// its own as terminal and standard streams.
func guidedInstall(_ context.Context, m stage1.Medium) (stage1.Next, error) {
	carried, err := readMedium(m.Dir)
	if err != nil {
		return "", err
	}
	fmt.Printf("\nInstall reprise\n\nThis medium (%s) carries:\n", m.Device)
	for _, s := range carried.Systems {
		fmt.Printf("  %-12s %s\n", s.Name, s.Title)
	}
	keys := bufio.NewReader(os.Stdin)
	for {
		fmt.Print("\nreboot, off or shell? ")
		line, err := keys.ReadString('\n')
		if err != nil {
			return "", err
		}
		switch strings.TrimSpace(line) {
		case "reboot":
			return stage1.Reboot, nil
		case "off":
			return stage1.PowerOff, nil
		case "shell":
			return stage1.Shell, nil
		}
	}
}

// unattendedInstall installs when answers say how.
func unattendedInstall(context.Context, stage1.Medium, io.Writer) (found bool, next stage1.Next, err error) {
	return false, "", nil
}
