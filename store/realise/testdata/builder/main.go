// Command builder is what the derivations of the tests run: its first
// argument says what to do, the rest of what it needs is in the environment.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"reprise/store/sandbox"
)

func main() {
	sandbox.Init()
	os.Exit(run(os.Args))
}

func run(argv []string) int {
	out := os.Getenv("out")
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	write := func(name, text string) { check(os.WriteFile(name, []byte(text), 0o666)) }
	switch argv[1] {
	case "text": // one file
		write(out, os.Getenv("text"))
	case "tree": // a directory with all that canonical form removes
		check(os.MkdirAll(filepath.Join(out, "bin"), 0o700))
		write(filepath.Join(out, "bin/run"), "#! "+os.Getenv("text"))
		check(os.Chmod(filepath.Join(out, "bin/run"), 0o751))
		write(filepath.Join(out, "plain"), "plain")
		check(os.Symlink(os.Getenv("text"), filepath.Join(out, "link")))
	case "link": // the output is a symlink
		check(os.Symlink(os.Getenv("text"), out))
	case "cat": // the content of all inputs
		var all strings.Builder
		for _, name := range strings.Fields(os.Getenv("inputs")) {
			b, err := os.ReadFile(name)
			check(err)
			all.Write(b)
		}
		write(out, all.String())
	case "two": // two outputs, the second refers to the first
		write(out, "first")
		write(os.Getenv("dev"), out)
	case "look": // what a build sees
		env := os.Environ()
		sort.Strings(env)
		dir, err := os.Getwd()
		check(err)
		fmt.Println(strings.Join(env, "\n"))
		fmt.Println(dir, os.Getuid(), os.Getgid(), argv[0])
		for _, dir := range []string{"/", "/nix/store", "/build"} {
			entries, err := os.ReadDir(dir)
			check(err)
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			fmt.Println(dir, names)
		}
		write(out, "")
	case "escape": // all that must fail
		tries := map[string]error{}
		_, tries["read undeclared"] = os.ReadFile(os.Getenv("undeclared"))
		_, tries["read the host"] = os.ReadFile(os.Getenv("host"))
		tries["write an input"] = os.WriteFile(os.Getenv("input"), nil, 0o644)
		tries["remove an input"] = os.Remove(os.Getenv("input"))
		tries["write /"] = os.WriteFile("/file", nil, 0o644)
		tries["write /etc"] = os.WriteFile("/etc/passwd", nil, 0o644)
		tries["write /proc/sys"] = os.WriteFile("/proc/sys/kernel/domainname", []byte("x"), 0o644)
		tries["mount"] = syscall.Mount("x", "/tmp", "tmpfs", 0, "")
		tries["chown"] = os.Chown("/build", 1234, 1234)
		conn, err := net.DialTimeout("tcp", os.Getenv("listener"), time.Second)
		if err == nil {
			conn.Close()
		}
		tries["reach the network"] = err
		bad := 0
		for name, err := range tries {
			if err == nil {
				fmt.Println("could", name)
				bad = 1
			}
		}
		write(out, "")
		return bad
	case "fail":
		for i := range 30 {
			fmt.Printf("line %d\n", i+1)
		}
		write("left", "over")
		write(out, "half")
		return 3
	case "nothing":
		fmt.Println("makes no output")
	case "sleep": // until somebody ends it
		fmt.Println("asleep")
		check(os.MkdirAll(out, 0o755))
		write(filepath.Join(out, "half"), "half")
		time.Sleep(time.Hour)
	case "chroot": // calls a program in a root of its own, as builders do that need one
		check(os.MkdirAll("tree/usr/bin", 0o755))
		write("tree/usr/file", "in the tree")
		check(sandbox.Chroot(context.Background(), sandbox.Spec{
			Root: "/build/tree", RootWritable: true, Tmpfs: []string{"/tmp"},
			Binds: []sandbox.Bind{{Source: "/nix/store", Target: "/nix/store", Writable: true}},
			Argv:  []string{os.Getenv("self"), "inner"}, Env: []string{"out=" + out},
			Stdout: os.Stdout, Stderr: os.Stderr, AsRoot: true,
		}))
	case "inner":
		b, err := os.ReadFile("/usr/file")
		check(err)
		write("/usr/new", "x")
		_, err = os.Stat("/proc/self/exe")
		check(err)
		_, err = os.Stat("/build")
		write(out, fmt.Sprint(string(b), os.Getuid(), err != nil))
	case "nap":
		d, err := time.ParseDuration(os.Getenv("nap"))
		check(err)
		time.Sleep(d)
		write(out, os.Getenv("text"))
	case "noise": // another result each time
		write(out, time.Now().String())
	default:
		fmt.Fprintln(os.Stderr, "no such thing to do:", argv[1])
		return 2
	}
	return 0
}
