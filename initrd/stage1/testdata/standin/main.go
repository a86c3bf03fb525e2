// Command standin is stage 1 and nothing else: what the boot tests put into an
// initramfs as /init, with an activation that looks at the version only.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"reprise/initrd/stage1"
)

func main() {
	stage1.Init(stage1.Programs{Activate: func(_ string, data []byte) error {
		var a struct{ Version int }
		if err := json.Unmarshal(data, &a); err != nil {
			return err
		}
		if a.Version != 1 {
			return fmt.Errorf("version is %d, want 1", a.Version)
		}
		return nil
	}})
	fmt.Println("standin: this is not an initramfs:", os.Args)
}
