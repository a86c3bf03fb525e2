package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Forbidden is the error where the kernel refuses namespaces to the caller.
type Forbidden struct {
	Err     error  // what the kernel said
	Setting string // the setting that forbids it, as far as it can be read
	Do      string // what to do about it
}

func (f *Forbidden) Error() string {
	return fmt.Sprintf("a sandbox needs user namespaces and this system forbids them: %v\n  why: %s\n  do:  %s", f.Err, f.Setting, f.Do)
}

func (f *Forbidden) Unwrap() error { return f.Err }

// Check tries whether sandboxes work here, in about 10 ms. Its error is what
// Run would return: a *Forbidden names the setting that stands in the way.
func Check() error {
	spec := Spec{Argv: []string{"probe"}}
	return launch(context.Background(), spec, order{Argv: spec.Argv, Dir: "/", Probe: true, AsRoot: true})
}

// refusing reports whether err is one of the answers with which kernels
// refuse namespaces. A limit of zero namespaces is ENOSPC, a kernel without
// them EINVAL, a seccomp filter EPERM or ENOSYS, AppArmor EACCES or EPERM.
func refusing(err error) bool {
	for _, errno := range []syscall.Errno{unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EUSERS, unix.EINVAL, unix.ENOSYS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// readings are what /proc says that bears on user namespaces. A file that the
// kernel does not have is "".
type readings struct {
	euid          int
	clone         string // kernel.unprivileged_userns_clone: Debian's and Arch's kernels
	limit         string // user.max_user_namespaces
	apparmor      string // kernel.apparmor_restrict_unprivileged_userns: Ubuntu 23.10 and later
	profile       string // AppArmor profile or SELinux context of this process
	selinux       string // /sys/fs/selinux/enforce
	seccomp       string // Seccomp of /proc/self/status: 2 is a filter
	usernsSupport bool   // /proc/self/ns/user is there
	container     bool   // the marks that Docker and Podman leave
}

func read(root fs.FS, euid int) readings {
	text := func(name string) string {
		b, err := fs.ReadFile(root, name)
		if err != nil {
			return ""
		}
		return strings.TrimRight(strings.TrimSpace(string(b)), "\x00")
	}
	there := func(name string) bool { _, err := fs.Lstat(root, name); return err == nil }
	r := readings{
		euid:          euid,
		clone:         text("proc/sys/kernel/unprivileged_userns_clone"),
		limit:         text("proc/sys/user/max_user_namespaces"),
		apparmor:      text("proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
		profile:       text("proc/self/attr/current"),
		selinux:       text("sys/fs/selinux/enforce"),
		usernsSupport: there("proc/self/ns/user"),
		container:     there(".dockerenv") || there("run/.containerenv"),
	}
	for line := range strings.Lines(text("proc/self/status")) {
		if value, ok := strings.CutPrefix(line, "Seccomp:"); ok {
			r.seccomp = strings.TrimSpace(value)
		}
	}
	return r
}

const orRoot = ", or build as root"

// explain finds the setting that made the kernel answer err. It depends on
// nothing but its arguments.
func explain(r readings, err error) *Forbidden {
	f := &Forbidden{Err: err}
	switch {
	case !r.usernsSupport:
		f.Setting = "the kernel is built without user namespaces (CONFIG_USER_NS)"
		f.Do = "boot a kernel that has them" + orRoot
	case r.limit == "0":
		f.Setting = "user.max_user_namespaces is 0"
		f.Do = "as root: sysctl -w user.max_user_namespaces=15000" + orRoot
	case r.clone == "0" && r.euid != 0:
		f.Setting = "kernel.unprivileged_userns_clone is 0"
		f.Do = "as root: sysctl -w kernel.unprivileged_userns_clone=1" + orRoot
	case r.apparmor != "" && r.apparmor != "0" && r.euid != 0:
		f.Setting = "kernel.apparmor_restrict_unprivileged_userns is " + r.apparmor + " (Ubuntu 23.10 and later)"
		f.Do = "as root: write an AppArmor profile with \"userns,\" for this program, or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" + orRoot
	case r.container:
		f.Setting = "this is a container, whose seccomp filter or missing CAP_SYS_ADMIN forbids them"
		f.Do = "start the container with --security-opt seccomp=unconfined (Docker also: --security-opt apparmor=unconfined), or with --privileged"
	case r.seccomp == "2":
		f.Setting = "a seccomp filter is on this process (Seccomp: 2 in /proc/self/status)"
		f.Do = "run outside of the service or sandbox that set it, or let it allow clone with CLONE_NEWUSER and mount"
	case r.selinux == "1":
		f.Setting = fmt.Sprintf("SELinux is enforcing and this process is %q", r.profile)
		f.Do = "look for user_namespace in the audit log and allow it for this domain" + orRoot
	case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS):
		f.Setting = fmt.Sprintf("user.max_user_namespaces (%s) is used up, or namespaces are nested more than 32 deep", orUnknown(r.limit))
		f.Do = "end what holds them, or as root raise user.max_user_namespaces" + orRoot
	case r.profile != "" && r.profile != "unconfined" && !strings.HasPrefix(r.profile, "unconfined "):
		f.Setting = fmt.Sprintf("this process is confined by the profile %q", r.profile)
		f.Do = "run unconfined, or allow userns and mount in that profile" + orRoot
	default:
		f.Setting = "no known setting: a chroot (the kernel refuses user namespaces in one) or a security module"
		f.Do = "run outside of a chroot, look at the kernel's log" + orRoot
	}
	return f
}

func orUnknown(s string) string {
	if s == "" {
		return "not readable"
	}
	return s
}

// holdsAdmin reports whether the caller can make mount namespaces without a
// user namespace.
func holdsAdmin() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
