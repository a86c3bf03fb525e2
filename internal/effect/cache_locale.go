package effect

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"reprise/internal/config"
)

// LocaleArchive compiles the locales of i18n.supportedLocales into
// /usr/lib/locale/locale-archive, in their order. C.UTF-8 needs no entry: libc-bin
// brings it.
func LocaleArchive() Effect {
	const archive = "usr/lib/locale/locale-archive"
	type spec struct {
		Locales []string `json:"locales"` // "de_DE.UTF-8/UTF-8"
	}
	return Effect{
		Name:   "locale-archive",
		Needed: func(cfg *config.Config, _ *Contents) bool { return len(cfg.I18n.SupportedLocales) > 0 },
		Reads:  func(*config.Config, *Contents) []string { return []string{"locales"} },
		// localedef calls gzip for the character maps.
		Tools: func(*Contents) []string { return []string{"libc-bin", "gzip"} },
		Spec: func(cfg *config.Config, c *Contents) (any, error) {
			if c.Get("locales") == nil {
				return nil, errors.New("i18n.supportedLocales needs the package \"locales\"")
			}
			for _, l := range cfg.I18n.SupportedLocales {
				if _, _, ok := strings.Cut(l, "/"); !ok {
					return nil, fmt.Errorf("locale %q has no character map, want something like \"de_DE.UTF-8/UTF-8\"", l)
				}
			}
			return spec{cfg.I18n.SupportedLocales}, nil
		},
		Build: func(ctx context.Context, e *Env) error {
			var s spec
			if err := e.Decode(&s); err != nil {
				return err
			}
			root, err := e.Root("locales")
			if err != nil {
				return err
			}
			root.Collect = []string{filepath.Dir(archive)}
			var commands []Command
			list := ""
			for _, l := range s.Locales {
				name, charmap, _ := strings.Cut(l, "/")
				commands = append(commands, Command{Argv: []string{"/usr/bin/localedef",
					"-i", localeSource(name), "-c", "-f", charmap, "-A", "/usr/share/locale/locale.alias", name}})
				list += name + " " + charmap + "\n"
			}
			if err := e.Run.Run(ctx, root, commands...); err != nil {
				return err
			}
			out := e.Output()
			out.Move(archive, filepath.Join(root.Changes, archive), 0o644)
			out.Text("etc/locale.gen", list)
			return out.Close()
		},
	}
}

// localeSource is the name of a locale's definition: "ca_ES@valencia" for
// "ca_ES.UTF-8@valencia".
func localeSource(name string) string {
	base, rest, ok := strings.Cut(name, ".")
	if _, modifier, has := strings.Cut(rest, "@"); ok && has {
		return base + "@" + modifier
	}
	return base
}
