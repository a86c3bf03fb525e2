package devmapper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxTable bounds the table of a device, bytes: one line of dm-crypt has some
// hundreds.
const maxTable = 16 << 10

// Fill lets the encrypted device of that name fill the device below it, which
// has grown, and returns its size in bytes. It is in use meanwhile. A device
// that fills what is below is left alone.
func Fill(name string) (size int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("grow the mapped device %q: %w", name, err)
		}
	}()
	control, err := os.OpenFile(filepath.Join(Dir, "control"), os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer control.Close()
	// The key is in it, unless the kernel's keyring has it.
	buffer := make([]byte, maxTable)
	defer clear(buffer)
	h, err := exchange(control, status, name, "", flagTable|flagSecure, nil, buffer)
	if err != nil {
		return 0, fmt.Errorf("ask for its table: %w", err)
	}
	if h.targets != 1 || int(h.dataFrom)+specSize > len(buffer) || int(h.dataSize) > len(buffer) {
		return 0, fmt.Errorf("it has %d targets: want one", h.targets)
	}
	spec, params := buffer[h.dataFrom:][:specSize], buffer[int(h.dataFrom)+specSize:]
	kind, _, _ := bytes.Cut(spec[24:], []byte{0})
	end := bytes.IndexByte(params, 0)
	if string(kind) != "crypt" || end < 0 {
		return 0, fmt.Errorf("it is of type %q: want \"crypt\"", kind)
	}
	params = params[:end+1]
	now := int64(binary.NativeEndian.Uint64(spec[8:]))
	room, err := roomOf(params[:end])
	if err != nil {
		return 0, err
	}
	if room <= now {
		return now * sector, nil
	}
	target := append(targetSpec(room, "crypt"), params...)
	defer clear(target)
	if _, err := request(control, load, name, "", flagSecure, target); err != nil {
		return 0, fmt.Errorf("load the table: %w", err)
	}
	// The kernel lets everything that is under way come to its end, and changes
	// the tables.
	if _, err := request(control, resume, name, "", 0, nil); err != nil {
		return 0, fmt.Errorf("resume: %w", err)
	}
	return room * sector, nil
}

// roomOf is how many sectors the device has that a line of dm-crypt names:
// "CIPHER KEY IV MAJOR:MINOR OFFSET [N OPTION…]".
func roomOf(line []byte) (int64, error) {
	fields := bytes.Fields(line)
	if len(fields) < 5 {
		return 0, errors.New("its table cannot be read")
	}
	offset, err := strconv.ParseInt(string(fields[4]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("its offset: %w", err)
	}
	text, err := os.ReadFile(filepath.Join("/sys/dev/block", filepath.Base(string(fields[3])), "size"))
	if err != nil {
		return 0, err
	}
	whole, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, err
	}
	step := int64(1)
	for _, option := range fields[5:] {
		if text, ok := strings.CutPrefix(string(option), "sector_size:"); ok {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > sector {
				step = n / sector
			}
		}
	}
	return (whole - offset) / step * step, nil
}
