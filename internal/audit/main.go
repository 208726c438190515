package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// The exit codes besides 0 and 1.
const (
	wrongUsage = 2
	notLooked  = 77 // what .ci/run and automake count as skipped
)

// errUnreachable is for what could not be looked at; nothing is known, for better or worse.
var errUnreachable = errors.New("not looked")

// errUsage is for a command line that makes no sense.
var errUsage = errors.New("usage: audit licences | sbom | vulncheck | coverage [flags]; audit WORD -help lists them")

// command is one word of the command line: it reads its flags from args and writes results to out.
type command func(ctx context.Context, args []string, out io.Writer) error

var commands = map[string]command{
	"licences":  licencesCommand,
	"sbom":      sbomCommand,
	"vulncheck": vulncheckCommand,
	"coverage":  coverageCommand,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program: it gives the exit code.
func run(ctx context.Context, args []string, out, complaints io.Writer) int {
	err := errUsage
	if len(args) > 0 && commands[args[0]] != nil {
		err = commands[args[0]](ctx, args[1:], out)
	}
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(complaints, err)
		return wrongUsage
	case errors.Is(err, errUnreachable):
		fmt.Fprintln(complaints, err)
		return notLooked
	}
	fmt.Fprintln(complaints, "audit:", err)
	return 1
}

// parse reads flags, and refuses words beyond those that want names.
func parse(set *flag.FlagSet, args []string, want int) error {
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w\n%w", err, errUsage)
	}
	if set.NArg() != want {
		return fmt.Errorf("audit %s: %d words besides the flags, %d are needed\n%w", set.Name(), set.NArg(), want, errUsage)
	}
	return nil
}
