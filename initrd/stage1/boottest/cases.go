package boottest

// The store paths on the test disk.
const (
	goodSystem    = "/nix/store/00000000000000000000000000000002-system-good"
	missingSystem = "/nix/store/00000000000000000000000000000003-system-missing"
	brokenSystem  = "/nix/store/00000000000000000000000000000004-system-broken"  // root.erofs is no image
	hollowSystem  = "/nix/store/00000000000000000000000000000005-system-hollow"  // a store path is missing
	strangeSystem = "/nix/store/00000000000000000000000000000006-system-strange" // activation.json of another time
	somePackage   = "/nix/store/00000000000000000000000000000001-base-1"
)

const (
	partUUID = "5f3a9c10-7a1b-4c2d-8e3f-0123456789ab"
	rootLine = "root=PARTUUID=" + partUUID
	hello    = "hello from the view\n"
)

func started(more ...step) []step { return startedFrom("/dev/vda1", "virtio_blk", more...) }

// startedFrom is a boot from a partition that the driver has found.
func startedFrom(partition, driver string, more ...step) []step {
	steps := []step{
		{expect: "sysinit: reached pid 1"},
		{expect: "sysinit: etc: hello from the view"},
		{expect: "/ / ro,"}, // mountinfo of the tmpfs
		{expect: "/nix/store /nix/store ro,"},
		{expect: " - ext4 " + partition + " "},
		{expect: "sysinit: modules: " + driver + " "},
		{expect: "sysinit: write /x: open /x: read-only file system"},
		{expect: "sysinit: write /etc/x: open /etc/x: read-only file system"},
		{expect: "sysinit: write /nix/store/x: open /nix/store/x: read-only file system"},
		{expect: "sysinit: write /var/x: <nil>"},
		{expect: "sysinit: / drwx------ .reprise"},
		{expect: "sysinit: link /proc/self/fd/1 /dev/console <nil>"},
		{expect: "sysinit: link /run/reprise/booted-system " + goodSystem},
	}
	return append(append(steps, more...), step{expect: "sysinit: done"})
}

// refused is a boot that ends with the text and the reboot.
func refused(texts ...string) []step {
	steps := []step{{expect: "reprise: this machine cannot start: "}}
	for _, t := range texts {
		steps = append(steps, step{expect: t})
	}
	return append(steps, step{expect: "Reboot in"}, step{expect: "Nobody there: rebooting."})
}

const system = "reprise.system="

var cases = []scenario{
	{name: "virtio-blk", line: system + goodSystem, steps: append([]step{{expect: "reprise: stage 1: init at"}}, started()...)},
	{name: "virtio-scsi", bus: VirtioSCSI, line: system + goodSystem, steps: startedFrom("/dev/sda1", "virtio_scsi")},
	{name: "ahci", bus: AHCI, line: system + goodSystem, steps: startedFrom("/dev/sda1", "ahci")},
	{name: "nvme", bus: NVMe, line: system + goodSystem, steps: startedFrom("/dev/nvme0n1p1", "nvme")},
	{name: "usb", bus: USB, line: system + goodSystem, steps: startedFrom("/dev/sda1", "usb_storage")},
	{name: "profile", line: "", steps: started()},
	{name: "label", line: "root=PARTLABEL=root " + system + goodSystem, steps: started()},
	{name: "watchdog", line: system + goodSystem, steps: []step{{expect: "sysinit: modules: i6300esb"}, {expect: "sysinit: done"}}},
	{
		name: "root missing",
		line: "root=PARTUUID=00000000-1111-2222-3333-444444444444 rootwait=3 reprise.timeout=3 " + system + goodSystem,
		steps: refused("the root partition is not there", "PARTUUID=00000000-1111-2222-3333-444444444444, waited 3s",
			"/dev/vda ", "/dev/vda1", "ext4", "PARTUUID="+partUUID),
	},
	{name: "root not named", line: "root= reprise.timeout=3", steps: refused("does not say where the root partition is", "/dev/vda1")},
	{name: "system missing", line: "reprise.timeout=3 " + system + missingSystem,
		steps: refused("the disk does not have the system", missingSystem, "system-1-link", goodSystem)},
	{name: "system no store path", line: "reprise.timeout=3 " + system + "/nix/store/../../etc",
		steps: refused("is not a store path")},
	{name: "root image broken", line: "reprise.timeout=3 " + system + brokenSystem,
		steps: refused("the system's root image cannot be used", "root.erofs", "erofs")},
	{name: "store path missing", line: "reprise.timeout=3 " + system + hollowSystem,
		steps: refused("the system cannot start", "/usr/lib/systemd/systemd", "no such file", "lowerdata")},
	{name: "activation refused", line: "reprise.timeout=3 " + system + strangeSystem,
		steps: refused("the system's state cannot be prepared", "activation.json")},
	{
		name: "shell and second try", line: system + missingSystem,
		steps: []step{
			{expect: "Press a key for a shell.", send: "x"},
			{expect: "rescue:/# ", send: "echo $((6*7)) | cat; ls /.reprise/disk\n"},
			{expect: "42"}, {expect: "nix"},
			{expect: "rescue:/# ", send: "for f in 1 2\n"},
			{expect: "> ", send: "do echo line$f; done\n"},
			{expect: "line2"},
			{expect: "rescue:/# ", send: "blk; uname; lsmod | grep '^ext4' | wc\n"},
			{expect: "PARTUUID=" + partUUID}, {expect: "Linux"}, {expect: "1 "},
			{expect: "rescue:/# ", send: "mkdir /t; mount /dev/vda1 /t && cat /t" + somePackage + "/etc/hello; umount /t\n"},
			{expect: "hello from the view"},
			{expect: "rescue:/# ", send: "mount --bind /.reprise/disk/nix/store" + goodSystem[len("/nix/store"):] +
				" /t; modprobe loop && lsmod | head -1; ps | head -2; dmesg | tail -1; nothing\n"},
			{expect: "no alias has this name"}, {expect: "COMMAND"}, {expect: "nothing"},
			{expect: "rescue:/# ", send: "exit\n"},
			{expect: "the disk does not have the system"},
			{expect: "Press a key for a shell.", send: "x"},
			{expect: "rescue:/# ", send: "reboot\n"},
		},
	},
	{
		name: "rescue asked for", line: "reprise.rescue " + system + goodSystem,
		steps: append([]step{
			{expect: "reprise: reprise.rescue is on the kernel line"},
			{expect: "rescue:/# ", send: "help\n"},
			{expect: "blk                              disks and partitions"},
			{expect: "rescue:/# ", send: "sleep 100\n"},
			{expect: "sleep 100", send: "\x03"},
			{expect: "rescue:/# ", send: "exit\n"},
		}, started()...),
	},
}
