package stage1

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/initrd/blockdev"
)

func TestParseLine(t *testing.T) {
	const system = "/nix/store/00000000000000000000000000000002-system-rig"
	base := func(change func(*Line)) Line {
		l := Line{Wait: defaultWait, Timeout: defaultTimeout, Options: map[string]string{}, Refused: map[string]bool{}}
		change(&l)
		return l
	}
	for _, test := range []struct {
		text     string
		want     Line
		problems string // words of the problems, in order
	}{
		{"", base(func(*Line) {}), ""},
		{
			"BOOT_IMAGE=/vmlinuz root=PARTUUID=AB-CD reprise.system=" + system + " quiet panic=10 threadirqs\n",
			base(func(l *Line) {
				l.Root, l.System, l.Panic = blockdev.Ref{Key: "PARTUUID", Value: "ab-cd"}, system, true
			}), "",
		},
		{
			"root=/dev/sda1 root=LABEL=disk rootwait reprise.timeout=0 ro reprise.rescue",
			base(func(l *Line) {
				l.Root, l.Wait, l.Timeout, l.ReadOnly, l.Rescue = blockdev.Ref{Key: "LABEL", Value: "disk"}, longest, 0, true, true
			}), "",
		},
		{
			"rootwait=60 ro rw reprise.rescue=0 init=/bin/sh -- root=/dev/x init=/y",
			base(func(l *Line) { l.Wait, l.Init = time.Minute, "/bin/sh" }), "",
		},
		{
			"usb-storage.quirks=0bda:9210:u usb_storage.delay_use=3 snd.x systemd.unit=a.target rd.y=1 \"ext4.note=a b\" modprobe.blacklist=pcspkr,snd-hda module_blacklist=x",
			base(func(l *Line) {
				l.Options = map[string]string{"usb_storage": "quirks=0bda:9210:u delay_use=3", "snd": "x", "ext4": `note="a b"`}
				l.Refused = map[string]bool{"pcspkr": true, "snd_hda": true, "x": true}
			}), "",
		},
		{
			"reprise.medium=LABEL=REPRISE reprise.id=AB-cd reprise.mode=live",
			base(func(l *Line) {
				l.Medium, l.MediumID, l.Mode = blockdev.Ref{Key: "LABEL", Value: "REPRISE"}, "ab-cd", ModeLive
			}), "",
		},
		{
			"reprise.medium=/dev/sr0",
			base(func(l *Line) { l.Medium, l.Mode = blockdev.Ref{Key: "/dev", Value: "sr0"}, ModeInstall }), "",
		},
		{
			"rootfstype=btrfs rd.luks.name=6E1DBA68-2f6f-4bb2-a4ce-d2a1d6a3e8a4=root rd.luks.options=6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4=discard,tpm2-device=auto rd.luks.options=timeout=90s",
			base(func(l *Line) {
				l.RootType, l.Discard, l.Patience = "btrfs", true, 90*time.Second
				l.LUKS = []NamedLUKS{{"6e1dba68-2f6f-4bb2-a4ce-d2a1d6a3e8a4", "root"}}
			}), "",
		},
		{"rd.luks.name=root rd.luks.name=ab=a/b rd.luks.name==x rd.luks.options=timeout=soon", base(func(*Line) {}),
			"rd.luks.name rd.luks.name rd.luks.name rd.luks.options"},
		{"reprise.mode=install", base(func(*Line) {}), ""},
		{"reprise.medium=stick reprise.mode=play", base(func(*Line) {}), "reprise.medium reprise.mode"},
		{
			"reprise.medium=UUID=X reprise.mode=play",
			base(func(l *Line) { l.Medium, l.Mode = blockdev.Ref{Key: "UUID", Value: "x"}, ModeRescue }), "reprise.mode",
		},
		{
			"root=sda1 rootwait=long reprise.timeout=-1 reprise.system=/etc init=sh",
			base(func(l *Line) { l.System = "/etc" }), "root= rootwait reprise.timeout reprise.system init",
		},
	} {
		got, problems := parseLine(test.text)
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%q: %s", test.text, d)
		}
		words := strings.Fields(test.problems)
		if len(words) != len(problems) {
			t.Errorf("%q: problems %v", test.text, problems)
			continue
		}
		for i, w := range words {
			if !strings.HasPrefix(problems[i].Error(), w) {
				t.Errorf("%q: problem %d is %v", test.text, i, problems[i])
			}
		}
	}
}

func TestSplitLine(t *testing.T) {
	for text, want := range map[string][]string{
		"":                     nil,
		"  \n\t ":              nil,
		"a  b\nc":              {"a", "b", "c"},
		`a="b c" d`:            {"a=b c", "d"},
		`"a=b c"d "" e`:        {"a=b cd", "", "e"},
		`"`:                    {""},
		`x="`:                  {"x="},
		`dyndbg="file a +p"\n`: {`dyndbg=file a +p\n`},
	} {
		if d := cmp.Diff(want, splitLine(text)); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add(`root=PARTUUID=x "a b" reprise.system=/nix/store/x rootwait`)
	f.Fuzz(func(t *testing.T, text string) {
		l, problems := parseLine(text)
		if l.Wait < 0 || l.Timeout < 0 || l.Init != "" && l.Init[0] != '/' {
			t.Errorf("%q: %+v", text, l)
		}
		for _, p := range problems {
			if p.Error() == "" {
				t.Errorf("%q: an empty problem", text)
			}
		}
	})
}

func TestIsStorePath(t *testing.T) {
	hash := strings.Repeat("0", 32)
	for path, want := range map[string]bool{
		"/nix/store/" + hash + "-x":                   true,
		"/nix/store/" + hash + "-":                    false,
		"/nix/store/" + hash + "-x/y":                 false,
		"/nix/store/" + hash + "-x/../../../etc":      false,
		"/nix/store/" + strings.Repeat("A", 32) + "x": false,
		"nix/store/" + hash + "-x":                    false,
		"":                                            false,
	} {
		if got := isStorePath(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

func TestMemTotal(t *testing.T) {
	for text, want := range map[string]int64{
		"MemTotal:         480128 kB\nMemFree: 1 kB\n": 480128 << 10,
		"":                      -1,
		"MemFree: 1 kB\n":       -1,
		"MemTotal: many kB\n":   -1,
		"MemTotal: -1 kB\n":     -1 << 10,
		"MemTotal: 1 kB more\n": -1,
	} {
		got, ok := memTotal([]byte(text))
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestMedia(t *testing.T) {
	disk, part, cd := blockdev.Device{Name: "sda"}, blockdev.Device{Name: "sda1", Disk: "sda"}, blockdev.Device{Name: "sr0"}
	alone := blockdev.Device{Name: "sdb2", Disk: "sdb"}
	for _, test := range []struct{ found, want []blockdev.Device }{
		{nil, nil},
		{[]blockdev.Device{disk, part}, []blockdev.Device{disk}},
		{[]blockdev.Device{part, alone, cd}, []blockdev.Device{part, alone, cd}},
	} {
		if d := cmp.Diff(test.want, media(test.found)); d != "" {
			t.Error(d)
		}
	}
}

func TestConsoleNames(t *testing.T) {
	for active, want := range map[string]string{
		"":                 "tty1",
		"tty0 ttyS0\n":     "tty1 ttyS0",
		"ttyS1 tty0":       "tty1 ttyS1",
		"hvc0 ttyS0 ttyS1": "tty1 hvc0 ttyS0 ttyS1",
	} {
		if got := strings.Join(consoleNames(active), " "); got != want {
			t.Errorf("%q: %q, want %q", active, got, want)
		}
	}
	for name, want := range map[string]string{"tty1": "linux", "tty12": "linux", "ttyS0": "vt220", "hvc0": "vt220", "ttyAMA0": "vt220"} {
		if got := (console{name: name}).term(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestEventModalias(t *testing.T) {
	for event, want := range map[string]string{
		"add@/devices/x\x00ACTION=add\x00SUBSYSTEM=usb\x00MODALIAS=usb:v1\x00": "usb:v1",
		"remove@/devices/x\x00ACTION=remove\x00MODALIAS=usb:v1\x00":            "",
		"add@/devices/x\x00ACTION=add\x00DEVNAME=vda\x00":                      "",
		"MODALIAS=usb:v1\x00ACTION=add":                                        "",
		"":                                                                     "",
	} {
		if got := eventModalias([]byte(event)); got != want {
			t.Errorf("%q: %q, want %q", event, got, want)
		}
	}
}

func TestReach(t *testing.T) {
	const (
		nvme = "pci:v0000144Dd0000A808sv0000144Dsd0000A801bc01sc08i02"
		sata = "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01"
		xhci = "pci:v00008086d00001E31sv00001AF4sd00001100bc0Csc03i30"
	)
	for _, test := range []struct {
		modalias string
		from     reach
	}{
		{nvme, swift}, {"virtio:d00000002v00001AF4", swift}, {"scsi:t-0x00", swift}, {"vmbus:d96361baa104294d", swift},
		{sata, controllers},
		{xhci, buses}, {"usb:v0781p5581d0100dc00dsc00dp00ic08isc06ip50in00", buses}, {"acpi:PNP0D40:", buses},
		{"usb:v046DpC31Cd6402dc00dsc00dp00ic03isc01ip01in00", everything}, {"hid:b0003g0001v0000046Dp0000C31C", everything}, {"serio:ty06pr00id00ex00", everything},
	} {
		for r := swift; r <= everything; r++ {
			if got := r.covers(test.modalias); got != (r >= test.from) {
				t.Errorf("reach %d covers %s: %v", r, test.modalias, got)
			}
		}
	}
}

func TestText(t *testing.T) {
	got := text(&Failure{Got: "the root partition is not there", Want: "PARTUUID=x", Seen: []string{"/dev/vda", "/dev/vdb"}, Do: []string{"plug it in"}})
	const want = `
reprise: this machine cannot start: the root partition is not there
  want:  PARTUUID=x
  seen:  /dev/vda
         /dev/vdb
  do:    plug it in
         choose an older generation in the boot menu
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := text(errRescue); strings.Contains(got, "cannot start") {
		t.Error(got)
	}
}
