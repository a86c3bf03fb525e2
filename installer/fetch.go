package installer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"reprise/initrd/blockdev"
)

// FindFile reads a file, by its path, from where answers are looked for: the
// medium at dir, further partitions of its disk, file systems with the label
// DataLabel. The first one that has it counts; fs.ErrNotExist says that none has.
func FindFile(name, dir, disk string) ([]byte, error) {
	data, err := readBounded(dir, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	system := blockdev.System{Sys: os.DirFS("/sys"), Open: func(name string) (blockdev.Disk, error) { return os.Open("/dev/" + name) }}
	devices, err := system.List(true)
	if err != nil {
		return nil, err
	}
	for _, d := range candidates(devices, strings.TrimPrefix(disk, "/dev/")) {
		ok, err := within(d, func(dir string) (err error) {
			data, err = readBounded(dir, name)
			return err
		})
		if ok && !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return nil, &fs.PathError{Op: "find", Path: name, Err: fs.ErrNotExist}
}

// fetchLimit is how long a person waits for a file of some hundred bytes.
const fetchLimit = 20 * time.Second

// Fetch reads a small file over https.
func Fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%q is no address that begins with https://", address)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return get(&http.Client{Timeout: fetchLimit}, request)
}
