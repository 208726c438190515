package sim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/wire"
)

// encoder writes what a job gave, to the bit, field behind field; texts and lists have their length before them.
type encoder struct{ data []byte }

func (e *encoder) number(n uint64) { e.data = binary.LittleEndian.AppendUint64(e.data, n) }

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.data = append(e.data, s...)
}

func (e *encoder) counts(list []int64) {
	e.number(uint64(len(list)))
	for _, c := range list {
		e.number(uint64(c))
	}
}

func (e *encoder) floats(list []float32) {
	e.number(uint64(len(list)))
	for _, v := range list {
		e.number(uint64(math.Float32bits(v)))
	}
}

// intake writes what became of the rows, and each bad row with its place and its reason.
func (e *encoder) intake(n *wire.Intake, bad []wire.BadRow) {
	e.counts([]int64{n.Read, n.Kept, n.Bad, n.Missing, n.Duplicates, n.Imputed, int64(len(bad))})
	e.counts(n.Unseen)
	for i := range bad {
		b := &bad[i]
		e.number(uint64(b.Row))
		for _, s := range []string{b.Place.File, b.Place.Column, b.Reason, b.Raw} {
			e.text(s)
		}
		e.number(uint64(b.Place.Line))
		e.number(uint64(b.Place.Row))
	}
}

// resultOf encodes what a job gave: everything that a model or a report is made of.
func resultOf(fit *coordinator.Fit, l *coordinator.Label) ([]byte, error) {
	e := &encoder{}
	if l != nil {
		e.intake(&l.Result.Intake, l.Result.Bad)
		e.counts(l.Result.Counts)
		e.number(math.Float64bits(l.Result.Inertia))
		return e.data, nil
	}
	r := &fit.Result
	e.intake(&r.Intake, r.Bad)
	e.counts(r.Counts)
	e.number(math.Float64bits(r.Inertia))
	e.number(uint64(r.Iterations))
	e.text(fmt.Sprint(r.Converged))
	e.floats(r.Centroids.Values)
	transform, err := json.Marshal(r.Transform)
	if err != nil {
		return nil, err
	}
	e.text(string(transform))
	e.number(uint64(len(r.Sample)))
	for _, column := range r.Sample {
		e.floats(column)
	}
	return e.data, nil
}

// update is one of a run's centroid updates.
type update struct{ run, done int }

// eachUpdate visits where the runs of a fit are, each with a digest of its centroids and the sums that they come from.
func eachUpdate(fit *coordinator.Fit, visit func(u update, digest uint64)) {
	if fit == nil {
		return
	}
	state := fit.State()
	if state == nil {
		return
	}
	for _, r := range state.States {
		e := &encoder{}
		e.floats(r.Centroids.Values)
		e.text(fmt.Sprint(r.Converged))
		if s := r.Sums; s != nil {
			e.counts(s.Counts)
			for _, v := range s.Values {
				e.number(uint64(v.Hi))
				e.number(v.Lo)
			}
		}
		visit(update{r.Run, r.Done}, digestOf(e.data))
	}
}

// tally holds the intake of a job against the rows there are, and its counts against the rows that are kept (I3, I6).
func tally(fit *coordinator.Fit, l *coordinator.Label, rows int64) error {
	var n *wire.Intake
	var counts []int64
	if l != nil {
		n, counts = &l.Result.Intake, l.Result.Counts
	} else {
		n, counts = &fit.Result.Intake, fit.Result.Counts
	}
	if n.Read != rows || n.Read != n.Kept+n.Bad+n.Missing+n.Duplicates {
		return fmt.Errorf("I6: %d rows, %d read, %d kept, %d bad, %d missing, %d duplicates", rows, n.Read, n.Kept, n.Bad, n.Missing, n.Duplicates)
	}
	sum := int64(0)
	for _, c := range counts {
		sum += c
	}
	if sum != n.Kept {
		return fmt.Errorf("I3: the clusters have %d rows, %d are kept", sum, n.Kept)
	}
	return nil
}

// digestOf is a short name for bits, for traces.
func digestOf(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}
