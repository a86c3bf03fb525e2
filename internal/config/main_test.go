package config

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	EvalMain()
	os.Exit(m.Run())
}
