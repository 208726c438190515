package open

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/partition"
)

// farStore is a store behind a link of a bubble's clock: computing takes no time there, journeys and bytes do.
type farStore struct {
	object.Store
	rate  float64       // bytes a second, of all answers together
	delay time.Duration // until an answer's first byte
	mu    sync.Mutex
	free  time.Time // when what has been sent is through
}

func (s *farStore) Stat(ctx context.Context, n object.Name) (object.Info, error) {
	time.Sleep(s.delay)
	return s.Store.Stat(ctx, n)
}

func (s *farStore) ReadAt(ctx context.Context, info object.Info, p []byte, at int64) error {
	time.Sleep(s.delay)
	for left := len(p); left > 0; left -= 64 << 10 { // requests share the link
		s.mu.Lock()
		if now := time.Now(); s.free.Before(now) {
			s.free = now
		}
		s.free = s.free.Add(time.Duration(float64(min(left, 64<<10)) / s.rate * float64(time.Second)))
		until := s.free
		s.mu.Unlock()
		time.Sleep(time.Until(until))
	}
	return s.Store.ReadAt(ctx, info, p, at)
}

// plain reads the object by ranges of a mebibyte, eight at a time.
func (s *farStore) plain(t *testing.T, n object.Name) {
	info, err := s.Store.Stat(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	const piece = 1 << 20
	offsets := make(chan int64)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			b := make([]byte, piece)
			for at := range offsets {
				if err := s.ReadAt(t.Context(), info, b[:min(piece, info.Size-at)], at); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for at := int64(0); at < info.Size; at += piece {
		offsets <- at
	}
	close(offsets)
	all.Wait()
}

// table opens a table and reads all its numbers, two partitions at a time.
func (s *farStore) table(t *testing.T, path string) {
	source, err := Sources(t.Context(), []string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var fields []dataset.Field
	for i, c := range source.Schema().Columns {
		if c.Kind == dataset.Number {
			fields = append(fields, dataset.Field{Column: i})
		}
	}
	m, err := partition.Cut(source.Rows(), 32, source.Cuts()) // smaller than the row groups
	if err != nil {
		t.Fatal(err)
	}
	parts := make(chan partition.Partition)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for p := range parts {
				r, err := source.Read(t.Context(), p.First, p.Rows, fields)
				for err == nil {
					_, err = r.Next()
				}
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				r.Close()
			}
		})
	}
	for _, p := range m.Partitions {
		parts <- p
	}
	close(parts)
	all.Wait()
}

func TestBehindALinkATableIsReadNearlyAsFastAsItsBytes(t *testing.T) {
	for extension, rows := range map[string]int{".parquet": 1_000_000, ".npy": 1_000_000, ".csv": 500_000} {
		body := written(t, extension, rows)
		name := object.Name{Bucket: "bucket", Key: "x" + extension}
		m := bucket(t, map[string]string{name.Key: body})
		bubble.Test(t, func(t *testing.T) {
			// Two seconds of bytes: as much to a journey as 600 MB on a line of 2.5 Gbit/s.
			s := &farStore{Store: m, rate: float64(len(body)) / 2, delay: 20 * time.Millisecond}
			defer object.Use(s)()
			took := func(read func()) float64 {
				began := time.Now()
				read()
				return time.Since(began).Seconds()
			}
			plain := took(func() { s.plain(t, name) })
			if ours := took(func() { s.table(t, name.String()) }); plain < 0.8*ours {
				t.Errorf("%s: got %.0f %% of the speed of a plain reader, want at least 80 (%.2f s, %.2f s)", extension, 100*plain/ours, ours, plain)
			} else {
				t.Logf("%s, %d bytes: %.0f %%", extension, len(body), 100*plain/ours)
			}
		})
	}
}
