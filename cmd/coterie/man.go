package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// newManCommand is coterie man.
func newManCommand(app *App) *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:     "man [DIR]",
		Short:   "Print the manual page, or write one page for each command into a folder",
		Example: "  coterie man | man -l -\n  coterie man -o /usr/local/share/man/man1",
		Args:    atMostArgs(1),
	}
	cmd.Flags().StringVarP(&folder, "output", "o", "", "write the pages into the folder `DIR`")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			if folder != "" {
				return fault.Usagef("-o %q and the argument %q both name a folder", folder, args[0])
			}
			folder = args[0]
		}
		if folder != "" {
			return writeManPages(cmd.Root(), folder)
		}
		if _, err := io.WriteString(app.Stdout, manPage(cmd.Root())); err != nil {
			return fault.Failedf(err, "standard output")
		}
		return nil
	}
	return cmd
}

// writeManPages writes the page of cmd and of all commands below it.
func writeManPages(cmd *cobra.Command, folder string) error {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fault.Failedf(nil, "-o %s: there is no such folder", folder).Do("make it first: mkdir -p %s", folder)
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
	err := store.WriteFile(filepath.Join(folder, name), func(w io.Writer) error {
		_, err := io.WriteString(w, manPage(cmd))
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		if err := writeManPages(c, folder); err != nil {
			return err
		}
	}
	return nil
}
