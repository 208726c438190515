package main

import (
	"context"
	"io"
	"os"

	"github.com/coterie-project/coterie/internal/store"
)

func main() {
	ctx, stop := interruptible(context.Background())
	store.Until(ctx)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program: it reads args and the environment and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := newApp(stdin, stdout, stderr, os.Environ())
	return app.run(ctx, args)
}
