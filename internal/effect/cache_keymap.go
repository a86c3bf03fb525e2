package effect

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"reprise/internal/config"
)

// KeymapFile is the console's key map in the kernel's own form, as loadkeys
// --bkeymap writes it: stage 1 has no loadkeys.
const KeymapFile = "usr/lib/reprise/keymap"

// ConsoleKeymap compiles console.keyMap for stage 1, where passphrases are typed
// and the rescue shell is. The kernel's own key map is "us".
func ConsoleKeymap() Effect {
	type spec struct {
		KeyMap string `json:"keyMap"`
	}
	return Effect{
		Name: "console-keymap",
		Needed: func(cfg *config.Config, _ *Contents) bool {
			return cfg.Console.KeyMap != "us" && cfg.Console.KeyMap != ""
		},
		Reads: func(*config.Config, *Contents) []string { return []string{"console-data"} },
		// loadkeys has a shell call gzip.
		Tools: func(*Contents) []string { return []string{"kbd", "gzip", "dash"} },
		Spec:  func(cfg *config.Config, _ *Contents) (any, error) { return spec{cfg.Console.KeyMap}, nil },
		Build: func(ctx context.Context, e *Env) error {
			var s spec
			if err := e.Decode(&s); err != nil {
				return err
			}
			root, err := e.Root("console-data")
			if err != nil {
				return err
			}
			made := filepath.Join(e.Work, "keymap")
			err = e.Run.Run(ctx, root, Command{Argv: []string{"/usr/bin/loadkeys", "--quiet", "--bkeymap", "--unicode", s.KeyMap}, Stdout: made})
			if err != nil {
				return fmt.Errorf("key map %q: %w", s.KeyMap, err)
			}
			if info, err := os.Stat(made); err != nil || info.Size() == 0 {
				return fmt.Errorf("key map %q: loadkeys wrote nothing", s.KeyMap)
			}
			out := e.Output()
			out.Move(KeymapFile, made, 0o644)
			return out.Close()
		},
	}
}
