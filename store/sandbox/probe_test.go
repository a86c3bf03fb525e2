package sandbox

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// probe is the program inside: argv is "probe", what to do and its arguments.
func probe(argv []string) int {
	for len(argv) > 0 && argv[0] != "probe" {
		argv = argv[1:]
	}
	what, args := argv[1], argv[2:]
	fail := func(err error) int { fmt.Println(err); return 1 }
	switch what {
	case "list":
		for _, dir := range args {
			entries, err := os.ReadDir(dir)
			if err != nil {
				return fail(err)
			}
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			fmt.Printf("%s: %s\n", dir, strings.Join(names, " "))
		}
	case "exit":
		fmt.Println("leaving")
		code, _ := strconv.Atoi(args[0])
		return code
	case "die":
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
		time.Sleep(time.Minute)
	default:
		return fail(fmt.Errorf("probe: %q", what))
	}
	return 0
}
