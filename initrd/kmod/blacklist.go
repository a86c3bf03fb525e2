package kmod

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strings"
)

// blacklistDirs are where a system keeps the files of modprobe.d(5).
var blacklistDirs = []string{"etc/modprobe.d", "usr/lib/modprobe.d"}

// Blacklist returns the modules that the modprobe.d files of a root file system
// keep from being loaded for a device, by name. Everything else in these files
// is left alone.
func Blacklist(root fs.FS) map[string]bool {
	refused := map[string]bool{}
	for _, dir := range blacklistDirs {
		entries, err := fs.ReadDir(root, dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if path.Ext(e.Name()) != ".conf" {
				continue
			}
			data, err := readBounded(root, path.Join(dir, e.Name()))
			if err == nil {
				addBlacklist(refused, data)
			}
		}
	}
	return refused
}

func addBlacklist(refused map[string]bool, data []byte) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) > 1 && words[0] == "blacklist" {
			refused[Name(words[1])] = true
		}
	}
}
