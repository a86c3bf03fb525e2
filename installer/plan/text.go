package plan

import (
	"encoding/json"
	"fmt"
	"strings"

	"reprise/image/layout"
	"reprise/installer/answers"
)

// steps lists the work.
func steps(p *Plan) []Step {
	root := p.Table.Root.Path
	list := []Step{
		{Name: CheckMedium, Text: "Read the medium and compare it with its checksums."},
		{Name: MakePartitions, Text: fmt.Sprintf("Erase %s and make three partitions: %s for GRUB, %s for the boot loaders (%s), %s for the system (%s).", p.Disk.Path,
			p.Table.BIOSBoot.Path, p.Table.ESP.Path, size(p.Table.ESP.Bytes()), root, size(p.Table.Root.Bytes()))},
	}
	if p.LUKS != nil {
		list = append(list, Step{Name: Encrypt, Text: "Encrypt " + root + " with LUKS2 and your passphrase."})
	}
	return append(list,
		Step{Name: MakeFileSystems, Text: fmt.Sprintf("Make a file system of type %s on %s.", p.Root.Type, p.Root.Path)},
		Step{Name: MountRoot, Text: "Mount it."},
		Step{Name: CopyStore, Text: fmt.Sprintf("Copy %d store paths (%s) from the medium, and verify each.", p.Copy.Paths, size(p.Copy.Bytes)), Bytes: p.Copy.Bytes},
		Step{Name: RegisterStore, Text: "Register them in the database of the store."},
		Step{Name: WriteConfiguration, Text: configurationText(p)},
		Step{Name: InstallBootLoaders, Text: "Write the boot loaders for UEFI and for BIOS, the kernel and the initramfs.", Bytes: 0},
		Step{Name: WriteEntry, Text: "Write generation 1 into the boot menu: from now on the disk starts the new system."},
		Step{Name: Finish, Text: "Unmount everything and note that the installation is complete."},
	)
}

func configurationText(p *Plan) string {
	if p.Compose {
		return fmt.Sprintf("Write the configuration of %s, and compose its own system from it.", p.Host)
	}
	return fmt.Sprintf("Write the configuration of %s.", p.Host)
}

// Bytes is the partition's size.
func (p Planned) Bytes() int64 { return (p.LastLBA - p.FirstLBA + 1) * layout.Sector }

// Offset is where the partition begins, in bytes.
func (p Planned) Offset() int64 { return p.FirstLBA * layout.Sector }

// Partitions are those of the table in their order.
func (t Table) Partitions() []Planned { return []Planned{t.BIOSBoot, t.ESP, t.Root} }

// Devices are all that is written to: the disk, its partitions, the mapping.
func (p *Plan) Devices() []string {
	devices := []string{p.Disk.Path}
	for _, part := range p.Table.Partitions() {
		devices = append(devices, part.Path)
	}
	if p.LUKS != nil {
		devices = append(devices, p.LUKS.Path)
	}
	return devices
}

// Encode prints the plan as JSON. It holds no secret.
func (p *Plan) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode the plan: %w", err)
	}
	return append(data, '\n'), nil
}

// Text is the plan for the person who has to agree to it. width is that of the
// screen in columns.
func (p *Plan) Text(width int) string {
	var b strings.Builder
	row := func(name, value string) {
		if value != "" {
			wrap(&b, fmt.Sprintf("%-12s", name), strings.Repeat(" ", 12), value, width)
		}
	}
	row("Erase", Disk{Path: p.Disk.Path, Model: p.Disk.Model, Serial: p.Disk.Serial, SizeBytes: p.Disk.SizeBytes}.Name()+": everything on it is lost")
	row("Install", p.System+" as "+p.Host)
	for i, part := range p.Table.Partitions() {
		name := ""
		if i == 0 {
			name = "Partitions"
		}
		wrap(&b, fmt.Sprintf("%-12s", name), strings.Repeat(" ", 12), fmt.Sprintf("%-16s %10s  %s", part.Path, size(part.Bytes()), p.purpose(part)), width)
	}
	a := p.Answers
	if u := a.User; u != nil {
		ways := []string{}
		if u.PasswordHash != "" {
			ways = append(ways, "a password")
		}
		if len(u.Keys) == 1 {
			ways = append(ways, "1 ssh key")
		} else if len(u.Keys) > 1 {
			ways = append(ways, fmt.Sprintf("%d ssh keys", len(u.Keys)))
		}
		row("User", u.Name+", with "+strings.Join(ways, " and "))
	}
	row("Time zone", a.TimeZone)
	row("Language", a.Locale)
	row("Keyboard", a.KeyMap)
	if n := a.Network; n != nil {
		row("Network", n.Interface+" "+n.Address)
	}
	b.WriteString("\n")
	for i, s := range p.Steps {
		wrap(&b, fmt.Sprintf("%2d. ", i+1), "    ", s.Text, width)
	}
	if len(p.Notes) > 0 {
		b.WriteString("\n")
	}
	for _, n := range p.Notes {
		wrap(&b, "  ! ", "    ", n, width)
	}
	return b.String()
}

func (p *Plan) purpose(part Planned) string {
	switch part.Number {
	case p.Table.BIOSBoot.Number:
		return "GRUB, for machines without UEFI"
	case p.Table.ESP.Number:
		return "boot loaders and kernels, FAT32"
	}
	text := "the system and your files, " + p.Root.Type
	if p.Answers.Encryption == answers.LUKS2 {
		text += ", encrypted"
	}
	return text
}

// wrap writes text in lines of width columns, the first behind first, the
// others behind rest.
func wrap(b *strings.Builder, first, rest, text string, width int) {
	line := first
	begun := false
	for _, word := range strings.SplitAfter(text, " ") {
		if begun && len([]rune(line))+len([]rune(strings.TrimRight(word, " "))) > max(width, 40) {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, begun = rest, false
		}
		line += word
		begun = true
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
