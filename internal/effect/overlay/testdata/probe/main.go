// Command probe runs inside a root of layers and does what its test wants to
// see from outside.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "fail" {
		fmt.Fprintln(os.Stderr, "probe fails as it was told")
		os.Exit(7)
	}
	in, err := io.ReadAll(os.Stdin)
	check(err)
	for _, name := range []string{"/usr/share/both", "/usr/share/one", "/usr/share/two", "/lib/where"} {
		data, err := os.ReadFile(name)
		check(err)
		fmt.Printf("%s: %s\n", name, data)
	}
	_, err = os.Stat("/nix/store/input")
	check(err)
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	check(err)
	_, err = null.Write([]byte("x"))
	check(err)
	dir, err := os.Getwd()
	check(err)
	fmt.Printf("stdin %q, uid %d, dir %s, env %d, TZ %s\n", in, os.Getuid(), dir, len(os.Environ()), os.Getenv("TZ"))
	check(os.WriteFile("/usr/share/made", []byte("made"), 0o644))
	check(os.WriteFile("/usr/share/one", []byte("changed"), 0o644))
	check(os.Remove("/usr/share/two"))
	check(os.Symlink("made", "/usr/share/link"))
	check(os.WriteFile("/bound/result", []byte("bound"), 0o644))
	check(os.WriteFile("/tmp/lost", nil, 0o644))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
