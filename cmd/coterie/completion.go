package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
)

// shells are those that completion speaks.
var shells = []string{"bash", "zsh", "fish", "powershell"}

// newCompletionCommand is coterie completion.
func newCompletionCommand(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a completion script for bash, zsh, fish or powershell",
		Example: "  coterie completion bash > /etc/bash_completion.d/coterie\n" +
			"  coterie completion zsh > \"${fpath[1]}/_coterie\"\n" +
			"  coterie completion fish > ~/.config/fish/completions/coterie.fish",
		ValidArgs: shells,
		Args:      exactArgs("SHELL: bash, zsh, fish or powershell"),
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var script bytes.Buffer
		var err error
		switch root := cmd.Root(); args[0] {
		case "bash":
			err = root.GenBashCompletionV2(&script, true)
		case "zsh":
			err = root.GenZshCompletion(&script)
		case "fish":
			err = root.GenFishCompletion(&script, true)
		case "powershell":
			err = root.GenPowerShellCompletionWithDesc(&script)
		default:
			refused := fault.Usagef("SHELL: %q is none of bash, zsh, fish, powershell", args[0])
			if near := fault.Nearest(args[0], shells); near != "" {
				refused = refused.Do("did you mean %q?", near)
			}
			return refused
		}
		if err == nil {
			_, err = script.WriteTo(app.Stdout)
		}
		if err != nil {
			return fault.Failedf(err, "standard output")
		}
		return nil
	}
	return cmd
}

// newHelpCommand is coterie help, which knows wrong topics from right ones.
func newHelpCommand(app *App) *cobra.Command {
	cmd := &cobra.Command{Use: "help [COMMAND]", Short: "Explain a command"}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		topic, rest, err := cmd.Root().Find(args)
		if err != nil || len(rest) > 0 {
			return noSuchCommand(cmd.Root(), args)
		}
		return topic.Help()
	}
	return cmd
}
