package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coterie-project/coterie/internal/fault"
)

// required is the annotation of a flag that a command cannot do without.
const required = "coterie_required"

// require marks flags that must be given, on the command line or elsewhere.
func require(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.Flags().SetAnnotation(name, required, []string{"true"}); err != nil {
			panic(err) // a command names a flag that it does not have
		}
	}
}

// checkRequired is an error that names the first required flag without a value.
func checkRequired(cmd *cobra.Command) error {
	var missing error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if missing == nil && f.Annotations[required] != nil && !f.Changed {
			missing = missingFlag(cmd, f.Name)
		}
	})
	return missing
}

// missingFlag is the error of a command that needs a flag and has not got it.
func missingFlag(cmd *cobra.Command, name string) error {
	f := cmd.Flags().Lookup(name)
	return fault.Usagef("%s needs %s", cmd.CommandPath(), spelled(f)).Do("%s", explained(f))
}

// spelled is a flag as a user writes it: "-o", "--seed".
func spelled(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand
	}
	return "--" + f.Name
}

// explained is what the help says of a flag.
func explained(f *pflag.Flag) string {
	_, usage := pflag.UnquoteUsage(f)
	return usage
}

// exactArgs takes as many arguments as there are names.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return missingArg(cmd, names[len(args)])
		}
		return tooMany(cmd, args, len(names))
	}
}

// atMostArgs takes up to n arguments.
func atMostArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return tooMany(cmd, args, n) }
}

// someArgs takes one argument or more, called name.
func someArgs(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return missingArg(cmd, name)
		}
		return nil
	}
}

func missingArg(cmd *cobra.Command, name string) error {
	return fault.Usagef("%s needs %s", cmd.CommandPath(), name).Do("usage: %s", cmd.UseLine())
}

func tooMany(cmd *cobra.Command, args []string, n int) error {
	if len(args) > n {
		return fault.Usagef("%s does not take the argument %q", cmd.CommandPath(), args[n]).Do("usage: %s", cmd.UseLine())
	}
	return nil
}

// noSuchCommand refuses the arguments of a command that has others below it: they would be the name of one.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	err := fault.Usagef("unknown command %q", args[0])
	if near := fault.Nearest(args[0], names); near != "" {
		return err.Do("did you mean %q?", near)
	}
	return err.Do("%s --help lists the commands", cmd.CommandPath())
}

// flagError says what is wrong with a flag, in our words.
func flagError(cmd *cobra.Command, err error) error {
	// A flag of a command that does not exist is unknown too; the command is what to name.
	if args := cmd.Flags().Args(); !cmd.HasParent() && len(args) > 0 {
		return noSuchCommand(cmd, args)
	}
	var unknown *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &empty):
		return fault.Usagef("%s needs a value", spelled(empty.GetFlag())).Do("%s", explained(empty.GetFlag()))
	case errors.As(err, &invalid):
		return badValue(invalid.GetFlag(), "", invalid.GetValue(), invalid.Unwrap())
	case errors.As(err, &syntax):
		return fault.Usagef("%s is not a flag", syntax.GetSpecifiedFlag())
	default:
		return fault.Usagef("%v", err)
	}
}

func unknownFlag(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	name := "--" + unknown.GetSpecifiedName()
	if group := unknown.GetSpecifiedShortnames(); group != "" {
		name = "-" + unknown.GetSpecifiedName()
		// "-seed 3" is a long flag with one dash too few.
		if cmd.Flags().Lookup(group) != nil {
			return fault.Usagef("unknown flag -%s for %s", group, cmd.CommandPath()).Do("did you mean --%s?", group)
		}
	}
	err := fault.Usagef("unknown flag %s for %s", name, cmd.CommandPath())
	if near := fault.Nearest(unknown.GetSpecifiedName(), flagNames(cmd)); near != "" && unknown.GetSpecifiedShortnames() == "" {
		return err.Do("did you mean --%s?", near)
	}
	return err.Do("%s --help lists the flags", cmd.CommandPath())
}

// flagNames are the long names of a command's flags.
func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// badValue names a flag, where its value came from (empty: the command line), the value and what is wrong with it.
func badValue(f *pflag.Flag, from, value string, cause error) error {
	name := spelled(f)
	if from != "" {
		name += " (" + from + ")"
	}
	return fault.Usagef("%s: %q %s", name, value, complaint(f, cause))
}

// complaint says why a flag refused a value. The flags of this package speak for themselves; those of the library
// quote the function that failed.
func complaint(f *pflag.Flag, cause error) string {
	if refused := (*refusal)(nil); errors.As(cause, &refused) {
		return refused.Error()
	}
	switch f.Value.Type() {
	case "bool":
		return "is neither true nor false"
	case "int", "int64", "int32":
		return "is not a whole number"
	case "uint", "uint64", "uint32":
		return "is not a whole number of at least 0"
	case "float64", "float32":
		return "is not a number"
	case "duration":
		return "is not a time span such as 30s or 5m"
	default:
		return fmt.Sprintf("is refused: %v", cause)
	}
}
