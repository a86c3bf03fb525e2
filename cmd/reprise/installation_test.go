package main

import (
	"strings"
	"testing"

	"reprise/installer/answers"
	"reprise/internal/config"
)

func TestWithoutPassword(t *testing.T) {
	for _, c := range []struct{ profile, hash, want string }{
		{"studio", "", "nobody can log in at the screen, or use sudo"},
		{"studio", "$y$x", ""},
		{"live-rig", "", ""},
	} {
		cfg, err := config.Evaluate(t.Context(), c.profile, config.EvalOptions{})
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(withoutPassword(cfg, &answers.User{Name: "ada", PasswordHash: c.hash}), " ")
		if (notes == "") != (c.want == "") || !strings.Contains(notes, c.want) {
			t.Errorf("%s with %q: %q, want %q", c.profile, c.hash, notes, c.want)
		}
	}
}
