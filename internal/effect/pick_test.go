package effect

import "testing"

func TestPythonFileFollowsLinks(t *testing.T) {
	p := pkg(t, "python", "", "etc/python3.13/sitecustomize.py", "usr/lib/python3.13/os.py",
		"usr/lib/python3.13/sitecustomize.py -> /etc/python3.13/sitecustomize.py", "usr/lib/python3.13/other.py -> os.py",
		"usr/lib/python3.13/gone.py -> ../nothing.py", "usr/lib/python3.13/dir/", "usr/lib/python3.13/d.py -> dir")
	c := NewContents([]Content{p})
	at := func(file string) string { return string(p.Path) + "/" + file }
	for name, want := range map[string]string{
		"usr/lib/python3.13/os.py":            at("usr/lib/python3.13/os.py"),
		"usr/lib/python3.13/sitecustomize.py": at("etc/python3.13/sitecustomize.py"),
		"usr/lib/python3.13/other.py":         at("usr/lib/python3.13/os.py"),
		"usr/lib/python3.13/gone.py":          "",
		"usr/lib/python3.13/d.py":             "",
	} {
		if got := pythonFile(c, c.Get("python"), c.Get("python").Entry(name)); got != want {
			t.Errorf("pythonFile(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestFirstPart(t *testing.T) {
	for name, want := range map[string]bool{
		"find.info.gz": true, "cpp-14.info.gz": true, "emacs/efaq.info.gz": true, "coreutils.info": true,
		"find.info-1.gz": false, "gcc.info-12": false, "dir": false, "pic.png": false, "emacs/pic.jpg": false,
	} {
		if got := firstPart(name); got != want {
			t.Errorf("firstPart(%q) = %v, want %v", name, got, want)
		}
	}
}
