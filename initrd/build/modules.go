package build

import "slices"

// required names what every boot needs; a kernel without one of them cannot
// mount our root file system.
var required = []string{"ext4", "erofs", "overlay"}

// defaults are the drivers of the disks that a machine may boot from and of
// the keyboards for the rescue shell. They lie ready; only those that a device
// of the machine asks for are loaded. Names that a kernel has built in or
// lacks are fine.
var defaults = []string{
	// SATA, old and new, and what QEMU's i440fx has.
	"ahci", "ata_piix", "ata_generic", "sata_nv", "sata_via", "sata_sil24", "pata_marvell",
	"sd_mod",
	// NVMe, also behind Intel's volume management device.
	"nvme", "vmd",
	// SD cards and eMMC: controllers on PCI and ACPI, and Realtek's readers.
	"mmc_block", "sdhci_pci", "sdhci_acpi", "rtsx_pci_sdmmc", "rtsx_usb_sdmmc",
	// USB disks and the host controllers.
	"usb_storage", "uas", "xhci_pci", "xhci_pci_renesas", "ehci_pci", "ohci_pci", "uhci_hcd",
	// Virtual machines: KVM, VMware, Hyper-V, Xen.
	"virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi", "vmw_pvscsi", "mptspi",
	"hv_vmbus", "hv_storvsc", "xen_blkfront",
	// Keyboards for the rescue shell.
	"atkbd", "i8042", "usbhid", "hid_generic", "hyperv_keyboard",
	// ext4 and erofs ask for a checksum by this name; the CPU decides which
	// module answers.
	"crypto-crc32c",
}

// mediumRequired names what reaches the systems on an installation medium.
var mediumRequired = []string{"isofs", "squashfs", "loop"}

// medium are the drivers that an installation medium has besides: of the drives
// that it may lie in, of the file systems that it may be asked to make or look
// at, and of encryption.
var medium = []string{
	"sr_mod", "cdrom",
	"btrfs", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8", "exfat", "ntfs3",
	// LUKS2 as cryptsetup makes it, and what its self-test asks for.
	"dm_mod", "dm_crypt", "crypto-xts", "crypto-aes", "crypto-sha256", "crypto-sha512", "algif_skcipher", "algif_hash",
	"crypto-cbc", "crypto-essiv", "aesni_intel",
	// What a disk may belong to, so that it can be told.
	"md_mod", "raid0", "raid1", "raid456",
	// More controllers: hardware RAID and old SCSI.
	"megaraid_sas", "mpt3sas", "hpsa", "aacraid", "sata_sil", "sata_promise", "sata_mv", "pata_jmicron", "pata_atiixp",
	"pata_amd", "pata_via", "sata_uli", "sata_sis",
	// Keyboards that need a driver of their own.
	"hid_apple", "hid_logitech_dj", "hid_logitech_hidpp", "hid_microsoft", "hid_cherry", "hid_lenovo", "i2c_hid_acpi", "intel_lpss_pci",
	"psmouse",
}

// Defaults returns the names of the modules that lie ready in every initramfs,
// besides those of the file systems.
func Defaults() []string { return slices.Clone(defaults) }
