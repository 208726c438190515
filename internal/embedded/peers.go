package embedded

import (
	"context"

	"github.com/coterie-project/coterie/worker"
)

// peers are the engines of this process by the names of their workers: questions about ids are calls.
type peers map[string]*worker.Engine

// IDs implements worker.Peers.
func (p peers) IDs(ctx context.Context, owner string, r worker.IDsRequest, visit func(worker.IDPart) error) error {
	e := p[owner]
	if e == nil {
		return worker.ErrUnknownOwner
	}
	return e.IDs(ctx, r, visit)
}

// Dropped implements worker.Peers.
func (p peers) Dropped(ctx context.Context, owner string, r worker.DroppedRequest, visit func(rows []int64) error) error {
	e := p[owner]
	if e == nil {
		return worker.ErrUnknownOwner
	}
	return e.Dropped(ctx, r, visit)
}
