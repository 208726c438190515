package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// JobSpec is what a run computes. It says nothing of who computes it, so that many runs share one twin.
type JobSpec struct {
	Data       uint64 // seed of the rows
	Rows       int
	K          int
	Runs       int
	Abreast    int // 0: the coordinator chooses
	Iterations int
	Init       kmeans.Init
	Far        bool // a given start so far away that its cluster is empty
	Scale      feature.Scale
	Missing    feature.Missing
	Cosine     bool
	Weights    bool
	ID         bool
	Twice      bool // some ids stand twice
	Duplicates wire.DuplicateIDs
	Bad        bool // some rows are bad, and set aside
	Labels     bool
	Parts      bool // labels are parts
	Assign     bool // label with a model; no fit
	Texts      bool // some ids are no integers
	Detail     bool // an assigning job tells the second nearest too
}

// jobSpecs is how many different jobs there are: few enough that twins are cheap, and as many as that rare pairs of
// options meet.
const jobSpecs = 480

// SpecOf is job number n, from 0, of those that runs draw from.
func SpecOf(n int) JobSpec {
	r := rand.New(rand.NewPCG(uint64(n), 0x6a6f62))
	one := func(in int) bool { return r.IntN(in) == 0 }
	j := JobSpec{Data: uint64(r.IntN(40)), Rows: 40 + r.IntN(90), K: 2 + r.IntN(3), Runs: 1 + r.IntN(3), Iterations: 2 + r.IntN(5),
		Init: kmeans.InitParallel, Scale: feature.Standard, Missing: feature.Fail, Duplicates: wire.DuplicatesFail}
	j.Abreast = r.IntN(j.Runs + 1)
	switch r.IntN(8) {
	case 0:
		j.Init = kmeans.InitPlusPlus
	case 1:
		j.Init = kmeans.InitRandom
	case 2:
		j.Far, j.Runs, j.Abreast = true, 1, 1
	}
	switch r.IntN(24) {
	case 0:
		j.Scale = feature.Robust // costs ten times as much as the others
	case 1, 2, 3, 4:
		j.Scale = feature.None
	case 5, 6, 7, 8:
		j.Cosine = !j.Far
	}
	switch r.IntN(5) {
	case 0:
		j.Missing = feature.Drop
	case 1:
		j.Missing = feature.Mean
	case 2:
		j.Bad = true
	}
	j.Weights, j.ID = one(4), one(2)
	j.Labels, j.Assign = !one(4), one(6)
	j.Cosine = j.Cosine && !j.Assign // a row of zeros has no direction, and there must be a model
	j.Parts = j.Labels && one(2) || j.Assign && one(2)
	if j.ID && one(2) {
		j.Twice = true
		j.Duplicates = []wire.DuplicateIDs{wire.DuplicatesFirst, wire.DuplicatesLast}[r.IntN(2)]
	}
	if j.ID && one(12) {
		j.Twice, j.Duplicates = true, wire.DuplicatesFail // an error, and the same one everywhere
	}
	j.Texts, j.Detail = j.ID && one(3), j.Assign && one(2)
	return j
}

// labels says whether the job writes labels.
func (j *JobSpec) labels() bool { return j.Labels || j.Assign }

// input is how the rows are read.
func (j *JobSpec) input() *wire.Input {
	in := &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0", "x1"}, Scale: j.Scale, Missing: j.Missing, Normalize: j.Cosine},
		BadRows: wire.BadRowsFail, Duplicates: j.Duplicates}
	if j.Bad {
		in.BadRows = wire.BadRowsQuarantine
	}
	if j.ID {
		in.ID = idColumn
	}
	if j.Weights {
		in.Weight = weightColumn
	}
	return in
}

// manifest cuts the rows.
func (j *JobSpec) manifest(partitions int) *partition.Manifest {
	m := &partition.Manifest{Rows: int64(j.Rows)}
	for id := range partitions {
		first := int64(id * j.Rows / partitions)
		m.Partitions = append(m.Partitions, partition.Partition{ID: id, First: first, Rows: int64((id+1)*j.Rows/partitions) - first})
	}
	return m
}

// fitOptions are those of the job's fit.
func (j *JobSpec) fitOptions() coordinator.FitOptions {
	o := coordinator.FitOptions{Input: j.input(), K: j.K, Init: j.Init, Runs: j.Runs, MaxIterations: j.Iterations, Seed: j.Data + 1, Abreast: j.Abreast,
		Labels: j.Labels, Parts: j.Parts && j.Labels}
	if j.Far {
		k := j.K
		o.Start = func(t *feature.Transform) (*kmeans.Centroids, error) {
			c := &kmeans.Centroids{K: k, D: t.Width(), Values: make([]float32, k*t.Width())}
			for i := range c.Values {
				c.Values[i] = float32(i / c.D * 500)
			}
			return c, nil
		}
	}
	return o
}

// program makes the job's state machine. model is what an assigning job labels with.
func (j *JobSpec) program(c coordinator.Config, state *coordinator.FitState, model *outcome) (*coordinator.Job, *coordinator.Fit, *coordinator.Label, error) {
	if j.Assign {
		job, label, err := coordinator.NewLabel(c, coordinator.LabelOptions{Input: j.input(), Transform: model.transform, Centroids: model.centroids,
			Parts: j.Parts, Keys: j.ID && !j.Parts, Detail: j.Detail})
		return job, nil, label, err
	}
	o := j.fitOptions()
	o.Resume = state
	job, fit, err := coordinator.NewFit(c, o)
	return job, fit, nil, err
}

// String is the job as a script says it.
func (j JobSpec) String() string {
	return fmt.Sprintf("data=%d rows=%d k=%d runs=%d abreast=%d iterations=%d init=%s far=%t scale=%s missing=%s cosine=%t weights=%t id=%t twice=%t duplicates=%s bad=%t labels=%t parts=%t assign=%t texts=%t detail=%t",
		j.Data, j.Rows, j.K, j.Runs, j.Abreast, j.Iterations, j.Init, j.Far, j.Scale, j.Missing, j.Cosine, j.Weights, j.ID, j.Twice, j.Duplicates, j.Bad,
		j.Labels, j.Parts, j.Assign, j.Texts, j.Detail)
}
