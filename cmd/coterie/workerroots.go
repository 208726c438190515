package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
)

// rootWait is how long a start may ask for what lies below all its --data-root: a store that is away may come later.
const rootWait = 5 * time.Second

// checkObjectRoots refuses prefixes that no job could read from: a worker with such a one would fail every job that it is in.
// Whether a listing is denied says nothing, since reading may be allowed.
func checkObjectRoots(ctx context.Context, roots []string, log *slog.Logger) error {
	bounded, cancel := context.WithTimeout(ctx, rootWait)
	defer cancel()
	for _, root := range roots {
		if !object.Is(root) {
			continue
		}
		err := listRoot(bounded, root)
		switch {
		case err == nil, errors.Is(err, object.ErrDenied) && !errors.Is(err, object.ErrIdentity):
		case ctx.Err() != nil:
			return ctx.Err()
		case bounded.Err() != nil, errors.Is(err, object.ErrAway):
			log.Warn("data root cannot be reached yet", "path", root, "error", err)
		case fault.Code(err) == int(fault.Usage):
			return err
		default:
			return fault.Failedf(err, "--data-root %s", root) // 1, so that a supervisor starts it again
		}
	}
	return nil
}

// listRoot asks for one name below a prefix. There need not be any yet.
func listRoot(ctx context.Context, root string) error {
	n, err := open.ObjectRoot(root)
	if err != nil {
		return err
	}
	store, err := object.Default(ctx)
	if err != nil {
		return err
	}
	for _, err := range store.List(ctx, n, "", true) {
		return err
	}
	return nil
}
