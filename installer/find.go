package installer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"reprise/initrd/blockdev"
	"reprise/installer/answers"
	"reprise/internal/diag"
)

// DataLabel is the label of a file system on which answers are looked for: of
// 11 characters, which is what FAT takes.
const DataLabel = "REPRISEDATA"

// Words of the kernel line.
const (
	answersWord = "reprise.answers"
	hashWord    = "reprise.answers.sha256"
)

// maxFile bounds a file of answers or of a passphrase, in bytes.
const maxFile = 1 << 20

// A Place is where answers were found.
type Place struct {
	Name string // for people: "/dev/sdb3: reprise.answers.json"
	Data []byte
	// Beside reads a file that lies beside the answers. nil: there are none.
	Beside func(name string) ([]byte, error)
}

// FindAnswers looks for answers: at the URL of the kernel line, at the root of
// the medium at dir, on further partitions of the medium's disk, on file
// systems with the label DataLabel. nil means that there are none. Two files
// of answers are an error, for nobody knows which one is meant. web is asked
// only for a URL.
func FindAnswers(ctx context.Context, line, dir, disk string, web Web) (*Place, error) {
	if address, sum := lineAnswers(line); address != "" {
		return web.fetch(ctx, address, sum)
	}
	if data, err := readBounded(dir, answers.FileName); err == nil {
		return &Place{filepath.Join(dir, answers.FileName), data, func(name string) ([]byte, error) { return readBounded(dir, name) }}, nil
	}
	system := blockdev.System{Sys: os.DirFS("/sys"), Open: func(name string) (blockdev.Disk, error) { return os.Open("/dev/" + name) }}
	devices, err := system.List(true)
	if err != nil {
		return nil, err
	}
	var found []*Place
	for _, d := range candidates(devices, strings.TrimPrefix(disk, "/dev/")) {
		place, err := onDevice(d)
		if err != nil {
			return nil, err
		}
		if place != nil {
			found = append(found, place)
		}
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, diag.Problem{Field: answers.FileName, Got: "is on " + found[0].Name + " and on " + found[1].Name, Want: "one file of answers", Do: "pull one stick out, or delete one of the files"}
}

// FromServer says whether the kernel line names an address of answers.
func FromServer(line string) bool {
	address, _ := lineAnswers(line)
	return address != ""
}

// lineAnswers takes the address of answers and their hash from a kernel line.
func lineAnswers(line string) (address, sum string) {
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case answersWord:
			address = value
		case hashWord:
			sum = strings.ToLower(value)
		}
	}
	return address, sum
}

// mountable are the file systems on which answers may lie.
var mountable = map[string]bool{"vfat": true, "ext4": true, "ext3": true, "ext2": true, "exfat": true, "btrfs": true}

// candidates are the devices that may have answers.
func candidates(devices []blockdev.Device, disk string) []blockdev.Device {
	var list []blockdev.Device
	for _, d := range devices {
		own := d.Disk == disk && disk != ""
		if mountable[d.Type] && (own || strings.EqualFold(d.Label, DataLabel)) {
			list = append(list, d)
		}
	}
	return list
}

// within reads from the file system of a device. ok is false when it cannot be
// mounted: a partition that cannot be read has no answers.
func within(d blockdev.Device, read func(dir string) error) (ok bool, err error) {
	if ok, err = Within(d, false, read); !ok {
		return false, nil
	}
	return true, err
}

// onDevice looks for answers in the file system of a device.
func onDevice(d blockdev.Device) (*Place, error) {
	var data []byte
	beside := map[string][]byte{}
	ok, err := within(d, func(dir string) (err error) {
		if data, err = readBounded(dir, answers.FileName); err != nil {
			return err
		}
		// The file system is let go, so what lies beside is read now.
		if file, err := answers.Parse(answers.FileName, data); err == nil && file.PassphraseFile != "" {
			if secret, err := readBounded(dir, file.PassphraseFile); err == nil {
				beside[file.PassphraseFile] = secret
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !ok:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the answers on /dev/%s: %w", d.Name, err)
	}
	return &Place{"/dev/" + d.Name + ": " + answers.FileName, data, func(name string) ([]byte, error) {
		if secret, ok := beside[name]; ok {
			return secret, nil
		}
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}}, nil
}

// readBounded reads a file below dir that leads nowhere else.
func readBounded(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%q is larger than %d bytes", name, maxFile)
	}
	return data, err
}

func get(client *http.Client, request *http.Request) ([]byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answers %s", response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return data, err
}
