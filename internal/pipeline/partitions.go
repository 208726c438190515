package pipeline

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/partition"
)

// eachPartition does something with every partition, so many at a time. The error is that of the first partition that has
// one, whichever comes to it first: those behind it are given up, those before it go on.
func eachPartition(ctx context.Context, m *partition.Manifest, threads int, do func(context.Context, partition.Partition) error) error {
	var mu sync.Mutex
	var failed error
	ends := make([]context.CancelFunc, len(m.Partitions))
	contexts := make([]context.Context, len(m.Partitions))
	for i := range ends {
		contexts[i], ends[i] = context.WithCancel(ctx)
		defer ends[i]()
	}
	fail := func(i int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if contexts[i].Err() != nil {
			return // given up
		}
		failed = err
		for _, end := range ends[i:] {
			end()
		}
	}
	tokens := make(chan struct{}, threads)
	var wait sync.WaitGroup
	for i, p := range m.Partitions {
		tokens <- struct{}{}
		wait.Go(func() {
			defer func() { <-tokens }()
			if contexts[i].Err() != nil {
				return
			}
			if err := do(contexts[i], p); err != nil {
				fail(i, err)
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return failed
}

// readAll visits the blocks of all rows in order.
func readAll(ctx context.Context, s dataset.Source, fields []dataset.Field, visit func(*dataset.Block) error) error {
	return readRows(ctx, s, partition.Partition{Rows: s.Rows()}, fields, visit)
}

// readRows visits the blocks of a partition in order.
func readRows(ctx context.Context, s dataset.Source, p partition.Partition, fields []dataset.Field, visit func(*dataset.Block) error) error {
	reader, err := s.Read(ctx, p.First, p.Rows, fields)
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		b, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(b)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}
