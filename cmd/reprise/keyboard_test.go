package main

import (
	"testing"
	"testing/fstest"
)

func TestHasKeyboard(t *testing.T) {
	const (
		keyboard = "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe\n" // an AT keyboard
		button   = "8000 10000000000000 0\n"                                       // a power button
		mouse    = "1f0000 0 0 0 0\n"
		bad      = "x y z\n"
	)
	for name, test := range map[string]struct {
		keys []string // of each device
		want bool
	}{
		"a button and a mouse":  {[]string{button, mouse}, false},
		"a keyboard among them": {[]string{button, keyboard, mouse}, true},
		"what is no number":     {[]string{bad, "", "\n"}, false},
	} {
		root := fstest.MapFS{"sys/class/input/mice/dev": &fstest.MapFile{Data: []byte("13:63\n")}}
		for i, keys := range test.keys {
			root["sys/class/input/input"+string(rune('0'+i))+"/capabilities/key"] = &fstest.MapFile{Data: []byte(keys)}
		}
		if got := hasKeyboard(root); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if !hasKeyboard(fstest.MapFS{}) {
		t.Error("a machine that does not tell is said to have no keyboard")
	}
	for console, want := range map[string]bool{"tty1": true, "ttyS0": false, "ttyAMA0": false, "hvc0": false, "": false, "tty": false} {
		if onScreen(console) != want {
			t.Errorf("%q is on the screen: %t", console, !want)
		}
	}
}
