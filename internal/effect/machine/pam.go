package machine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reprise/internal/config"
	"reprise/internal/effect"
	"reprise/internal/effect/machine/pam"
)

const (
	pamConfigs   = "usr/share/pam-configs"
	pamTemplates = "usr/share/pam"
)

// loginServices are the PAM services through which a person begins to work.
// Each gets the limits of limits.conf(5), real-time priority among them: where
// a package's own file leaves pam_limits out, a line is added.
var loginServices = []string{
	"cron", "gdm-autologin", "gdm-password", "greetd", "lightdm", "lightdm-autologin", "login",
	"sddm", "sddm-autologin", "sshd", "su", "sudo", "sudo-i", "systemd-user", "xrdp-sesman",
}

// pamStacks writes /etc/pam.d/common-*.
func pamStacks() effect.Effect {
	return effect.Effect{
		Name:      "pam",
		Overrides: true,
		Needed:    always,
		Reads: func(_ *config.Config, c *effect.Contents) []string {
			return append(slices.Concat(c.Below(pamConfigs), packagesWith(c, servicePaths()...)), "libpam-runtime")
		},
		Build: buildPAM,
	}
}

func servicePaths() []string {
	var paths []string
	for _, s := range loginServices {
		paths = append(paths, "etc/pam.d/"+s, "usr/lib/pam.d/"+s)
	}
	return paths
}

func buildPAM(_ context.Context, e *effect.Env) error {
	files, err := readAll(e, pamConfigs, "")
	if err != nil {
		return err
	}
	var profiles []*pam.Profile
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, "~") || strings.HasPrefix(name, "#") {
			continue
		}
		p, err := pam.ParseProfile(name, files[name])
		if err != nil {
			return err
		}
		if p != nil {
			profiles = append(profiles, p)
		}
	}
	templates := map[string]string{}
	for _, t := range pam.Types() {
		data, err := e.ReadFile("libpam-runtime", pamTemplates+"/common-"+t)
		if err != nil {
			return fmt.Errorf("pam template: %w", err)
		}
		templates[t] = string(data)
	}
	stacks, err := pam.Generate(templates, profiles, nil)
	if err != nil {
		return err
	}
	out := e.Output()
	for t, text := range stacks {
		out.Text("etc/pam.d/common-"+t, text)
	}
	for _, path := range servicePaths() {
		for i := range e.Packages.Packages {
			p := &e.Packages.Packages[i]
			if p.Entry(path) == nil {
				continue
			}
			data, err := e.ReadFile(p.Name, path)
			if err != nil {
				return err
			}
			if text := string(data); !pam.HasLimits(text) {
				out.Text(path, pam.AddLimits(text))
			}
		}
	}
	return out.Close()
}
