// Package rootmount puts together the root file system of a machine from a
// disk and a system path: first as a plan, which is data, then by doing it.
//
// Stage 1 uses it for a boot, and the running machine uses the same plan for a
// soft-reboot (another target, the disk bound instead of mounted). The view
// part alone, composed in a private mount namespace, is what a live switch of
// generation attaches beneath /usr and /etc.
//
// The tree at the target:
//
//	/                    tmpfs, 1 MiB, read-only at the end
//	/.reprise/disk       the root partition, read-write (0700: its store is writable)
//	/.reprise/meta       the system's root.erofs: names, owners, modes
//	/.reprise/root       overlay of meta over the store: the view
//	/usr /etc            bound from the view
//	/opt                 bound from the view where it has one
//	/nix /var /home /root /srv   bound from the disk; /nix/store read-only
//	/bin /sbin /lib /lib64       symlinks into usr
//	/boot                → usr/lib/reprise/boot
//	/dev /proc /sys /run /tmp /efi /mnt /media   mount points
//
// The disk is mounted outside /run because a soft-reboot takes /run over
// without the mounts below it.
package rootmount
