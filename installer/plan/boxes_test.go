package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/installer/answers"
)

// TestTwentyBoxes plans twenty machines from one file of answers. They differ
// in what the file says and in what follows from that and from the disk: the
// host name, and the numbers that tell one disk from another. Host keys and
// machine-id are nobody's business here: each machine makes its own, see
// TestTwoMachinesDiffer of package activation.
func TestTwentyBoxes(t *testing.T) {
	const boxes = 20
	var macs, serials []string
	for i := range boxes {
		macs = append(macs, fmt.Sprintf("52:54:00:12:00:%02x", i))
		serials = append(serials, fmt.Sprintf("S4EWNX%02d", i))
	}
	list := func(words []string) string { return `["` + strings.Join(words, `", "`) + `"]` }
	file, err := answers.Parse("reprise.answers.json", fmt.Appendf(nil, `{
		"version": 1, "profile": "live-rig", "disk": %s, "erase": %s, "fileSystem": "ext4", "encryption": "luks2", "passphraseFile": "p.txt",
		"host": "rig-%%02d", "machines": %s, // the place in this list is the number
		"user": { "name": "rig", "keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF1FJhDLEbA7oyMj9Ff4uVuT4gTWdFGJ4lzWzB8AWFX a"] },
		"timeZone": "Europe/Berlin", "then": "poweroff",
	}`, list(serials), list(serials), list(macs)))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	var first, firstText string
	for i := range boxes {
		r := request(t)
		r.Answers = file.Answers
		r.Machine.MACs = []string{"00:00:5e:00:53:01", macs[i]} // the second card is the one in the list
		r.Machine.Serial = fmt.Sprintf("BOX%d", i)
		r.Disks[2].Serial = serials[i]
		p, err := Make(r)
		if err != nil {
			t.Fatalf("box %d: %v", i, err)
		}
		if want := fmt.Sprintf("rig-%02d", i+1); p.Host != want {
			t.Errorf("box %d is %q, want %q", i, p.Host, want)
		}
		own := map[string]string{
			"host": p.Host, "plan": p.ID, "disk's serial": p.Disk.Serial, "disk": p.Table.GUID, "root partition": p.Table.Root.GUID, "ESP": p.Table.ESP.GUID,
			"BIOS boot": p.Table.BIOSBoot.GUID, "FAT": fmt.Sprint(p.Table.FATSerial), "root": p.Root.UUID, "hash seed": p.Root.HashSeed, "encrypted root": p.LUKS.UUID, "mapping": p.LUKS.Name,
		}
		for what, value := range own {
			if other, ok := seen[what+value]; ok {
				t.Errorf("the %s of boxes %d and %d is the same: %s", what, other, i, value)
			}
			seen[what+value] = i
		}
		data, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		rest, text := string(data), string(Configuration(p.Answers, p.Host, Base{System: r.Medium.System("live-rig"), Hardware: true}))
		// The longer ones first: the mapping's name is the start of a UUID.
		for _, what := range []string{"encrypted root", "mapping", "root", "hash seed", "root partition", "ESP", "BIOS boot", "disk", "plan", "disk's serial", "FAT", "host"} {
			rest = strings.ReplaceAll(rest, own[what], "<"+what+">")
		}
		text = strings.ReplaceAll(text, own["host"], "<host>")
		if i == 0 {
			first, firstText = rest, text
		}
		if d := cmp.Diff(first, rest); d != "" {
			t.Errorf("box %d differs in more than it should (-box 0 +box %d):\n%s", i, i, d)
		}
		if d := cmp.Diff(firstText, text); d != "" {
			t.Errorf("the configuration of box %d (-box 0 +box %d):\n%s", i, i, d)
		}
	}
	// A twenty-first that nobody listed stops before anything.
	r := request(t)
	r.Answers = file.Answers
	r.Disks[2].Serial = serials[3]
	if _, err := Make(r); err == nil || !strings.Contains(err.Error(), "is not in machines") {
		t.Errorf("a machine that is not listed: %v", err)
	}
}
