package sandbox

import (
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

func TestExplain(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	usual := map[string]string{
		"proc/self/ns/user": "", "proc/sys/user/max_user_namespaces": "96365\n",
		"proc/self/status": "Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n", "proc/self/attr/current": "unconfined\n",
	}
	tests := []struct {
		name     string
		files    map[string]string
		euid     int
		err      syscall.Errno
		why, fix string
	}{
		{"Debian before 12", map[string]string{"proc/sys/kernel/unprivileged_userns_clone": "0\n"}, 1000, syscall.EPERM,
			"kernel.unprivileged_userns_clone is 0", "sysctl -w kernel.unprivileged_userns_clone=1, or build as root"},
		{"none allowed", map[string]string{"proc/sys/user/max_user_namespaces": "0\n"}, 1000, syscall.ENOSPC,
			"user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=15000"},
		{"used up", nil, 1000, syscall.ENOSPC, "user.max_user_namespaces (96365) is used up", "raise"},
		{"Ubuntu", map[string]string{"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n", "proc/self/attr/current": "unprivileged_userns (enforce)\x00"}, 1000, syscall.EACCES,
			"kernel.apparmor_restrict_unprivileged_userns is 1", "AppArmor profile"},
		{"Ubuntu with the restriction lifted", map[string]string{"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n"}, 1000, syscall.EPERM, "no known setting", "chroot"},
		{"Docker", map[string]string{".dockerenv": "", "proc/self/status": "Seccomp:\t2\n"}, 0, syscall.EPERM, "container", "seccomp=unconfined"},
		{"Podman", map[string]string{"run/.containerenv": ""}, 0, syscall.EPERM, "container", "--privileged"},
		{"a service's filter", map[string]string{"proc/self/status": "Seccomp:\t2\n"}, 1000, syscall.EPERM, "seccomp filter", "outside"},
		{"SELinux", map[string]string{"sys/fs/selinux/enforce": "1", "proc/self/attr/current": "staff_u:staff_r:staff_t:s0\x00"}, 1000, syscall.EACCES,
			`SELinux is enforcing and this process is "staff_u:staff_r:staff_t:s0"`, "user_namespace"},
		{"another profile", map[string]string{"proc/self/attr/current": "snap.x (enforce)\n"}, 1000, syscall.EPERM, `"snap.x (enforce)"`, "unconfined"},
		{"a kernel without", map[string]string{"proc/self/ns/user": "-"}, 1000, syscall.EINVAL, "CONFIG_USER_NS", "kernel"},
	}
	for _, test := range tests {
		root := fstest.MapFS{}
		for name, text := range usual {
			root[name] = file(text)
		}
		for name, text := range test.files {
			root[name] = file(text)
			if text == "-" {
				delete(root, name)
			}
		}
		got := explain(read(root, test.euid), test.err)
		if !strings.Contains(got.Setting, test.why) || !strings.Contains(got.Do, test.fix) {
			t.Errorf("%s: %v\nwant %q and %q", test.name, got, test.why, test.fix)
		}
		if got.Unwrap() != test.err {
			t.Errorf("%s: the kernel's answer is lost", test.name)
		}
	}
}

func TestCheck(t *testing.T) {
	if err := Check(); err != nil {
		t.Error(err)
	}
}

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		if err := Run(b.Context(), Spec{Argv: []string{"x", "exit", "0"}, InProcess: true}); err != nil {
			b.Fatal(err)
		}
	}
}
