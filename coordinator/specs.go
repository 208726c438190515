package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// ErrSpec is a specification that no job can be made of.
var ErrSpec = errors.New("the job's specification makes no sense")

// SetManifest writes a manifest into a specification.
func SetManifest(spec *pb.JobSpec, m *partition.Manifest) {
	spec.Rows = m.Rows
	spec.PartitionRows = spec.PartitionRows[:0]
	for _, p := range m.Partitions {
		spec.PartitionRows = append(spec.PartitionRows, p.Rows)
	}
}

// ManifestOf is the manifest of a specification, checked.
func ManifestOf(spec *pb.JobSpec) (*partition.Manifest, error) { return manifestOf(spec) }

func manifestOf(spec *pb.JobSpec) (*partition.Manifest, error) {
	if n := len(spec.PartitionRows); n == 0 || n > partition.MaxPartitions {
		return nil, fmt.Errorf("%w: %d partitions", ErrSpec, n)
	}
	m := &partition.Manifest{Rows: spec.Rows}
	first := int64(0)
	for id, rows := range spec.PartitionRows {
		m.Partitions = append(m.Partitions, partition.Partition{ID: id, First: first, Rows: rows})
		first += rows
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	return m, nil
}

func inputOf(spec *pb.JobSpec) (*wire.Input, error) {
	if spec.Data == nil || spec.Input == nil || (spec.Fit == nil) == (spec.Label == nil) {
		return nil, fmt.Errorf("%w: it needs data, an input, and either a fit or a labelling", ErrSpec)
	}
	in, err := wire.DecodeInput(spec.Input)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	return in, nil
}

// FitSpec is the options of a fit as they travel. The labels go where the job's specification says.
func FitSpec(o *FitOptions, start *Start) *pb.FitSpec {
	s := &pb.FitSpec{K: uint32(o.K), Init: string(o.Init), Runs: uint32(o.Runs), MaxIterations: uint32(o.MaxIterations),
		Tolerance: o.Tolerance, Seed: o.Seed, Labels: o.Labels, Algorithm: string(o.Algorithm)}
	for _, k := range o.Sweep {
		s.Sweep = append(s.Sweep, uint32(k))
	}
	if start != nil {
		s.Start, s.KeepTransforms = start.Message(), start.Keep
	}
	return s
}

func fitOptions(spec *pb.JobSpec, in *wire.Input) (FitOptions, error) {
	s := spec.Fit
	o := FitOptions{Input: in, K: int(s.K), Init: kmeans.Init(s.Init), Runs: int(s.Runs), MaxIterations: int(s.MaxIterations),
		Tolerance: s.Tolerance, Seed: s.Seed, Labels: s.Labels}
	for _, k := range s.Sweep {
		o.Sweep = append(o.Sweep, int(min(k, math.MaxInt32)))
	}
	var err error
	if o.Algorithm, err = kmeans.ParseAlgorithm(s.Algorithm); err != nil {
		return o, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if s.Start != nil {
		start, err := startFrom(s.Start, in.Spec)
		if err != nil {
			return o, err
		}
		if s.KeepTransforms {
			if o.Transform, err = start.keep(in.Spec); err != nil {
				return o, err
			}
		}
		o.Start = start.Centroids
	}
	if s.KeepTransforms && s.Start == nil {
		return o, fmt.Errorf("%w: transforms to keep without the model that has them", ErrSpec)
	}
	o.Parts = spec.Labels.GetFolder() != ""
	if s.Labels && spec.Labels == nil {
		return o, fmt.Errorf("%w: labels that go nowhere", ErrSpec)
	}
	return o, nil
}

// LabelSpec is the options of a labelling as they travel.
func LabelSpec(o *LabelOptions) (*pb.LabelSpec, error) {
	transform, err := json.Marshal(o.Transform)
	return &pb.LabelSpec{Transform: transform, Centroids: wire.EncodeMatrix(o.Centroids), Detail: o.Detail, Keys: o.Keys, Integers: o.Integers}, err
}

func labelOptions(spec *pb.JobSpec, in *wire.Input) (LabelOptions, error) {
	s := spec.Label
	o := LabelOptions{Input: in, Detail: s.Detail, Keys: s.Keys, Integers: s.Integers, Parts: spec.Labels.GetFolder() != ""}
	var err error
	if o.Transform, err = decodeTransform(s.Transform); err != nil {
		return o, err
	}
	if o.Centroids, err = wire.DecodeMatrix(s.Centroids); err != nil {
		return o, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if o.Centroids.D != o.Transform.Width() || spec.Labels == nil {
		return o, fmt.Errorf("%w: centroids of %d columns for a transform of %d, or labels that go nowhere", ErrSpec, o.Centroids.D, o.Transform.Width())
	}
	return o, nil
}

func decodeTransform(data []byte) (*feature.Transform, error) {
	t := &feature.Transform{}
	if err := json.Unmarshal(data, t); err != nil {
		return nil, fmt.Errorf("%w: transform: %w", ErrSpec, err)
	}
	if err := t.Validate(); err != nil {
		return nil, fmt.Errorf("%w: transform: %w", ErrSpec, err)
	}
	return t, nil
}

// resultOf is what a job has given, as it is kept and told.
func resultOf(fit *Fit, label *Label, sweep *SweepResult) (*pb.JobResult, error) {
	if sweep != nil {
		return sweep.message(), nil
	}
	if label != nil {
		r := label.Result
		return &pb.JobResult{Counts: r.Counts, Inertia: r.Inertia, Intake: wire.EncodeIntake(&r.Intake), Bad: wire.EncodeBadRows(r.Bad)}, nil
	}
	return fitMessage(&fit.Result)
}

func fitMessage(r *FitResult) (*pb.JobResult, error) {
	transform, err := json.Marshal(r.Transform)
	return &pb.JobResult{Transform: transform, Centroids: wire.EncodeMatrix(r.Centroids), Counts: r.Counts, Inertia: r.Inertia,
		Iterations: uint32(r.Iterations), Converged: r.Converged, Intake: wire.EncodeIntake(&r.Intake),
		Bad: wire.EncodeBadRows(r.Bad), Sample: wire.EncodeSample(slices.Concat(r.Sample...))}, err
}

// FitResultOf reads the result of a fit.
func FitResultOf(m *pb.JobResult) (*FitResult, error) {
	r := &FitResult{Counts: m.GetCounts(), Inertia: m.GetInertia(), Iterations: int(m.GetIterations()), Converged: m.GetConverged(),
		Intake: wire.DecodeIntake(m.GetIntake()), Bad: wire.DecodeBadRows(m.GetBad())}
	var err error
	if r.Transform, err = decodeTransform(m.GetTransform()); err != nil {
		return nil, err
	}
	if r.Centroids, err = wire.DecodeMatrix(m.GetCentroids()); err != nil {
		return nil, err
	}
	if r.Sample, err = sampleOf(m.GetSample(), r.Transform); err != nil {
		return nil, err
	}
	if r.Centroids.D != r.Transform.Width() || len(r.Counts) != r.Centroids.K {
		return nil, fmt.Errorf("%w: a result whose parts do not fit", ErrSpec)
	}
	return r, nil
}

// sampleOf reads the sample of a result, column by column.
func sampleOf(data []byte, t *feature.Transform) ([][]float32, error) {
	sample, err := wire.DecodeSample(data)
	if columns := len(t.Numeric); err != nil || columns == 0 || len(sample) == 0 || len(sample)%columns != 0 {
		return nil, err
	}
	return slices.Collect(slices.Chunk(sample, len(sample)/len(t.Numeric))), nil
}

// LabelResultOf reads the result of a labelling.
func LabelResultOf(m *pb.JobResult) *LabelResult {
	return &LabelResult{Counts: m.GetCounts(), Inertia: m.GetInertia(), Intake: wire.DecodeIntake(m.GetIntake()),
		Bad: wire.DecodeBadRows(m.GetBad())}
}

// EncodeState is a checkpoint's content.
func EncodeState(s *FitState) ([]byte, error) {
	transform, err := json.Marshal(s.Transform)
	if err != nil {
		return nil, err
	}
	m := &pb.FitState{Largest: s.Largest, Transform: transform, Totals: wire.EncodeTotals(s.Totals), Intake: wire.EncodeIntake(&s.Intake),
		Bad: wire.EncodeBadRows(s.Bad), Sample: wire.EncodeSample(slices.Concat(s.Sample...)), Run: uint32(s.Run), Integers: s.Integers, BestRun: uint32(s.BestRun)}
	for _, n := range s.Over {
		m.Over = append(m.Over, uint32(n))
	}
	if err := encodeRuns(m, s.States); err != nil {
		return nil, err
	}
	if s.Best != nil {
		if m.Best, err = fitMessage(s.Best); err != nil {
			return nil, err
		}
	}
	return proto.Marshal(m)
}

// encodeRuns encodes runs that are under way. That of number Run has fields of its own, from when there was no other.
func encodeRuns(m *pb.FitState, states []RunState) error {
	for _, s := range states {
		r := &pb.RunState{Run: uint32(s.Run), Done: uint32(s.Done), Converged: s.Converged, Centroids: wire.EncodeMatrix(s.Centroids)}
		if s.Sums != nil {
			var err error
			if r.Sums, err = wire.EncodeSums(s.Sums, ""); err != nil {
				return err
			}
		}
		if r.Run == m.Run {
			m.Centroids, m.Done, m.Converged, m.Sums = r.Centroids, r.Done, r.Converged, r.Sums
		} else {
			m.Others = append(m.Others, r)
		}
	}
	return nil
}

func decodeRuns(m *pb.FitState) ([]RunState, error) {
	list := m.Others
	if m.Centroids != nil {
		list = append([]*pb.RunState{{Run: m.Run, Centroids: m.Centroids, Done: m.Done, Converged: m.Converged, Sums: m.Sums}}, list...)
	}
	var states []RunState
	for _, r := range list {
		s := RunState{Run: int(r.Run), Done: int(r.Done), Converged: r.Converged}
		var err error
		if s.Centroids, err = wire.DecodeMatrix(r.Centroids); err != nil {
			return nil, err
		}
		if r.Sums != nil {
			if s.Sums, err = wire.DecodeSums(r.Sums, s.Centroids.K, s.Centroids.D); err != nil {
				return nil, err
			}
		}
		states = append(states, s)
	}
	return states, nil
}

// DecodeState reads a checkpoint's content. What does not hold together is ErrState; whether it is of a job shows when it is resumed.
func DecodeState(data []byte) (*FitState, error) {
	m := &pb.FitState{}
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	s := &FitState{Largest: m.Largest, Intake: wire.DecodeIntake(m.Intake), Bad: wire.DecodeBadRows(m.Bad), Run: int(m.Run),
		BestRun: int(m.BestRun), Integers: m.Integers}
	for _, n := range m.Over {
		s.Over = append(s.Over, int(n))
	}
	var errs [5]error
	s.Transform, errs[0] = decodeTransform(m.Transform)
	if errs[0] == nil {
		s.Totals, errs[1] = wire.DecodeTotals(m.Totals, s.Transform.Width())
		s.Sample, errs[4] = sampleOf(m.Sample, s.Transform)
	}
	s.States, errs[2] = decodeRuns(m)
	if m.Best != nil {
		s.Best, errs[3] = FitResultOf(m.Best)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return s, nil
}

// RowBytes is the most that a row of d columns takes in a worker's memory: its Point, its share of the folded Points, what
// runs know of it (kmeans.Algorithm's TrackBytes for each that is under way), and, where there are any, its id and weight.
func RowBytes(d int, in *wire.Input, runs int) int64 {
	bytes := int64(4*d + kmeans.FoldBytes(d) + runs)
	if in.ID != "" {
		bytes += 24
	}
	if in.Weight != "" {
		bytes += 8
	}
	return bytes
}

// SpillableBytes is how much of RowBytes a worker that spills need not hold: all but what runs know of a row, and its id while
// it waits to be compared with the others.
func SpillableBytes(d int, in *wire.Input) int64 {
	all := RowBytes(d, in, 0)
	if in.ID != "" {
		all -= 8
	}
	return all
}

// failureOf is an error of a job as it travels, with its kind, its place and the next step.
func failureOf(err error, spec *pb.JobSpec) *pb.Failure {
	return wire.EncodeFailure(Explain(err, firstName(spec)))
}

func firstName(spec *pb.JobSpec) string {
	if names := spec.GetData().GetDescription().GetNames(); len(names) > 0 {
		return names[0]
	}
	if files := spec.GetData().GetFiles(); len(files) > 0 {
		return files[0]
	}
	return ""
}

// Explain gives an error of a job the kind that decides the exit code, the place and the next step. file is what
// messages about the whole of the data name.
func Explain(err error, file string) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	at := fault.In(file)
	var spec *feature.SpecError
	var value *feature.ValueError
	var memory *partition.MemoryError
	switch {
	case errors.As(err, &spec):
		return fault.Inputf(at, "%s", spec.Error())
	case errors.As(err, &value):
		at.Column = value.Column
		return fault.Inputf(at, "%s", value.Problem()).Do("%s", value.Remedy)
	case errors.As(err, &memory):
		return &fault.Error{Kind: fault.Unavailable, Place: at, Problem: memory.Error(),
			Remedy: "add workers, or give them more with --memory"}
	case errors.Is(err, ErrNoRows):
		return fault.Inputf(at, "no rows are left to cluster").Do("look at --missing, --bad-rows and --duplicates")
	case errors.Is(err, ErrTooManyClusters), errors.Is(err, ErrFewDistinct), errors.Is(err, kmeans.ErrTooFewDistinct):
		return fault.Inputf(at, "%s", err.Error()).Do("choose a smaller -k")
	case errors.Is(err, ErrNoWeight):
		return fault.Inputf(at, "%s", err.Error()).Do("leave --weight out, or name another column")
	case errors.Is(err, ErrTooManyBad):
		return fault.Inputf(at, "%s", err.Error()).Do("see whether the file is what its reader takes it for")
	}
	return err
}
