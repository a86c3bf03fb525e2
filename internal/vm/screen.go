package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Screen returns what the machine's screen shows, as a PNG image.
func (m *Machine) Screen(ctx context.Context) ([]byte, error) {
	const name = "screen.png"
	order := map[string]string{"filename": inside + "/" + name, "format": "png"}
	if err := m.command(ctx, "screendump", order, nil); err != nil {
		return nil, fmt.Errorf("look at the screen: %w", err)
	}
	file := filepath.Join(m.dir, name)
	defer os.Remove(file)
	return os.ReadFile(file)
}
