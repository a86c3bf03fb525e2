package config

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	EvalMain()
	os.Exit(m.Run())
}

// indent prints a Config for people.
func indent(c *Config) string {
	var b bytes.Buffer
	if err := json.Indent(&b, c.Canonical(), "", "  "); err != nil {
		panic(err)
	}
	return b.String()
}
