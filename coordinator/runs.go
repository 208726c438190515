package coordinator

import (
	"fmt"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/segment"
)

// run is one start on its way: it is seeded, iterated and scored.
type run struct {
	number int
	k      int               // clusters
	seeder *kmeans.Seeder    // until there is a start
	given  *kmeans.Centroids // starts that the seeder's are to add to; nil: there are none
	ask    *kmeans.SeedTask  // the seeder's next round
	iter   *kmeans.Iteration // nil until there is a start
	sums   *kmeans.Sums      // of the last assignment of iter
	// unfilled is an assignment with empty clusters, which waits for the farthest rows; nil: there is none.
	unfilled *wire.Partial
	// assigned is the round of the last assignment: workers that took part in it know which rows have moved since.
	assigned uint64
	over     bool // no assignment is due but the one that scores
}

// runs are where the runs of a fit are: in batches, whose rounds share passes over the rows. A batch is seeded as a whole
// before it is iterated; runs that have converged drop out.
type runs struct {
	first   int   // all below are scored
	scored  []int // and of those above these, ascending
	batch   []*run
	abreast int // how many share a pass, at most
	phase   Phase
	// restored says that the batch comes from a kept state, and has none of the runs that were being seeded.
	restored bool
}

const (
	// sharedBytes is what labels and bounds of the runs of a batch may take however small the Points are: small tables go
	// through many runs at a time, and spare a cluster as many rounds.
	sharedBytes = 64 << 20
	// sharedRow is what they may take for a row beyond the size of its Point: narrow Points are those whose passes gain most.
	sharedRow = 16
	// sharedCells bounds the sums of a batch: at 16 bytes each, they make answers and checkpoints no larger than 1 MiB. With
	// more of them the arithmetic of a pass takes many times as long as its way through memory: there is nothing to share.
	sharedCells = 1 << 16
)

// Abreast is how many of the runs of a fit of k clusters share passes over rows of d columns, where memory allows: as many
// as keep their labels and bounds in about the room that the Points are in.
func Abreast(runs, k, d int, rows int64, a kmeans.Algorithm) int {
	each := int64(a.TrackBytes(k, d))
	room := max(int64(4*d)+sharedRow, sharedBytes/max(rows, 1)) // of a row
	return int(max(1, min(int64(runs), wire.MaxStrands, room/each, sharedCells/max(int64(k)*int64(d), 1))))
}

// reserve chooses how many runs go abreast, and says what the rows take then.
func (f *Fit) reserve(j *Job, rows int64) {
	d := f.Result.Transform.Width()
	each := f.options.Algorithm.TrackBytes(f.options.K, d)
	bytes := func(abreast int) int64 { return RowBytes(d, f.options.Input, abreast*each) }
	n := min(f.options.Abreast, f.total())
	if n == 0 {
		n = Abreast(f.total(), f.options.K, d, rows, f.options.Algorithm)
	}
	for n > 1 && !j.holds(bytes(n)) {
		n--
	}
	f.runs.abreast = n
	j.reserve(bytes(n), bytes(1), SpillableBytes(d, f.options.Input))
}

// next opens the next round of the runs, or of what comes after them.
func (f *Fit) next(j *Job) []Action {
	if _, err := j.replan(); err != nil {
		return j.fail(err)
	}
	if j.rowBytes == j.leastBytes {
		f.runs.abreast = 1 // workers have gone, and the others lack the memory for more
	}
	var actions []Action
	if len(f.runs.batch) == 0 || f.runs.restored {
		f.runs.restored = false
		if f.runs.first == f.total() {
			if f.sweep != nil {
				return f.draw(j)
			}
			return f.label(j)
		}
		begun, err := f.begin()
		if err != nil {
			return j.fail(err)
		}
		actions = begun
	}
	due, phase := f.runs.due()
	if phase != f.runs.phase {
		f.runs.phase = phase
		actions = append(actions, PhaseBegun{Phase: phase, Rows: f.totals.Rows})
	}
	return append(actions, f.open(j, due)...)
}

// begin makes the next batch, or fills up one that was restored: with the lowest runs that are not scored.
func (f *Fit) begin() ([]Action, error) {
	rs := &f.runs
	for n := rs.first; n < f.total() && len(rs.batch) < rs.abreast; n++ {
		if !rs.has(n) && !slices.ContainsFunc(rs.batch, func(r *run) bool { return r.number == n }) {
			rs.batch = append(rs.batch, &run{number: n, k: f.clusters(n)})
		}
	}
	slices.SortFunc(rs.batch, func(a, b *run) int { return a.number - b.number })
	return f.seed()
}

// seed begins the seeding of the runs of the batch that have no start.
func (f *Fit) seed() ([]Action, error) {
	var actions []Action
	for _, r := range f.runs.batch {
		if r.iter != nil {
			continue
		}
		if f.runs.phase != PhaseSeed {
			f.runs.phase = PhaseSeed
			actions = append(actions, PhaseBegun{Phase: PhaseSeed, Rows: f.totals.Rows})
		}
		if f.options.Start != nil {
			start, err := f.options.Start(f.Result.Transform)
			if err != nil {
				return nil, err
			}
			if start.K >= r.k {
				if err := f.started(r, start); err != nil {
					return nil, err
				}
				actions = append(actions, Advanced{PhaseEnd: true})
				continue
			}
			if r.k > segment.MaxMatch || start.D != len(f.space.Grid) {
				return nil, fmt.Errorf("%w: %d×%d cannot be completed to %d×%d", ErrStart, start.K, start.D, r.k, len(f.space.Grid))
			}
			r.given = start
		}
		seed := exact.Draw(f.options.Seed, purposeRun, uint32(r.number%f.options.Runs), 0)
		seeder, err := kmeans.NewSeeder(f.options.Init, r.k, len(f.space.Grid), f.space.Grid, seed)
		if err != nil {
			return nil, err
		}
		r.seeder, r.ask = seeder, seeder.Next()
	}
	return actions, nil
}

// due are the runs of the batch that take part in the next round, and the phase that it belongs to.
func (rs *runs) due() ([]*run, Phase) {
	phase := PhaseIterate
	due := slices.Clone(rs.batch)
	if unseeded := slices.DeleteFunc(slices.Clone(due), func(r *run) bool { return r.iter != nil }); len(unseeded) > 0 {
		due, phase = unseeded, PhaseSeed
		// Candidates are brought down to k on one worker, while no rows are looked at: those that do not need it wait.
		if waiting := slices.DeleteFunc(slices.Clone(due), func(r *run) bool { return !r.ask.Recluster }); len(waiting) > 0 {
			return waiting, phase
		}
	}
	return due[:min(len(due), rs.abreast)], phase
}

// stage is how far the whole batch is: 0 while some are to be seeded, 1 while some are iterated, 2 while some are to be
// scored, 3 when all are. Where it turns the state is worth keeping; that each run ends a stage is not, for there are many.
func (rs *runs) stage() int {
	stage := 3
	for _, r := range rs.batch {
		switch {
		case r.iter == nil:
			return 0
		case !r.over:
			stage = 1
		default:
			stage = min(stage, 2)
		}
	}
	return stage
}

// open opens a round for runs: their tasks in one, where there are several.
func (f *Fit) open(j *Job, due []*run) []Action {
	strands := make([]*wire.Task, len(due))
	over := j.everything()
	for i, r := range due {
		strands[i] = f.task(r, j.round+1)
		if r.iter == nil && r.ask.Recluster {
			over = over[:1] // whoever has it
		}
	}
	task := wire.Task{Kind: wire.Together, Strands: strands}
	if len(strands) == 1 {
		task = *strands[0]
	}
	task.Reload, task.Algorithm = f.loading, f.options.Algorithm
	actions := j.open(task, over, func(p *wire.Partial) []Action { return f.take(j, due, p) })
	if opened, is := actions[0].(Opened); is {
		for _, r := range due {
			if r.iter != nil {
				opened.Iteration = max(opened.Iteration, r.iter.Done+1)
			}
		}
		actions[0] = opened
	}
	return actions
}

// task is a run's part of the next round.
func (f *Fit) task(r *run, round uint64) *wire.Task {
	t := &wire.Task{Run: r.number}
	if r.iter == nil {
		t.Kind, t.Seed = wire.Seed, r.ask
		return t
	}
	t.Centroids = r.iter.Centroids
	switch {
	case r.unfilled != nil:
		t.Kind, t.K = wire.Farthest, t.Centroids.K
	case r.over:
		t.Kind, t.Spread = wire.Score, f.sweep != nil
	default:
		t.Kind, t.Since = wire.Iterate, r.assigned
		r.assigned = round
	}
	return t
}

// take books a round for each of its runs.
func (f *Fit) take(j *Job, due []*run, p *wire.Partial) []Action {
	partials := p.Strands
	if len(due) == 1 {
		partials = []*wire.Partial{p}
	}
	var shown []Action
	before := f.runs.stage()
	advanced := false
	for i, r := range due {
		unseeded := r.iter == nil
		iterated, err := f.book(r, partials[i])
		if err != nil {
			switch {
			case f.sweep != nil:
				err = fmt.Errorf("k = %d: %w", r.k, err)
			case f.options.Runs > 1:
				err = fmt.Errorf("run %d: %w", r.number, err)
			}
			return j.fail(err)
		}
		if iterated != nil {
			shown = append(shown, iterated)
		}
		advanced = advanced || iterated != nil || unseeded && r.iter != nil || f.runs.has(r.number)
	}
	f.runs.batch = slices.DeleteFunc(f.runs.batch, func(r *run) bool { return f.runs.has(r.number) })
	ended := f.runs.stage() != before
	switch {
	case !advanced:
		return f.next(j)
	case len(shown) == 0:
		return append([]Action{Advanced{PhaseEnd: ended}}, f.next(j)...)
	}
	// Workers are asked first: what is shown costs k·d exact products, and need not keep them waiting.
	return append(append(f.next(j), shown...), Advanced{PhaseEnd: ended})
}

// book takes a run's part of a round. After an update of its centroids there is something to show.
func (f *Fit) book(r *run, p *wire.Partial) (*Iterated, error) {
	switch {
	case r.iter == nil:
		return nil, f.takeSeed(r, p)
	case r.unfilled != nil:
		assigned := r.unfilled
		r.unfilled = nil
		return f.update(r, assigned, p.Farthest.Rows()), nil
	case r.over:
		return nil, f.takeScore(r, p)
	}
	// The merged sums are held against the data before anything is made of them.
	if err := p.Sums.Conserved(f.totals); err != nil {
		return nil, fmt.Errorf("iteration %d: %w", r.iter.Done+1, err)
	}
	if len(p.Sums.Empty()) > 0 {
		r.unfilled = p
		return nil, nil
	}
	return f.update(r, p, nil), nil
}

func (f *Fit) takeSeed(r *run, p *wire.Partial) error {
	r.seeder.Take(p.Seed)
	if r.ask = r.seeder.Next(); r.ask != nil {
		return nil
	}
	start, err := r.seeder.Result()
	r.seeder = nil
	if err != nil {
		return err
	}
	if r.given != nil {
		start, r.given = completed(r.given, start), nil
	}
	return f.started(r, start)
}

// completed is given starts and, behind them, those of the seeded ones that are left when each given one has its own: so
// that the squared distances of the pairs add up to the least.
func completed(given, seeded *kmeans.Centroids) *kmeans.Centroids {
	cost := make([][]float64, seeded.K)
	for i := range cost {
		cost[i] = make([]float64, given.K)
		for j := range cost[i] {
			for t, v := range seeded.Row(i) {
				d := float64(v) - float64(given.Row(j)[t])
				cost[i][j] += float64(d * d)
			}
		}
	}
	all := &kmeans.Centroids{K: seeded.K, D: seeded.D, Values: slices.Clone(given.Values)}
	for i, j := range segment.Assign(cost) {
		if j < 0 {
			all.Values = append(all.Values, seeded.Row(i)...)
		}
	}
	return all
}

// started gives a run its start.
func (f *Fit) started(r *run, start *kmeans.Centroids) error {
	if err := start.Validate(); err != nil {
		return err
	}
	if start.K != r.k || start.D != len(f.space.Grid) {
		return fmt.Errorf("%w: %d×%d where %d×%d are needed", ErrStart, start.K, start.D, r.k, len(f.space.Grid))
	}
	r.iter = kmeans.NewIteration(start, f.space, f.options.MaxIterations, f.options.Tolerance*f.spread)
	return nil
}

// update makes a run's next centroids.
func (f *Fit) update(r *run, p *wire.Partial, far []kmeans.Far) *Iterated {
	moved := p.Moved
	if p.Fresh {
		moved = -1
	}
	shown := &Iterated{Run: r.number, Iteration: r.iter.Done + 1, Rows: p.Intake.Kept, Moved: moved,
		sums: p.Sums, centroids: r.iter.Centroids, fit: f}
	r.sums = p.Sums
	sums := p.Sums
	if len(far) > 0 {
		sums = sums.Clone() // the pass is shown, and kept, as it was
	}
	r.over = !r.iter.Update(sums, far)
	shown.Last, shown.after = r.over, r.iter.Centroids
	return shown
}

func (f *Fit) takeScore(r *run, p *wire.Partial) error {
	if err := p.Sums.Conserved(f.totals); err != nil {
		return fmt.Errorf("last pass: %w", err)
	}
	inertia := f.scaled(p.Inertia.Float64(0))
	if f.sweep != nil {
		f.sweep[r.number/f.options.Runs].take(r, p, inertia)
		f.runs.score(r.number)
		return nil
	}
	if !f.have || inertia < f.Result.Inertia || inertia == f.Result.Inertia && r.number < f.best {
		f.have, f.best = true, r.number
		f.Result.Inertia, f.Result.Counts = inertia, p.Sums.Counts
		f.Result.Centroids = r.iter.Centroids
		f.Result.Iterations, f.Result.Converged = r.iter.Done, r.iter.Converged
	}
	f.runs.score(r.number)
	return nil
}

// score notes that a run is scored.
func (rs *runs) score(number int) {
	at, _ := slices.BinarySearch(rs.scored, number)
	rs.scored = slices.Insert(rs.scored, at, number)
	for len(rs.scored) > 0 && rs.scored[0] == rs.first {
		rs.scored = rs.scored[1:]
		rs.first++
	}
}

// has says whether a run is scored.
func (rs *runs) has(number int) bool { return number < rs.first || slices.Contains(rs.scored, number) }
