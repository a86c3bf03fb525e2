package boottest

// refusedMedium is a start that ends with the text and the reboot.
func refusedMedium(texts ...string) []step {
	steps := []step{{expect: "reprise: the installation medium cannot be used: "}}
	for _, t := range texts {
		steps = append(steps, step{expect: t})
	}
	return append(steps, step{expect: "Reboot in"}, step{expect: "Nobody there: rebooting."})
}

// live is a session from the medium that the driver has found at device.
func live(device string) []step {
	return []step{
		{expect: "sysinit: reached pid 1"},
		{expect: "sysinit: etc: hello from the view"},
		// mountinfo, in the order of the mounts
		{expect: "/.reprise/medium ro,"}, {expect: " - iso9660 " + device + " "},
		{expect: "/.reprise/disk rw,"}, {expect: " - tmpfs "},
		{expect: "/ / ro,"},
		{expect: "/nix/store ro,"}, {expect: " - squashfs /dev/loop0 "},
		{expect: "sysinit: write /nix/store/x: open /nix/store/x: read-only file system"},
		{expect: "sysinit: write /var/x: <nil>"},
		{expect: "sysinit: write /home/x: <nil>"},
		{expect: "sysinit: link /run/reprise/booted-system " + goodSystem},
		{expect: "sysinit: link /run/systemd/system.control/efi.mount /dev/null"},
		{expect: "sysinit: done"},
	}
}

const medium = "reprise.medium=LABEL=" + label + " reprise.mode="

// drives says where the media of a case are.
type drives struct{ cd, usb, virtio func(media) string }

func good(m media) string    { return m.good }
func damaged(m media) string { return m.damaged }
func broken(m media) string  { return m.broken }
func empty(m media) string   { return m.empty }
func other(m media) string   { return m.other }
func zeros(m media) string   { return m.zeros }

var mediumCases = []struct {
	scenario
	drives
}{
	{scenario{name: "live from CD", line: medium + "live " + system + goodSystem, steps: live("/dev/sr0")}, drives{cd: good}},
	{scenario{name: "live from USB", line: medium + "live", steps: live("/dev/sda")}, drives{usb: good}},
	{scenario{name: "two media", line: medium + "rescue reprise.timeout=3",
		steps: refusedMedium("there are several", "/dev/sr0", "/dev/vda", "reprise.medium=/dev/sr0", "reprise.medium=/dev/vda")}, drives{cd: good, virtio: good}},
	{scenario{name: "two media and its id", line: "reprise.medium=LABEL=" + label + " reprise.mode=live reprise.id=" + goodID, steps: live("/dev/sda")}, drives{cd: other, usb: good}},
	{scenario{name: "two of one", line: "reprise.medium=LABEL=" + label + " reprise.mode=rescue reprise.id=" + goodID,
		steps: []step{{expect: "rescue: the medium is mounted at"}, {expect: "rescue:/# ", send: "reboot\n"}}}, drives{cd: good, virtio: good}},
	{scenario{name: "another medium", line: "reprise.medium=LABEL=" + label + " reprise.mode=rescue rootwait=3 reprise.timeout=3 reprise.id=" + goodID,
		steps: refusedMedium("another one is there", "/dev/sr0", "take out the one at /dev/sr0, it is ")}, drives{cd: other}},
	{scenario{name: "one of two media", line: "reprise.medium=/dev/vda reprise.mode=live", steps: live("/dev/vda")}, drives{cd: good, virtio: good}},
	{scenario{name: "medium missing", line: medium + "install rootwait=3 reprise.timeout=3",
		steps: refusedMedium("it is not there", "LABEL="+label+", waited 3s", "/dev/vda", "rootwait=60")}, drives{virtio: zeros}},
	{scenario{name: "little memory", memory: 512, line: medium + "install reprise.timeout=3",
		steps: refusedMedium("too little memory", "1 GiB for installing", "MiB that the kernel can use")}, drives{cd: good}},
	{scenario{name: "little memory for a session", memory: 512, line: medium + "live reprise.timeout=3",
		steps: refusedMedium("too little memory", "1 GiB for a session")}, drives{cd: good}},
	{scenario{name: "store broken", line: medium + "live reprise.timeout=3",
		steps: refusedMedium("its store cannot be mounted", "reprise/store.squashfs", "reprise flash")}, drives{cd: broken}},
	{scenario{name: "nothing described", line: medium + "live reprise.timeout=3",
		steps: refusedMedium("what it carries cannot be read", "reprise/medium.json")}, drives{cd: empty}},
	{scenario{name: "check good", memory: 512, line: medium + "check reprise.timeout=3",
		steps: []step{{expect: "checking the installation medium, /dev/sr0"}, {expect: " of "}, {expect: "100 %"}, {expect: "reprise-check: good"},
			{expect: "The medium is well: 2 files"}, {expect: "Reboot in"}, {expect: "Rebooting."}}}, drives{cd: good}},
	{scenario{name: "check ends with a key", line: medium + "check reprise.timeout=0",
		steps: []step{{expect: "reprise-check: good"}, {expect: "Press a key to reboot.", send: "x"}, {expect: "Rebooting."}}}, drives{usb: good}},
	{scenario{name: "check bad", line: medium + "check reprise.timeout=3",
		steps: append([]step{{expect: "reprise-check: bad"}},
			refusedMedium("1 of its 2 files are damaged", "reprise/store.squashfs: its content is not what was written")...)}, drives{cd: damaged}},
	{scenario{name: "check without checksums", line: medium + "check reprise.timeout=3",
		steps: refusedMedium("its list of checksums cannot be read", "reprise/SHA256SUMS")}, drives{cd: empty}},
	{scenario{name: "rescue from the medium", line: medium + "rescue",
		steps: []step{
			{expect: "rescue: the medium is mounted at /.reprise/medium"},
			{expect: "rescue:/# ", send: "ls /.reprise/medium/reprise; cat /.reprise/disk" + somePackage + "/etc/hello\n"},
			{expect: "store.squashfs"}, {expect: "hello from the view"},
			{expect: "rescue:/# ", send: "exit\n"},
			{expect: "rescue: the medium is mounted at /.reprise/medium"},
			{expect: "rescue:/# ", send: "reboot\n"},
		}}, drives{cd: good}},
	{scenario{name: "install by a person", line: medium + "install",
		steps: []step{
			{expect: "standin: installer on ttyS0 of /dev/sr0, 24 x 80, leader true, TERM vt220, printk 3"},
			{expect: "standin> ", send: "fault\n"},
			{expect: "the installer has ended: exit status 2"},
			{expect: "standin> ", send: "shell\n"},
			{expect: "rescue:/# ", send: "exit\n"},
			{expect: "standin> ", send: "again\n"},
			{expect: "standin> ", send: "reboot\n"},
			{expect: "Rebooting. Take the medium out."},
		}}, drives{cd: good}},
	{scenario{name: "the installer does not run", line: medium + "install standin.fault",
		steps: []step{
			{expect: "the installer has ended"}, {expect: "the installer has ended"}, {expect: "the installer has ended"},
			{expect: "reprise: the installation medium cannot be used: the installer does not run on any console"},
			{expect: "Press a key for a shell.", send: "x"},
			{expect: "rescue:/# ", send: "reboot\n"},
		}}, drives{cd: good}},
	{scenario{name: "install unattended", line: medium + "install standin.answers=good",
		steps: []step{{expect: "reprise-install: step=partition status=done"}, {expect: "reprise-install: done generation=1"}, {expect: "Switching off."}}}, drives{usb: good}},
	{scenario{name: "unattended and wrong", line: medium + "install standin.answers=bad",
		steps: []step{
			{expect: "reprise-install: failed step=plan"}, {expect: "the unattended installation has failed"},
			{expect: "Press a key for a shell.", send: "x"}, {expect: "rescue:/# ", send: "reboot\n"},
		}}, drives{usb: good}},
}
