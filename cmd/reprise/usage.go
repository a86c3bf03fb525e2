package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"reprise/internal/archive"
	"reprise/internal/diag"
)

// usageError marks what the command line itself got wrong.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// misused is a usageError about one command.
func misused(c *cobra.Command, got, do string) error {
	if do == "" {
		do = "see " + c.CommandPath() + " --help"
	}
	return &usageError{diag.Problem{
		File: strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), "reprise"), " "), Got: got, Want: useLine(c), Do: do,
	}}
}

// useLine is one line of use: the arguments of a verb, or the verbs of a group.
func useLine(c *cobra.Command) string {
	if !c.HasAvailableSubCommands() {
		return c.UseLine()
	}
	return c.CommandPath() + " " + strings.Join(verbs(c), "|")
}

func verbs(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			names = append(names, sub.Name())
		}
	}
	return names
}

// unknownVerb names the verbs that name is near to.
func unknownVerb(group *cobra.Command, name string) error {
	do := ""
	if near := diag.Nearest(name, verbs(group)); len(near) > 0 {
		for i := range near {
			near[i] = group.CommandPath() + " " + near[i]
		}
		do = "write " + strings.Join(near, " or ")
	}
	return misused(group, fmt.Sprintf("%q is no command", name), do)
}

// badFlag tells which flag is wrong, and the ones that it is near to.
func badFlag(c *cobra.Command, err error) error {
	if bad := new(pflag.InvalidValueError); errors.As(err, &bad) {
		return misused(c, fmt.Sprintf("--%s is %q", bad.GetFlag().Name, bad.GetValue()), "give it a value of type "+bad.GetFlag().Value.Type())
	}
	unknown := new(pflag.NotExistError)
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return misused(c, err.Error(), "")
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	do := ""
	if near := diag.Nearest(unknown.GetSpecifiedName(), known); len(near) > 0 {
		do = "write --" + strings.Join(near, " or --")
	}
	return misused(c, fmt.Sprintf("--%s is no flag", unknown.GetSpecifiedName()), do)
}

// strict makes every misuse of c and the commands below it an error with the
// exit code for wrong usage: cobra alone answers some with the help text.
func strict(c *cobra.Command) {
	for _, sub := range c.Commands() {
		strict(sub)
	}
	if c.HasSubCommands() {
		if c.HasParent() {
			c.Args = cobra.ArbitraryArgs
			c.FParseErrWhitelist.UnknownFlags = true // the unknown command is told first
			own := c.RunE                            // of a command that does something by itself, too
			c.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return unknownVerb(cmd, args[0])
				}
				if own != nil {
					return own(cmd, args)
				}
				return misused(cmd, "no command is given", "")
			}
		}
		return
	}
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			switch err := check(cmd, args); {
			case err == nil:
				return nil
			case len(args) == 0:
				return misused(cmd, "no argument is given", "")
			default:
				return misused(cmd, fmt.Sprintf("is given %d arguments, %q", len(args), args), "")
			}
		}
	}
}

// checkFlags looks at the flags that every verb takes.
func (a *app) checkFlags(cmd *cobra.Command) error {
	if cmd.Flags().Changed("jobs") && a.jobs < 1 {
		return misused(cmd, fmt.Sprintf("--jobs is %d", a.jobs), "give the number of builds at a time, 1 or more")
	}
	if len(a.mirrors) > 0 {
		if _, err := archive.MirrorSources(a.mirrors...); err != nil {
			return misused(cmd, "--mirror: "+err.Error(), "give the base that holds dists and pool, such as --mirror http://HOST/debian")
		}
	}
	return nil
}

// helpCommand is cobra's, but for an exit code when there is no such command.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "explain a command",
		Long:    "Tell what a command does, its flags, and an example.",
		Example: "  reprise help build",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			c, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return verbs(c), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, rest, err := cmd.Root().Find(args)
			switch {
			case err != nil:
				return unknownVerb(cmd.Root(), args[0])
			case len(rest) > 0 && c.HasSubCommands():
				return unknownVerb(c, rest[0])
			case len(rest) > 0:
				return misused(cmd, fmt.Sprintf("is given %d arguments, %q", len(args), args), "")
			}
			c.InitDefaultHelpFlag() // as c --help shows it
			return c.Help()
		},
	}
}

// completionCommand is cobra's, told in our words, for the shells of Linux.
func completionCommand(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	c.Short, c.Long = "write the completion script of a shell", `Write to standard output what makes a shell complete commands, flags, profiles
and options. Nothing on the machine is changed.`
	c.Example = "  reprise completion bash > ~/.local/share/bash-completion/completions/reprise"
	where := map[string]string{
		"bash": "reprise completion bash > ~/.local/share/bash-completion/completions/reprise",
		"zsh":  "reprise completion zsh > ~/.zfunc/_reprise # with fpath+=~/.zfunc before compinit in ~/.zshrc",
		"fish": "reprise completion fish > ~/.config/fish/completions/reprise.fish",
	}
	for _, sub := range c.Commands() {
		line, ok := where[sub.Name()]
		if !ok {
			c.RemoveCommand(sub)
			continue
		}
		sub.Short, sub.Long, sub.Example = "completion for "+sub.Name(), "Write the completion script of "+sub.Name()+" to standard output.", "  "+line
	}
}

// usageTemplate is cobra's, in our words and order.
const usageTemplate = `Use:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasExample}}

Example:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

More about one: {{.CommandPath}} COMMAND --help{{end}}
`
