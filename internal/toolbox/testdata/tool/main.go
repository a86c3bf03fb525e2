// Command tool is the program of the tests' package: it does what its
// arguments say and prints what it finds.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	for _, arg := range os.Args[1:] {
		what, name, _ := strings.Cut(arg, "=")
		var err error
		switch what {
		case "list":
			var entries []os.DirEntry
			entries, err = os.ReadDir(name)
			for _, e := range entries {
				fmt.Print(e.Name(), " ")
			}
			fmt.Println()
		case "write":
			err = os.WriteFile(name, []byte("text"), 0o644)
		case "env":
			fmt.Println(os.Getenv(name))
		case "user":
			fmt.Println(os.Getuid(), os.Getgid())
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}
