package hwdetect

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const irqDir = "sys/kernel/irq"

// readIRQs reads the interrupts that somebody listens to: /sys/kernel/irq, and
// /proc/interrupts for kernels without it.
func (t *tree) readIRQs() []IRQ {
	at := map[int]IRQ{}
	data, _ := t.data("proc/interrupts")
	for _, irq := range parseInterrupts(data) {
		at[irq.Number] = irq
	}
	for _, name := range t.list(irqDir) {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 {
			continue
		}
		dir := path.Join(irqDir, name)
		actions := splitActions(t.text(dir, "actions").Or(""))
		if len(actions) == 0 {
			continue
		}
		irq := at[n]
		irq.Number, irq.Actions = n, actions
		if chip := t.text(dir, "chip_name"); chip.Known() {
			irq.Chip = chip
		}
		if kind := t.text(dir, "type"); kind.Known() {
			irq.Trigger = kind
		}
		at[n] = irq
	}
	all := make([]IRQ, 0, len(at))
	for _, irq := range at {
		all = append(all, irq)
	}
	slices.SortFunc(all, func(a, b IRQ) int { return a.Number - b.Number })
	return all
}

func splitActions(s string) []string {
	var actions []string
	for _, a := range strings.Split(s, ",") {
		if a = clean(a); a != "" {
			actions = append(actions, a)
		}
	}
	return actions
}

// triggered is the column of /proc/interrupts that names hardware interrupt
// and trigger: "16-fasteoi", "0-edge", "1-level".
var triggered = regexp.MustCompile(`^(\d+)-(\w+)$`)

// parseInterrupts reads /proc/interrupts: a line of CPUs, then
//
//	16:   0   111089  IR-IO-APIC  16-fasteoi   i801_smbus, snd_hdspe
//
// with one count a CPU. Older kernels write "IO-APIC-fasteoi" without the
// number. Lines with a name for a number (NMI, LOC) are no devices.
func parseInterrupts(data []byte) []IRQ {
	var all []IRQ
	for _, line := range lines(data) {
		number, rest, ok := strings.Cut(line, ":")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if !ok || err != nil || n < 0 {
			continue
		}
		f := strings.Fields(rest)
		i := 0
		for i < len(f) && strings.Trim(f[i], "0123456789") == "" {
			i++
		}
		if i >= len(f) {
			continue
		}
		irq := IRQ{Number: n, Chip: some(clean(f[i]))}
		i++
		switch {
		case i < len(f) && triggered.MatchString(f[i]):
			irq.Trigger = Is(trigger(triggered.FindStringSubmatch(f[i])[2]))
			i++
		case i+1 < len(f) && strings.Trim(f[i], "0123456789") == "" && (f[i+1] == "Level" || f[i+1] == "Edge"):
			// ARM: "GICv2  66 Level  VCHIQ doorbell".
			irq.Trigger = Is(strings.ToLower(f[i+1]))
			i += 2
		default:
			if c := irq.Chip.Or(""); strings.HasSuffix(c, "fasteoi") || strings.HasSuffix(c, "level") {
				irq.Trigger = Is("level")
			} else if strings.HasSuffix(c, "edge") {
				irq.Trigger = Is("edge")
			}
		}
		irq.Actions = splitActions(strings.Join(f[min(i, len(f)):], " "))
		if len(irq.Actions) > 0 {
			all = append(all, irq)
		}
	}
	return all
}

// trigger takes the kernel's names of flows for what they mean.
func trigger(flow string) string {
	if flow == "fasteoi" {
		return "level"
	}
	return flow
}

// irqsOf returns the interrupts of a PCI function and who shares them. own are
// the names under which the function's driver may listen.
func irqsOf(d PCIDevice, all []IRQ, own ...string) []CardIRQ {
	numbers, msi := d.MSI, Is(true)
	if len(numbers) == 0 {
		n, ok := d.IRQ.Get()
		if !ok {
			return nil
		}
		numbers, msi = []int{n}, Known[bool]{}
	}
	if driver, ok := d.Driver.Get(); ok {
		own = append(own, driver)
	}
	own = append(own, d.Modules...)
	var out []CardIRQ
	for _, n := range numbers {
		irq := CardIRQ{Number: n, MSI: msi}
		i := slices.IndexFunc(all, func(i IRQ) bool { return i.Number == n })
		if i >= 0 {
			irq.Shared = others(all[i].Actions, own)
			if !irq.MSI.Known() {
				switch chip := all[i].Chip.Or(""); {
				case strings.Contains(chip, "MSI"):
					irq.MSI = Is(true)
				case all[i].Trigger.Or("") == "level":
					irq.MSI = Is(false)
				}
			}
		}
		out = append(out, irq)
	}
	return out
}

// others are the actions but one: that of the driver itself. Two cards of one
// kind on one line are two actions of one name, and one of them is the other's.
func others(actions, own []string) []string {
	rest := slices.Clone(actions)
	for _, exact := range []bool{true, false} {
		for _, name := range own {
			i := slices.IndexFunc(rest, func(a string) bool {
				if exact {
					return a == name
				}
				return sameDriver(a, name)
			})
			if i >= 0 {
				return slices.Delete(rest, i, i+1)
			}
		}
	}
	if len(rest) == 1 {
		return nil // it can only be itself, under a name that is not known
	}
	return rest
}

// sameDriver compares the name of an action ("snd_hda_intel:card1") with that
// of a driver ("snd-hda-intel").
func sameDriver(action, driver string) bool {
	action, _, _ = strings.Cut(action, ":")
	fold := func(s string) string {
		s = strings.ReplaceAll(strings.ToLower(s), "-", "_")
		// USB: the driver is "ehci-pci", its action "ehci_hcd:usb2".
		if usb, ok := strings.CutSuffix(s, "ci_hcd"); ok {
			return usb + "ci_pci"
		}
		return s
	}
	if fold(action) == fold(driver) {
		return true
	}
	// Sound Open Firmware listens as "AudioDSP", whatever its driver is called.
	return action == "AudioDSP" && (strings.HasPrefix(fold(driver), "sof_audio") || strings.HasPrefix(fold(driver), "snd_sof"))
}
