package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	qemu      = "/usr/bin/qemu-system-x86_64"
	kvmDevice = "/dev/kvm"
)

// kvmLimit is how long the guest of the KVM test may take. With KVM on a
// processor it takes a tenth of a second, under TCG two tenths.
const kvmLimit = 3 * time.Second

// KVM returns nil when a guest really runs under KVM, and else why not. That
// /dev/kvm opens says little: inside some virtual machines KVM is there and
// interprets every instruction of a guest's kernel, at a thousandth of the
// speed and without those it does not know. So a boot sector is run that goes
// to 64-bit mode with paging, counts to four million, speaks on the serial
// line and resets; it has kvmLimit for it.
func KVM(ctx context.Context, tools Tools) error {
	device, err := os.OpenFile(kvmDevice, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("KVM: %w", err)
	}
	device.Close()
	dir, err := os.MkdirTemp("", "reprise-kvm-")
	if err != nil {
		return fmt.Errorf("KVM: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "guest"), kvmGuest(), 0o600); err != nil {
		return fmt.Errorf("KVM: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("KVM: %w", err)
	}
	defer r.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		w.Close()
		return fmt.Errorf("KVM: %w", err)
	}
	defer null.Close()
	said := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(r, 1<<16))
		said <- text
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, kvmLimit, fmt.Errorf("a guest of %d bytes had not run after %s", len(kvmCode), kvmLimit))
	defer cancel()
	err = tools.Run(ctx, Command{
		Argv: []string{
			qemu, "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "64",
			"-display", "none", "-serial", "stdio", "-no-reboot",
			"-drive", "if=none,id=disk,format=raw,readonly=on,file=" + inside + "/guest", "-device", "virtio-blk-pci,drive=disk",
		},
		Env:   []string{"PATH=/usr/bin:/usr/sbin", "TMPDIR=" + inside, "LC_ALL=C.UTF-8"},
		Stdin: null, Stdout: w,
		Binds: []Bind{{Source: dir, Target: inside, Writable: true}, {Source: kvmDevice, Target: kvmDevice, Writable: true, Device: true}},
	})
	w.Close()
	text := <-said
	switch {
	case bytes.Contains(text, []byte(kvmSays)):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("KVM: %w", context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("KVM: %w", err)
	}
	return errors.New("KVM: a guest ended without a word")
}

// kvmGuest is a disk of one cylinder with kvmCode as its boot sector.
func kvmGuest() []byte {
	disk := make([]byte, 1<<20)
	copy(disk, kvmCode)
	disk[510], disk[511] = 0x55, 0xaa
	return disk
}

const kvmSays = "reprise: a guest runs"

// kvmCode is the boot sector, from the following for the GNU assembler
// (as --64; ld -Ttext 0x7c00 --oformat binary):
//
//	    .code16
//	    .globl _start
//	_start:
//	    cli
//	    xorw %ax, %ax
//	    movw %ax, %ds
//	    movw %ax, %es
//	    movw %ax, %ss
//	    movw $0x7c00, %sp
//	    # page tables at 0x1000 (PML4), 0x2000 (PDPT), 0x3000 (PD): identity, 2 MiB
//	    movw $0x1000, %di
//	    movw $0x1800, %cx
//	    cld
//	    rep stosw
//	    movl $0x2003, 0x1000
//	    movl $0x3003, 0x2000
//	    movl $0x0083, 0x3000
//	    movl $0x20, %eax
//	    movl %eax, %cr4
//	    movl $0x1000, %eax
//	    movl %eax, %cr3
//	    movl $0xc0000080, %ecx
//	    rdmsr
//	    orl $0x100, %eax
//	    wrmsr
//	    lgdtl gdtr
//	    movl $0x80000001, %eax
//	    movl %eax, %cr0
//	    ljmp $8, $long
//	    .code64
//	long:
//	    movl $0x400000, %ecx
//	1:    decl %ecx
//	    jnz 1b
//	    leaq text(%rip), %rsi
//	    movl $0x3f8, %edx
//	2:    lodsb
//	    testb %al, %al
//	    jz 3f
//	    outb %al, %dx
//	    jmp 2b
//	3:    # switch off: the reset line of the keyboard controller, with -no-reboot
//	    movb $0xfe, %al
//	    outb %al, $0x64
//	    hlt
//	    jmp 3b
//	text:    .asciz "reprise: a guest runs\n"
//	    .balign 8
//	gdt:    .quad 0
//	    .quad 0x00209a0000000000
//	gdtr:    .word 15
//	    .long gdt
//	    .org 510
//	    .word 0xaa55
const kvmCode = "" +
	"\xfa\x31\xc0\x8e\xd8\x8e\xc0\x8e\xd0\xbc\x00\x7c\xbf\x00\x10\xb9" +
	"\x00\x18\xfc\xf3\xab\x66\xc7\x06\x00\x10\x03\x20\x00\x00\x66\xc7" +
	"\x06\x00\x20\x03\x30\x00\x00\x66\xc7\x06\x00\x30\x83\x00\x00\x00" +
	"\x66\xb8\x20\x00\x00\x00\x0f\x22\xe0\x66\xb8\x00\x10\x00\x00\x0f" +
	"\x22\xd8\x66\xb9\x80\x00\x00\xc0\x0f\x32\x66\x0d\x00\x01\x00\x00" +
	"\x0f\x30\x66\x0f\x01\x16\xb8\x7c\x66\xb8\x01\x00\x00\x80\x0f\x22" +
	"\xc0\xea\x66\x7c\x08\x00\xb9\x00\x00\x40\x00\xff\xc9\x75\xfc\x48" +
	"\x8d\x35\x14\x00\x00\x00\xba\xf8\x03\x00\x00\xac\x84\xc0\x74\x03" +
	"\xee\xeb\xf8\xb0\xfe\xe6\x64\xf4\xeb\xf9\x72\x65\x70\x72\x69\x73" +
	"\x65\x3a\x20\x61\x20\x67\x75\x65\x73\x74\x20\x72\x75\x6e\x73\x0a" +
	"\x00\x0f\x1f\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x9a\x20\x00\x0f\x00\xa8\x7c"
