package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manPage renders the manual page of a command in the man macros of troff, section 1. It holds no date, so that the
// same program always makes the same page.
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"coterie %s\" \"Coterie manual\"\n", strings.ToUpper(roffText(name)), roffText(version()))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roffText(name), roffText(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roffText(cmd.UseLine()))
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roffText(text))
	roffCommands(&b, cmd)
	roffFlags(&b, "OPTIONS", cmd.NonInheritedFlags())
	roffFlags(&b, "OPTIONS OF EVERY COMMAND", cmd.InheritedFlags())
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roffText(cmd.Example))
	}
	if cmd.HasParent() {
		fmt.Fprintf(&b, ".SH SEE ALSO\n.BR %s (1)\n", roffText(cmd.Root().Name()))
		return b.String()
	}
	b.WriteString(".SH ENVIRONMENT\nEvery option can be set as COTERIE_ and its name in capitals, with _ for \\-. The command line\n" +
		"beats the environment, and the environment beats the file of \\-\\-config. COTERIE_KERNEL takes the kernel:\n" +
		"avx512, avx2, neon or portable; all give the same bits. NO_COLOR is honoured.\n")
	b.WriteString(".SH EXIT STATUS\n")
	for _, s := range exitStatus {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", s.code, roffText(s.means))
	}
	return b.String()
}

// exitStatus explains the exit codes.
var exitStatus = []struct {
	code  int
	means string
}{
	{0, "Done; also a fit that reached its largest number of iterations."},
	{1, "Failed: an output folder is missing, the disk is full, or anything else."},
	{2, "Wrong usage: an unknown command or flag, or a bad value."},
	{3, "Bad input: data or a model that is unreadable, damaged or wrong."},
	{4, "A gate failed; nothing was replaced."},
	{5, "The cluster cannot do it in time."},
	{130, "Interrupted."},
}

func roffCommands(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	b.WriteString(".SH COMMANDS\n")
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(b, ".TP\n.B %s\n%s.\n", roffText(c.Name()), roffText(c.Short))
		}
	}
}

func roffFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.SortFlags = false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		term := "--" + f.Name
		if f.Shorthand != "" {
			term = "-" + f.Shorthand + ", " + term
		}
		if value != "" {
			term += " " + value
		}
		if showsDefault(f) {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s.\n", roffText(term), roffText(usage))
	})
}

// showsDefault says whether a default is worth telling: not an empty one, and not where the text tells it.
func showsDefault(f *pflag.Flag) bool {
	switch f.DefValue {
	case "", "0", "false", "[]":
		return false
	}
	return !strings.Contains(f.Usage, "(default ")
}

// roffText makes text safe for troff: backslashes and hyphens are escaped, and no line begins with a control
// character.
func roffText(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
