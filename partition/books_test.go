package partition

import (
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A plan that has been through anything is rebalanced like one that begins with the same owners.
func TestAPlanThatIsKeptUpIsLikeOneMadeAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		rowBytes := rapid.SampledFrom([]int64{0, 1, 8}).Draw(t, "row bytes")
		memory := func() int64 { return rapid.Int64Range(0, max(m.Rows, 1)*rowBytes).Draw(t, "memory") }
		kept := &Plan{Owners: make([]string, len(m.Partitions))}
		for range rapid.IntRange(2, 6).Draw(t, "steps") {
			workers := drawWorkers(t, "workers", memory)
			anew := &Plan{Owners: slices.Clone(kept.Owners)}
			want, wantErr := anew.Rebalance(m, workers, rowBytes)
			got, err := kept.Rebalance(m, workers, rowBytes)
			if (err == nil) != (wantErr == nil) || !slices.Equal(got, want) || !slices.Equal(kept.Owners, anew.Owners) {
				t.Fatalf("got %v and %v moved to %v; want %v and %v to %v", err, got, kept.Owners, wantErr, want, anew.Owners)
			}
			if len(m.Partitions) == 0 {
				continue
			}
			for range rapid.IntRange(0, 4).Draw(t, "moves") { // to and fro
				id := rapid.IntRange(0, len(m.Partitions)-1).Draw(t, "moved")
				kept.Move(id, rapid.SampledFrom(workers).Draw(t, "to").Name)
			}
			if b := kept.books; b != nil {
				b.settle(kept.Owners)
				held := kept.ByOwner()
				for name, h := range b.held {
					rows := int64(0)
					for _, id := range h.ids {
						rows += m.Partitions[id].Rows
					}
					if !slices.Equal(h.ids, held[name]) || h.rows != rows {
						t.Fatalf("the books give %q %v with %d rows, the plan %v with %d", name, h.ids, h.rows, held[name], rows)
					}
				}
				if len(b.held) != len(held) {
					t.Fatalf("the books have %d owners, the plan %d", len(b.held), len(held))
				}
			}
		}
	})
}

// Counted in bytes, since time tells nothing on a busy machine: a list of all partitions would show.
func TestALossCostsNoLookAtEveryPartition(t *testing.T) {
	const partitions, workers = 200_000, 2000
	m, crowd := alike(partitions, 10), crew(workers)
	p, err := Place(m, crowd, 0)
	if err != nil {
		t.Fatal(err)
	}
	mustRebalanceAtAll(t, p, m, crowd)
	var before, after runtime.MemStats
	for i := range 5 {
		crowd = slices.Delete(crowd, 3*i, 3*i+1)
		runtime.ReadMemStats(&before)
		moved, err := p.Rebalance(m, crowd, 0)
		runtime.ReadMemStats(&after)
		if err != nil || len(moved) < partitions/workers {
			t.Fatalf("got %v and %d moved, want at least %d", err, len(moved), partitions/workers)
		}
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(8*partitions); got > most {
			t.Errorf("a loss took %d bytes for %d moves, want less than the %d of a number for each partition", got, len(moved), most)
		}
	}
	for i := range partitions { // books that too many moves have passed by are made anew
		p.Move(i, crowd[i%len(crowd)].Name)
		if p.books != nil && len(p.books.moves) > partitions/manyMoves {
			t.Fatalf("%d moves are kept", len(p.books.moves))
		}
	}
	mustRebalanceAtAll(t, p, m, crowd)
}

func mustRebalanceAtAll(t *testing.T, p *Plan, m *Manifest, workers []Worker) {
	t.Helper()
	if _, err := p.Rebalance(m, workers, 0); err != nil {
		t.Fatal(err)
	}
	if n := len(p.ByOwner()); n != len(workers) {
		t.Errorf("%d owners, want %d", n, len(workers))
	}
}

// A placement that is refused in the end must not have changed what the books say.
func TestAPlacementLeavesTheBooksAloneUntilItIsTaken(t *testing.T) {
	m := alike(60, 10)
	p := mustPlace(t, m, crew(6), 0)
	b := newBooks(m, p.Owners)
	if _, err := b.plan(append(crew(4), Worker{Name: "joiner", Weight: 9}), 0); err != nil {
		t.Fatal(err)
	}
	held := p.ByOwner()
	for name, ids := range held {
		if h := b.held[name]; !slices.Equal(h.ids, ids) || h.rows != int64(10*len(ids)) {
			t.Errorf("the books give %s %v with %d rows, want %v", name, h.ids, h.rows, ids)
		}
	}
	if len(b.held) != len(held) {
		t.Errorf("the books have %d owners, want %d", len(b.held), len(held))
	}
}
