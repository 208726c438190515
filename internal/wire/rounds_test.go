package wire

import (
	"errors"
	"math/rand/v2"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/kmeans"
)

// round is a task with the answers of three workers.
type round struct {
	name  string
	task  *Task
	parts []*Partial
}

const (
	testPartitions = 3
	testRows       = 50 // of each partition
	testClusters   = 4
)

// world is a small table in three partitions, and all that is made of it.
type world struct {
	t         tester
	r         *rand.Rand
	weighted  bool
	input     *Input
	batches   []*feature.Batch
	search    *feature.QuantileSearch
	transform *feature.Transform
	pending   *feature.Transform // under cosine, before its second pass
	points    []*kmeans.Points
	centroids *kmeans.Centroids
	load      *Task
}

func newWorld(t tester, seed uint64, weighted bool) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 1)), weighted: weighted}
	w.input = &Input{ID: "id", BadRows: BadRowsQuarantine, Duplicates: DuplicatesFail, Spec: &feature.Spec{Numeric: []string{"x", "y"},
		Log1p: []string{"y"}, Categorical: []string{"c"}, Scale: feature.Robust, Missing: feature.Mean,
		Weights: []feature.Weight{{Column: "y", Factor: 0.3}, {Column: "c", Factor: 2}}, Fold: &feature.Fold{Percent: 2.5}, Orders: []feature.Order{{Column: "y", Levels: []string{"no", "<", "yes"}}}}}
	if weighted {
		w.input.Weight = "w"
	}
	for range testPartitions {
		w.batches = append(w.batches, w.batch())
	}
	w.fit()
	w.load = &Task{Kind: Load, Input: w.input, Transform: w.transform, Largest: 2, K: testClusters, KeepIDs: true}
	w.makePoints()
	d := w.transform.Width()
	w.centroids = kmeans.NewCentroids(testClusters, d)
	for j := range testClusters {
		w.points[0].At(j*7, w.centroids.Row(j))
	}
	return w
}

func (w *world) batch() *feature.Batch {
	b := &feature.Batch{Rows: testRows, Numeric: [][]float64{make([]float64, testRows), make([]float64, testRows)}}
	levels := make([]string, testRows)
	for i := range testRows {
		b.Numeric[0][i], b.Numeric[1][i] = w.r.NormFloat64()*50, w.r.ExpFloat64()
		levels[i] = []string{"a", "b", "ç"}[w.r.IntN(3)]
	}
	b.Text = []feature.TextColumn{{At: func(i int) []byte { return []byte(levels[i]) }}}
	return b
}

func (w *world) check(errs ...error) {
	w.t.Helper()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) fit() {
	s := feature.NewStatistics(w.input.Spec)
	for _, b := range w.batches {
		w.check(s.Add(b))
	}
	w.search = feature.NewQuantileSearch(w.input.Spec, s)
	search := w.search.Clone()
	for !search.Done() {
		counts := search.Open()
		for _, b := range w.batches {
			w.check(counts.Add(b))
		}
		w.check(search.Close(counts))
	}
	var err error
	w.transform, err = feature.Fit(w.input.Spec, s, search)
	w.check(err)
	cosine := *w.input.Spec
	cosine.Normalize = true
	w.pending, err = feature.Fit(&cosine, s, search)
	w.check(err)
}

func (w *world) makePoints() {
	var grid []int
	for _, g := range w.transform.Grids() {
		grid = append(grid, g.Exponent)
	}
	for i, b := range w.batches {
		out := make([][]float32, len(grid))
		for c := range out {
			out[c] = make([]float32, testRows)
		}
		_, err := w.transform.Apply(b, out, nil)
		w.check(err)
		p, err := kmeans.NewPoints(testRows, len(grid), int64(i*testRows), grid)
		w.check(err)
		var weights []uint64
		if w.weighted {
			p.SetWeighted()
			for range testRows {
				weights = append(weights, w.r.Uint64N(kmeans.WeightOne+1))
			}
		}
		w.check(p.Append(out, testRows, int64(i*testRows), nil, weights))
		w.points = append(w.points, p)
	}
}

// each makes a round with one answer for each partition.
func (w *world) each(name string, t *Task, answer func(i int, p *Partial)) round {
	t.Epoch, t.Round = 7, uint64(w.r.IntN(100))
	t.Partitions = []int{0, 1, 2}
	r := round{name: name, task: t}
	for i := range testPartitions {
		p := new(Partial)
		answer(i, p)
		r.parts = append(r.parts, p)
	}
	return r
}

// rounds are one of each kind; that of quantiles, whose counters take some seconds in a hundred turns, is quantiles.
func (w *world) rounds() []round {
	d := w.transform.Width()
	intake := func(i int, p *Partial) {
		p.Intake = Intake{Read: testRows, Kept: testRows - 2, Bad: 1, Missing: 1, Imputed: int64(i), Unseen: []int64{int64(3 * i)}}
		p.Largest = float64(i) / 4
		p.IDs = []IDSummary{{Partition: i, Count: testRows, Integers: true, Ascending: i != 1, First: -5, Last: int64(9 * i)}}
		p.Bad = []BadRow{{Row: int64(i*testRows + 9), Place: fault.Place{File: "f.csv", Line: 11, Row: 9, Column: "x"}, Reason: "not a number",
			Raw: "a\xff,b"}, {Row: int64(i*testRows + 3), Place: fault.Place{Row: fault.NoRow}, Reason: "empty"}}
	}
	rounds := []round{
		w.each("keys", &Task{Kind: Keys, Input: w.input}, intake),
		w.each("duplicates", &Task{Kind: Duplicates, Input: w.input, Owners: []string{"a:1", "", "b:2"}, Reload: w.load},
			func(i int, p *Partial) { p.Dropped = int64(i) }),
		w.each("statistics", &Task{Kind: Statistics, Input: w.input}, func(i int, p *Partial) {
			intake(i, p)
			p.Statistics = feature.NewStatistics(w.input.Spec)
			w.check(p.Statistics.Add(w.batches[i]))
		}),
		w.each("directions", &Task{Kind: Directions, Input: w.input, Transform: w.pending}, func(i int, p *Partial) {
			p.Directions = w.pending.NormalisedStatistics()
			w.check(p.Directions.Add(w.batches[i]))
		}),
		w.each("load", &Task{Kind: Load, Input: w.input, Transform: w.transform, Largest: 2, K: testClusters}, func(i int, p *Partial) {
			intake(i, p)
			p.Totals, p.Distinct = kmeans.NewTotals(d), kmeans.NewDistinct(testClusters)
			p.Totals.Add(w.points[i])
			p.Distinct.Add(w.points[i])
		}),
		w.each("iterate", &Task{Kind: Iterate, Centroids: w.centroids, Since: 4, Reload: w.load}, func(i int, p *Partial) {
			p.Sums, p.Moved, p.Fresh = w.assign(i, nil), int64(i), i == 1
		}),
		w.each("score", &Task{Kind: Score, Centroids: w.centroids, Reload: w.load}, func(i int, p *Partial) {
			p.Inertia = new(exact.Bins)
			p.Sums = w.assign(i, p.Inertia)
		}),
		w.each("score with distances", &Task{Kind: Score, Centroids: w.centroids, Spread: true, Reload: w.load}, func(i int, p *Partial) {
			p.Inertia, p.Spread = new(exact.Bins), spreadOf(w.centroids.K, i)
			p.Sums = w.assign(i, p.Inertia)
		}),
		w.each("farthest", &Task{Kind: Farthest, Centroids: w.centroids, K: 5, Reload: w.load}, func(i int, p *Partial) {
			p.Farthest = kmeans.NewFarthest(5)
			kmeans.NewAssigner(w.centroids).Farthest(w.points[i], 0, testRows, p.Farthest, new(kmeans.Scratch))
		}),
		w.each("label", &Task{Kind: Label, Input: w.input, Transform: w.transform, Centroids: w.centroids, Detail: true, Integers: true},
			func(i int, p *Partial) {
				intake(i, p)
				p.Inertia = new(exact.Bins)
				p.Sums = &kmeans.Sums{K: testClusters, Counts: w.assign(i, p.Inertia).Counts}
			}),
		w.each("fault", &Task{Kind: Statistics, Input: w.input}, func(i int, p *Partial) {
			intake(i, p)
			p.Fault = &RowFault{Row: int64(40 - i), Err: fault.Inputf(fault.Place{File: "f.csv", Line: 3, Column: "x"}, "is %d", i).Do("mend it")}
		}),
	}
	return append(append(rounds, w.together()), w.seedRounds()...)
}

// together is a round of four runs, of as many kinds and two numbers of clusters.
func (w *world) together() round {
	few := &kmeans.Centroids{K: 2, D: w.centroids.D, Values: w.centroids.Values[:2*w.centroids.D]}
	seed := &kmeans.SeedTask{Candidates: w.centroids, Race: 3, Seed: w.r.Uint64(), Round: 2}
	task := &Task{Kind: Together, Reload: w.load, Strands: []*Task{
		{Kind: Iterate, Run: 1, Centroids: w.centroids, Since: 9},
		{Kind: Seed, Run: 2, Seed: seed},
		{Kind: Score, Run: 4, Centroids: few, Spread: true},
		{Kind: Farthest, Run: 5, Centroids: w.centroids, K: 5},
	}}
	return w.each("together", task, func(i int, p *Partial) {
		iterated, scored, seeded, far := new(Partial), &Partial{Inertia: new(exact.Bins), Spread: spreadOf(2, i)}, new(Partial), &Partial{Farthest: kmeans.NewFarthest(5)}
		iterated.Sums, iterated.Moved, iterated.Fresh = w.assign(i, nil), int64(i), i == 2
		iterated.Intake.Kept = testRows
		all := w.centroids
		w.centroids = few
		scored.Sums = w.assign(i, scored.Inertia)
		w.centroids = all
		seeded.Seed = kmeans.NewSeedPartial(seed)
		kmeans.NewSeedRound(seed, []int{0}).Do(w.points[i], kmeans.NewSeedState(w.points[i]), 0, testRows, seeded.Seed, new(kmeans.Scratch))
		kmeans.NewAssigner(w.centroids).Farthest(w.points[i], 0, testRows, far.Farthest, new(kmeans.Scratch))
		p.Strands = []*Partial{iterated, seeded, scored, far}
	})
}

// spreadOf are some distances by cluster.
func spreadOf(k, part int) []exact.Bins {
	spread := make([]exact.Bins, k)
	for j := range spread {
		spread[j].Add(float32(1+j) / float32(3+part))
	}
	return spread
}

func (w *world) quantiles() round {
	return w.each("quantiles", &Task{Kind: Quantiles, Input: w.input, Search: w.search}, func(i int, p *Partial) {
		p.Counts = w.search.Open()
		w.check(p.Counts.Add(w.batches[i]))
	})
}

func (w *world) assign(i int, inertia *exact.Bins) *kmeans.Sums {
	d := w.transform.Width()
	k := w.centroids.K
	acc, s := kmeans.NewAccumulator(k, d, w.weighted), kmeans.NewSums(k, d, w.weighted)
	if inertia == nil {
		inertia = new(exact.Bins)
	}
	a := kmeans.NewAssigner(w.centroids)
	a.Score(w.points[i], 0, testRows, make([]uint16, testRows), true, acc, inertia, new(kmeans.Scratch))
	acc.Drain(s)
	return s
}

func (w *world) seedRounds() []round {
	unit := 1.0 // of a weight
	if w.weighted {
		unit = kmeans.WeightOne
	}
	tasks := []struct {
		name string
		task *kmeans.SeedTask
	}{
		{"uniform", &kmeans.SeedTask{Uniform: 6}},
		{"race", &kmeans.SeedTask{Candidates: w.centroids, Race: 3}},
		{"sample", &kmeans.SeedTask{Candidates: w.centroids, Threshold: 0.3 / unit}},
		{"potential", &kmeans.SeedTask{Candidates: w.centroids, Potential: true}},
		{"try", &kmeans.SeedTask{Candidates: w.centroids, Try: w.centroids}},
		{"weigh", &kmeans.SeedTask{Candidates: w.centroids, Weigh: true}},
		{"recluster", &kmeans.SeedTask{Candidates: w.centroids, Recluster: true, Masses: []uint64{1, 5, kmeans.WeightOne, 9}, K: 2,
			Grid: w.points[0].Grid()}},
	}
	var rounds []round
	for _, c := range tasks {
		task := c.task
		task.Seed, task.Round = w.r.Uint64(), 3
		rounds = append(rounds, w.each("seed: "+c.name, &Task{Kind: Seed, Seed: task, Reload: w.load}, func(i int, p *Partial) {
			if task.Recluster {
				centers, err := kmeans.Recluster(task)
				w.check(err)
				p.Seed = &kmeans.SeedPartial{Centers: centers}
				return
			}
			p.Seed = kmeans.NewSeedPartial(task)
			kmeans.NewSeedRound(task, []int{0}).Do(w.points[i], kmeans.NewSeedState(w.points[i]), 0, testRows, p.Seed, new(kmeans.Scratch))
		}))
	}
	return rounds
}
