package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reprise/internal/config/program"
	"reprise/internal/diag"
)

// FuzzValue holds that whatever JSON a configuration gives, there is a whole
// Config or there are problems.
func FuzzValue(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.[jw][sa]*") // JSON, good and bad
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var object map[string]any
		if json.Unmarshal(data, &object) != nil {
			return
		}
		value, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		c, err := build("x", &program.Answer{Value: value})
		var problems diag.Problems
		switch {
		case err == nil:
			if !json.Valid(c.Canonical()) || strings.Contains(string(c.Canonical()), ":null,") && !strings.Contains(string(c.Canonical()), `"gid":null,`) {
				t.Fatalf("Canonical is %s", c.Canonical())
			}
			c.Roots()
			c.WaysIn()
		case !errors.As(err, &problems):
			t.Fatalf("neither Config nor problems: %v", err)
		}
		for _, p := range problems {
			if p.Got == "" || p.Want == "" || p.Do == "" {
				t.Fatalf("problem without all its parts: %#v", p)
			}
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEk4S2xdQ8hnZyKxV0jXDXBk3EMzBJ8UWt3XhPvdNBqH me@studio")
	f.Add("-----BEGIN OPENSSH PRIVATE KEY-----")
	f.Add("# a comment\n\nno key\n")
	f.Fuzz(func(t *testing.T, key string) {
		c := &Config{Users: Users{Users: map[string]User{"rig": {IsNormalUser: true}}}, Services: Services{OpenSSH: OpenSSH{Enable: true}}}
		err := c.Authorize(key)
		keys := c.Users.Users["rig"].OpenSSH.AuthorizedKeys.Keys
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("error %v, keys %q", err, keys)
		}
		for _, k := range keys {
			if !oneLine(k) || checkKey(k) != nil {
				t.Errorf("takes %q", k)
			}
		}
	})
}
