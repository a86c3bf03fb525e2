package main

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"reprise/image"
	"reprise/installer"
)

// onScreen says whether a console is the machine's own screen and keyboard:
// "tty1", not "ttyS0".
func onScreen(console string) bool {
	number, ok := strings.CutPrefix(console, "tty")
	_, err := strconv.Atoi(number)
	return ok && err == nil
}

// hasKeyboard says whether the machine has a keyboard now: an input device
// with all the keys from Esc to S. Power buttons and remote controls have few
// keys. A machine whose devices cannot be listed has one.
// Source: systemd 257, udev-builtin-input_id.c, ID_INPUT_KEYBOARD; Linux,
// input-event-codes.h.
func hasKeyboard(root fs.FS) bool {
	const class = "sys/class/input"
	devices, err := fs.ReadDir(root, class)
	if err != nil {
		return true
	}
	const keys = 0xfffffffe // KEY_ESC, 1, to KEY_S, 31
	for _, d := range devices {
		data, err := fs.ReadFile(root, path.Join(class, d.Name(), "capabilities/key"))
		if err != nil {
			continue
		}
		words := strings.Fields(string(data)) // the lowest keys stand last
		if len(words) == 0 {
			continue
		}
		if low, err := strconv.ParseUint(words[len(words)-1], 16, 64); err == nil && low&keys == keys {
			return true
		}
	}
	return false
}

// keyboardDir is where the tools are mounted while a key map is loaded.
const keyboardDir = installDir + "/keyboard"

// pressKeys makes the keys of the machine's screens those of a key map, as the
// installed system does.
func (i *installation) pressKeys(ctx context.Context, keyMap string) (err error) {
	disk := strings.TrimSuffix(filepath.Clean(i.medium.Store), "/nix/store")
	tools, err := installer.OpenTools(disk, i.carried.Tools.Path, keyboardDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tools.Close()) }()
	return tools.Run(ctx, image.Command{
		Argv: []string{"/usr/bin/loadkeys", "--quiet", "--console=/dev/" + i.medium.Console, keyMap},
		Env:  []string{"PATH=/usr/bin:/usr/sbin", "LANG=C.UTF-8"},
	})
}
