package config

import (
	"encoding/json"
	"maps"
	"slices"
)

// pipewire installs PipeWire and writes its pieces of configuration. Debian's
// packages start it with every user's session.
func pipewire(c *Config) {
	p := c.Services.Pipewire
	if !p.Enable {
		return
	}
	// Without a bus of the user's own the two do not start.
	c.install("services.pipewire.enable", "dbus-user-session", "pipewire", "wireplumber")
	if p.Alsa.Enable {
		c.install("services.pipewire.alsa.enable", "pipewire-alsa")
	}
	if p.Pulse.Enable {
		c.install("services.pipewire.pulse.enable", "pipewire-pulse")
	}
	if p.Jack.Enable {
		// PipeWire's libjack goes before jackd's, as Debian's example has it:
		// the files of ld.so.conf.d are read in the order of their names.
		c.install("services.pipewire.jack.enable", "pipewire-jack")
		c.etc("ld.so.conf.d/pipewire-jack-x86_64-linux-gnu.conf", "0644", "/usr/lib/x86_64-linux-gnu/pipewire-0.3/jack/\n")
	}
	for dir, files := range map[string]map[string]map[string]any{
		"pipewire/pipewire.conf.d/":       p.ExtraConfig.Pipewire,
		"wireplumber/wireplumber.conf.d/": p.Wireplumber.ExtraConfig,
	} {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			// Both read JSON: their own language is wider than it.
			text, err := json.MarshalIndent(files[name], "", "  ")
			if err != nil {
				panic("plain data does not encode: " + err.Error())
			}
			c.etc(dir+name+".conf", "0644", string(text)+"\n")
		}
	}
}
