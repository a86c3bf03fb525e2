package recipe

import (
	"fmt"
	"slices"
	"strings"

	"reprise/internal/config"
	"reprise/internal/systemdiff"
)

// About returns what a system says of the configuration it is made from. The
// options of the image and of the archive shape no system and are left out: a
// system is the same wherever its packages came from.
func About(cfg *config.Config) (*systemdiff.About, error) {
	a, err := AboutAll(cfg)
	if err != nil {
		return nil, err
	}
	a.Options = slices.DeleteFunc(a.Options, func(o systemdiff.Option) bool {
		return strings.HasPrefix(o.Name, "archive.") || strings.HasPrefix(o.Name, "image.")
	})
	return a, nil
}

// AboutAll is About with all options.
func AboutAll(cfg *config.Config) (*systemdiff.About, error) {
	settings, err := cfg.Settings()
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	a := &systemdiff.About{Version: systemdiff.AboutVersion}
	for _, name := range cfg.Roots() {
		a.Packages = append(a.Packages, systemdiff.Asked{Name: name, For: sources(cfg.Origins(name))})
	}
	for _, s := range settings {
		o := systemdiff.Option{Name: s.Name, From: sources(s.From)}
		o.SetValue(s.Value)
		a.Options = append(a.Options, o)
	}
	return a, nil
}

func sources(from []config.Source) []systemdiff.Source {
	var list []systemdiff.Source
	for _, s := range from {
		own := systemdiff.Source{Element: s.Element, Near: s.Near, By: s.Option}
		if s.Place.Line > 0 {
			// Of the configuration itself the file is "".
			own.At = fmt.Sprintf("%s:%d:%d", s.Place.File, s.Place.Line, s.Place.Col)
		}
		list = append(list, own)
	}
	return list
}
