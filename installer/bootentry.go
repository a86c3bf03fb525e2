package installer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf16"

	"reprise/image/layout"
	"reprise/installer/plan"
)

// Variables are those of UEFI's own vendor GUID, by name, without attributes.
type Variables interface {
	// Names lists them all.
	Names() ([]string, error)
	// Read returns fs.ErrNotExist for one that is not there.
	Read(name string) ([]byte, error)
	// Write writes one that stays and is there for boot and system alike.
	Write(name string, data []byte) error
}

// A loadOption is a boot entry for one file of one partition. It is encoded here:
// of the libraries there are, u-root's reads boot entries only, and foxboron's and
// canonical's bring far more than these few nodes.
//
//	EFI_LOAD_OPTION   attributes u32, bytes of the path list u16, label in UCS-2 with its end
//	HD node           4, 1, 42: partition u32, first sector u64, sectors u64, GUID, 2 for GPT, 2 for GUID
//	file node         4, 4, n: path in UCS-2 with its end, \ between names
//	end               0x7f, 0xff, 4
//
// Source: UEFI 2.10, 3.1.3, 10.3.5.1, 10.3.5.4. Everything is little-endian.
type loadOption struct {
	label     string
	number    uint32
	first     uint64 // sector of the partition
	sectors   uint64
	partition layout.GUID
	file      string
}

const (
	optionActive = 1 // LOAD_OPTION_ACTIVE

	mediaNode, hardDrive, filePath = 4, 1, 4
	endNode, endOfAll              = 0x7f, 0xff
	hardDriveBytes                 = 42
	formatGPT, signatureGUID       = 2, 2
)

// entryOf is the boot entry for the boot loader on the planned partition: the
// shim, which firmware with Secure Boot takes, and any other as well.
func entryOf(esp plan.Planned) (loadOption, error) {
	guid, err := layout.ParseGUID(esp.GUID)
	return loadOption{label: "reprise", number: uint32(esp.Number), first: uint64(esp.FirstLBA), sectors: uint64(esp.LastLBA - esp.FirstLBA + 1),
		partition: guid, file: `\EFI\BOOT\BOOTX64.EFI`}, err
}

func ucs2(text string) []byte {
	var b []byte
	for _, unit := range append(utf16.Encode([]rune(text)), 0) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

// mixed is a GUID as tables and variables have it: the first three parts are
// numbers, and those are little-endian.
func mixed(g layout.GUID) []byte {
	b := bytes.Clone(g[:])
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}

func (o loadOption) encode() []byte {
	le := binary.LittleEndian
	node := func(kind, sub byte, data []byte) []byte {
		return append(le.AppendUint16([]byte{kind, sub}, uint16(4+len(data))), data...)
	}
	drive := le.AppendUint32(nil, o.number)
	drive = le.AppendUint64(drive, o.first)
	drive = le.AppendUint64(drive, o.sectors)
	drive = append(append(drive, mixed(o.partition)...), formatGPT, signatureGUID)
	path := slices.Concat(node(mediaNode, hardDrive, drive), node(mediaNode, filePath, ucs2(o.file)), node(endNode, endOfAll, nil))
	b := le.AppendUint32(nil, optionActive)
	b = le.AppendUint16(b, uint16(len(path)))
	return slices.Concat(b, ucs2(o.label), path)
}

// partitionOf finds the partition that a boot entry leads to, as mixed has it;
// ok is false for entries of another kind, and for what is none.
func partitionOf(option []byte) (partition []byte, ok bool) {
	le := binary.LittleEndian
	if len(option) < 6 {
		return nil, false
	}
	size, rest := int(le.Uint16(option[4:])), option[6:]
	for {
		if len(rest) < 2 {
			return nil, false
		}
		unit := le.Uint16(rest)
		if rest = rest[2:]; unit == 0 {
			break
		}
	}
	if len(rest) < size {
		return nil, false
	}
	for path := rest[:size]; len(path) >= 4; {
		n := int(le.Uint16(path[2:]))
		if n < 4 || n > len(path) || path[0] == endNode {
			return nil, false
		}
		if path[0] == mediaNode && path[1] == hardDrive && n == hardDriveBytes && path[40] == formatGPT && path[41] == signatureGUID {
			return path[24:40], true
		}
		path = path[n:]
	}
	return nil, false
}

const bootOrder = "BootOrder"

var bootName = regexp.MustCompile(`^Boot([0-9A-F]{4})$`)

// setBootEntry writes the entry and puts it first. An entry that leads to the
// same partition is used again; what is right already is not written.
func setBootEntry(vars Variables, entry loadOption) error {
	names, err := vars.Names()
	if err != nil {
		return err
	}
	slices.Sort(names)
	taken, number, found := map[uint16]bool{}, uint16(0), false
	want := entry.encode()
	var have []byte
	for _, name := range names {
		match := bootName.FindStringSubmatch(name)
		if match == nil {
			continue
		}
		n, err := strconv.ParseUint(match[1], 16, 16)
		if err != nil {
			continue
		}
		taken[uint16(n)] = true
		option, err := vars.Read(name)
		if err != nil || found {
			continue // some other system's
		}
		if at, ok := partitionOf(option); ok && bytes.Equal(at, mixed(entry.partition)) {
			number, found, have = uint16(n), true, option
		}
	}
	for !found && taken[number] {
		if number++; number == 0 {
			return errors.New("there is no free boot entry")
		}
	}
	if !bytes.Equal(have, want) {
		if err := vars.Write(fmt.Sprintf("Boot%04X", number), want); err != nil {
			return err
		}
	}
	before, err := vars.Read(bootOrder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	order := binary.LittleEndian.AppendUint16(nil, number)
	for i := 0; i+1 < len(before); i += 2 {
		if binary.LittleEndian.Uint16(before[i:]) != number {
			order = append(order, before[i:i+2]...)
		}
	}
	if bytes.Equal(order, before) {
		return nil
	}
	return vars.Write(bootOrder, order)
}

// addBootEntry tells the firmware of the new system. Most firmware starts the
// disk without that, so that a failure is only noted.
func (r *run) addBootEntry() {
	vars, err := r.Target.Variables()
	if vars == nil && err == nil {
		return // the machine was started by BIOS
	}
	var entry loadOption
	if err == nil {
		entry, err = entryOf(r.Plan.Table.ESP)
	}
	if err == nil {
		err = setBootEntry(vars, entry)
	}
	if err != nil {
		note := fmt.Sprintf("No boot entry could be written into the firmware (%v). Where the machine does not start by itself, choose the disk in the firmware's boot menu.", err)
		r.notes = append(r.notes, note)
		r.Sink.Note("%s", note)
	}
}
