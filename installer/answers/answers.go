// Package answers reads what a person would tell the installer, from a file:
// an installation without a keyboard. It is pure: text in, values out, every
// problem of the text at once with its line and column.
//
// The file is JSON (RFC 8259) in which comments, // to the end of the line and
// /* … */, and a comma after the last item may stand: so it is Jsonnet, too.
// Nothing in it is computed. Unknown and repeated names are errors.
//
// Words. An answer is one field. A pattern is a host name with a place that
// each machine fills in for itself, see [Answers.HostName].
//
// Invariants: no password is ever in the file, only what crypt(5) made of it;
// and a passphrase of a disk is in a file of its own or asked for. What Encode
// writes, Parse reads back to the same answers.
package answers

import (
	"encoding/json"
	"slices"

	"reprise/installer/latency"
)

// FileName is what the file is called on a stick.
const FileName = "reprise.answers.json"

// Version is the version of the format.
const Version = 1

// Only stands for a serial number where a machine has one disk alone: it
// chooses that disk, or agrees to erase it.
const Only = "only"

// Values of the answers that are one of a few words.
const (
	Ext4  = "ext4"
	Btrfs = "btrfs"

	NoEncryption = "none"
	LUKS2        = "luks2"

	Reboot   = "reboot"
	PowerOff = "poweroff"
	Stay     = "stay"
)

// Answers are all that the installer has to know. The zero value answers
// nothing; see Default.
type Answers struct {
	Version int    `json:"version"`
	Profile string `json:"profile"` // name of a system of the medium

	// Disk names the disk to install to: Only, a path that begins with /dev/,
	// or serial numbers, one of which the machine has.
	Disk List `json:"disk"`
	// Erase repeats the serial number of each disk that may be erased, or Only
	// where Disk is Only. A disk without a serial number is named by its path.
	Erase List `json:"erase"`
	// EraseMember agrees to erase a disk that is a member of a RAID, LVM or
	// ZFS whose other disks then lack it. One in use is never erased.
	EraseMember bool `json:"eraseMember,omitempty"`
	// Again agrees to erase a machine that other answers have installed. One
	// that these answers have installed is left alone in any case.
	Again bool `json:"again,omitempty"`

	FileSystem string `json:"fileSystem"` // Ext4 or Btrfs
	Encryption string `json:"encryption"` // NoEncryption or LUKS2
	// PassphraseFile is a file beside the answers that holds the passphrase,
	// one line. With LUKS2 and without it the passphrase is asked for.
	PassphraseFile string `json:"passphraseFile,omitempty"`

	Host     string   `json:"host"` // a name or a pattern, see HostName
	Machines []string `json:"machines,omitempty"`

	User *User `json:"user,omitempty"` // nil: the users of the profile

	TimeZone string   `json:"timeZone,omitempty"` // "" here and below: as the profile says
	Locale   string   `json:"locale,omitempty"`
	KeyMap   string   `json:"keyMap,omitempty"`
	Network  *Network `json:"network,omitempty"` // nil: as the profile says

	Measure Seconds `json:"measure,omitempty"` // of the latency measurement; 0: none
	Then    string  `json:"then"`              // Reboot, PowerOff or Stay
}

// A User is the person whose machine it is.
type User struct {
	Name         string   `json:"name"`
	FullName     string   `json:"fullName,omitempty"`
	PasswordHash string   `json:"passwordHash,omitempty"` // crypt(5), such as "$y$…"; "": no password
	Keys         []string `json:"keys,omitempty"`         // public ssh keys, a line of authorized_keys each
}

// A Network is one Ethernet interface with a fixed address.
type Network struct {
	Interface   string   `json:"interface"`
	Address     string   `json:"address"` // with prefix length: "192.168.7.2/24"
	Gateway     string   `json:"gateway,omitempty"`
	NameServers []string `json:"nameServers,omitempty"`
}

// Seconds are a number of them, or true for latency.Seconds.
type Seconds int

// MarshalJSON writes the usual number as true.
func (s Seconds) MarshalJSON() ([]byte, error) {
	if s == latency.Seconds || s == 0 {
		return json.Marshal(s != 0)
	}
	return json.Marshal(int(s))
}

// A List is several strings, written as a list or, when it is one, as that.
type List []string

// MarshalJSON writes one string as itself.
func (l List) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]string(l))
}

// Is reports whether l is the one word.
func (l List) Is(word string) bool { return len(l) == 1 && l[0] == word }

// Has reports whether word is among l.
func (l List) Has(word string) bool { return slices.Contains(l, word) }

// Default is what a file need not say.
func Default() Answers {
	return Answers{Version: Version, FileSystem: Ext4, Encryption: NoEncryption, Then: Reboot}
}
