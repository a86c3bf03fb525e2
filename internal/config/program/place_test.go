package program

import "testing"

func TestPathAndParent(t *testing.T) {
	for _, test := range []struct {
		parts        []any
		path, parent string
	}{
		{[]any{"networking"}, "networking", ""},
		{[]any{"networking", "hostName"}, "networking.hostName", "networking"},
		{[]any{"users", "users", "rig", "extraGroups", 0}, "users.users.rig.extraGroups[0]", "users.users.rig.extraGroups"},
		{[]any{"environment", "etc", "a/b.conf", "text"}, `environment.etc["a/b.conf"].text`, `environment.etc["a/b.conf"]`},
		{[]any{"environment", "etc", "a/b.conf"}, `environment.etc["a/b.conf"]`, "environment.etc"},
		{[]any{"boot", "kernel", "sysctl", `odd"]["x`}, `boot.kernel.sysctl["odd\"][\"x"]`, "boot.kernel.sysctl"},
	} {
		path := Path(test.parts...)
		if path != test.path {
			t.Errorf("Path(%v) = %s, want %s", test.parts, path, test.path)
		}
		if got := Parent(path); got != test.parent {
			t.Errorf("Parent(%s) = %s, want %s", path, got, test.parent)
		}
	}
}
