package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// maxTrace is the longest traceparent that a task may bring: it has 55 bytes today. A longer one is left out, since nothing
// but spans depends on it.
const maxTrace = 128

// EncodeBody encodes what is the same for all workers of a round: everything but epoch, round, kind and partitions. A
// Reload has none itself.
func EncodeBody(t *Task) (*pb.TaskBody, error) {
	body := &pb.TaskBody{Largest: t.Largest, K: uint32(t.K), KeepIds: t.KeepIDs, Detail: t.Detail, Integers: t.Integers,
		Owners: t.Owners, Since: t.Since, Algorithm: string(t.Algorithm), Run: uint32(t.Run), Spread: t.Spread}
	if t.Run < 0 || t.Run > math.MaxInt32 {
		return nil, wrong("run", "%d is out of range", t.Run)
	}
	if t.K < 0 || t.K > math.MaxUint32 {
		return nil, wrong("k", "%d is out of range", t.K)
	}
	for i, owner := range t.Owners {
		if !utf8.ValidString(owner) {
			return nil, wrong("owners", "%q, of partition %d, is not UTF-8", owner, i)
		}
	}
	var errs [6]error
	if t.Input != nil {
		body.Input, errs[0] = EncodeInput(t.Input)
	}
	if t.Search != nil {
		body.Search, errs[1] = t.Search.MarshalBinary()
	}
	if t.Transform != nil {
		body.Transform, errs[2] = json.Marshal(t.Transform)
	}
	if t.Seed != nil {
		body.Seed, errs[3] = encodeSeedTask(t.Seed)
	}
	if t.Centroids != nil {
		body.Centroids = EncodeMatrix(t.Centroids)
	}
	if r := t.Reload; r != nil {
		if r.Reload != nil {
			return nil, wrong("reload", "it has a reload itself")
		}
		body.Reload, errs[4] = EncodeBody(r)
	}
	body.Strands, errs[5] = encodeStrands(t.Strands)
	return body, errors.Join(errs[:]...)
}

// EncodeTask encodes a task with the body that EncodeBody gave for its round; nil encodes the task's own.
func EncodeTask(t *Task, body *pb.TaskBody) ([]byte, error) {
	if body == nil {
		var err error
		if body, err = EncodeBody(t); err != nil {
			return nil, err
		}
	}
	m := &pb.Task{Epoch: t.Epoch, Round: t.Round, Kind: string(t.Kind), Trace: []byte(t.Trace), Partitions: make([]uint32, len(t.Partitions)), Body: body}
	for i, id := range t.Partitions {
		if id < 0 || id > math.MaxInt32 {
			return nil, wrong("partitions", "%d is out of range", id)
		}
		m.Partitions[i] = uint32(id)
	}
	return marshalling.Marshal(m)
}

// DecodeTask reads a task and checks that it can be done: what its kind needs is there, and its parts have shapes that
// fit each other. The error is ErrFormat.
func DecodeTask(data []byte) (*Task, error) {
	m := new(pb.Task)
	if err := unmarshal(data, m); err != nil {
		return nil, err
	}
	t := &Task{Epoch: m.Epoch, Round: m.Round, Kind: Kind(m.Kind)}
	if len(m.Trace) <= maxTrace {
		t.Trace = string(m.Trace)
	}
	if m.Body == nil {
		return nil, wrong("body", "missing")
	}
	t.Partitions = make([]int, len(m.Partitions))
	for i, id := range m.Partitions {
		if id > math.MaxInt32 || i > 0 && id <= m.Partitions[i-1] {
			return nil, wrong("partitions", "%d does not ascend or is out of range", id)
		}
		t.Partitions[i] = int(id)
	}
	if err := decodeBody(t, m.Body); err != nil {
		return nil, err
	}
	if err := decodeStrands(t, m.Body.Strands); err != nil {
		return nil, err
	}
	if r := m.Body.Reload; r != nil {
		if r.Reload != nil || len(r.Strands) > 0 {
			return nil, wrong("reload", "it has a reload or strands itself")
		}
		t.Reload = &Task{Epoch: t.Epoch, Round: t.Round, Kind: Load}
		if err := decodeBody(t.Reload, r); err != nil {
			return nil, fmt.Errorf("reload: %w", err)
		}
		if err := t.Reload.check(); err != nil {
			return nil, fmt.Errorf("reload: %w", err)
		}
	}
	return t, t.check()
}

// decodeBody reads the parts of a body one by one.
func decodeBody(t *Task, m *pb.TaskBody) error {
	t.Largest, t.K, t.KeepIDs, t.Detail, t.Integers = m.Largest, int(m.K), m.KeepIds, m.Detail, m.Integers
	if m.Run > math.MaxInt32 {
		return wrong("run", "%d is out of range", m.Run)
	}
	t.Since, t.Run, t.Spread = m.Since, int(m.Run), m.Spread
	if m.Algorithm != "" {
		var err error
		if t.Algorithm, err = kmeans.ParseAlgorithm(m.Algorithm); err != nil {
			return wrong("algorithm", "%q", m.Algorithm)
		}
	}
	if len(m.Owners) > 0 {
		t.Owners = m.Owners
	}
	if err := finite("largest", m.Largest); err != nil {
		return err
	}
	var err error
	if m.Input != nil {
		if t.Input, err = DecodeInput(m.Input); err != nil {
			return err
		}
	}
	if len(m.Search) > 0 {
		if t.Input == nil {
			return wrong("search", "it comes without columns to search in")
		}
		if t.Search, err = feature.DecodeQuantileSearch(t.Input.Spec, m.Search); err != nil {
			return fmt.Errorf("%w: search: %w", ErrFormat, err)
		}
	}
	if len(m.Transform) > 0 {
		if t.Transform, err = decodeTransform(m.Transform); err != nil {
			return err
		}
	}
	if m.Seed != nil {
		if t.Seed, err = decodeSeedTask(m.Seed); err != nil {
			return err
		}
	}
	t.Centroids, err = decodeCentroids(m.Centroids)
	return err
}

// decodeCentroids reads those of a task; nil where there are none.
func decodeCentroids(m *pb.Matrix) (*kmeans.Centroids, error) {
	if m == nil {
		return nil, nil
	}
	c, err := DecodeMatrix(m)
	if err == nil && c.K > kmeans.MaxClusters {
		err = wrong("centroids", "%d of them", c.K)
	}
	return c, err
}

func decodeTransform(data []byte) (*feature.Transform, error) {
	t := new(feature.Transform)
	err := json.Unmarshal(data, t)
	if err == nil {
		err = t.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: transform: %w", ErrFormat, err)
	}
	return t, nil
}

// check holds that the task has what its kind needs, in shapes that fit.
func (t *Task) check() error {
	needs := []struct {
		field string
		there bool
		kinds []Kind
	}{
		{"input", t.Input != nil, []Kind{Keys, Duplicates, Statistics, Quantiles, Directions, Load, Label}},
		{"search", t.Search != nil, []Kind{Quantiles}},
		{"transform", t.Transform != nil, []Kind{Directions, Load}},
		{"seed", t.Seed != nil, []Kind{Seed}},
		{"centroids", t.Centroids != nil, []Kind{Iterate, Farthest, Score, Label}},
		{"strands", len(t.Strands) > 0, []Kind{Together}},
	}
	known := t.Kind == Prepare || t.Kind == Commit
	for _, n := range needs {
		needed := slices.Contains(n.kinds, t.Kind)
		known = known || needed
		if needed && !n.there {
			return wrong(n.field, "missing in a task %q", t.Kind)
		}
	}
	switch {
	case !known:
		return wrong("kind", "%q is unknown", t.Kind)
	case t.K > kmeans.MaxClusters, t.Kind == Farthest && t.K < 1:
		return wrong("k", "%d is out of range", t.K)
	case t.Spread && t.Kind != Score:
		return wrong("spread", "in a task %q", t.Kind)
	case t.Kind != Together && len(t.Strands) > 0:
		return wrong("strands", "in a task %q", t.Kind)
	}
	if err := t.checkStrands(); err != nil {
		return err
	}
	return t.checkShapes()
}

// checkShapes compares the columns of the parts: a kernel that is given others would read beyond its rows.
func (t *Task) checkShapes() error {
	if t.Input != nil && t.Transform != nil {
		numeric, categorical := t.Transform.Columns()
		if !slices.Equal(numeric, t.Input.Spec.Numeric) || !slices.Equal(categorical, t.Input.Spec.Categorical) {
			return wrong("transform", "it is for other columns than the input's")
		}
	}
	c := t.Context(0)
	width := c.D
	if t.Transform != nil {
		width = t.Transform.Width()
	} else if t.Reload != nil && t.Reload.Transform != nil {
		width = t.Reload.Transform.Width()
	}
	if t.Centroids != nil && width != 0 && t.Centroids.D != width {
		return wrong("centroids", "%d columns where rows have %d", t.Centroids.D, width)
	}
	if s := t.Seed; s != nil {
		for _, m := range []*kmeans.Centroids{s.Candidates, s.Try} {
			if m != nil && width != 0 && m.D != width {
				return wrong("seed", "%d columns where rows have %d", m.D, width)
			}
		}
	}
	return c.validate()
}

// EncodeInput encodes how rows are read.
func EncodeInput(in *Input) (*pb.Input, error) {
	for field, text := range map[string]string{"input.id": in.ID, "input.weight": in.Weight} {
		if !utf8.ValidString(text) {
			return nil, wrong(field, "%q is not UTF-8", text)
		}
	}
	m := &pb.Input{Id: in.ID, Weight: in.Weight, BadRows: string(in.BadRows), Duplicates: string(in.Duplicates)}
	var err error
	m.Spec, err = json.Marshal(in.Spec)
	return m, err
}

// DecodeInput reads how rows are read. The error is ErrFormat.
func DecodeInput(m *pb.Input) (*Input, error) {
	in := &Input{Spec: new(feature.Spec), ID: m.GetId(), Weight: m.GetWeight(), BadRows: BadRows(m.GetBadRows()),
		Duplicates: DuplicateIDs(m.GetDuplicates())}
	err := json.Unmarshal(m.GetSpec(), in.Spec)
	if err == nil {
		err = in.Spec.Validate()
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: input.spec: %w", ErrFormat, err)
	case !slices.Contains([]BadRows{"", BadRowsFail, BadRowsQuarantine}, in.BadRows):
		return nil, wrong("input.bad_rows", "%q is unknown", in.BadRows)
	case !slices.Contains([]DuplicateIDs{"", DuplicatesFail, DuplicatesFirst, DuplicatesLast}, in.Duplicates):
		return nil, wrong("input.duplicates", "%q is unknown", in.Duplicates)
	}
	return in, nil
}

// EncodeMatrix encodes centroids.
func EncodeMatrix(c *kmeans.Centroids) *pb.Matrix {
	return &pb.Matrix{K: uint32(c.K), D: uint32(c.D), Values: appendFloats(make([]byte, 0, 4*len(c.Values)), c.Values)}
}

// DecodeMatrix reads centroids or candidates, all finite. The error is ErrFormat.
func DecodeMatrix(m *pb.Matrix) (*kmeans.Centroids, error) {
	k, d := m.GetK(), m.GetD()
	if k < 1 || k > math.MaxInt32 || d < 1 || d > feature.MaxOutputs || uint64(k)*uint64(d) != uint64(len(m.GetValues())/4) {
		return nil, wrong("matrix", "%d×%d in %d bytes", k, d, len(m.GetValues()))
	}
	values, err := finiteFloats("matrix", m.GetValues(), int(k)*int(d))
	return &kmeans.Centroids{K: int(k), D: int(d), Values: values}, err
}

func encodeSeedTask(t *kmeans.SeedTask) (*pb.SeedTask, error) {
	for _, n := range []int{t.Uniform, t.Race, t.K} {
		if n < 0 || n > kmeans.MaxClusters {
			return nil, wrong("seed", "%d rows or clusters", n)
		}
	}
	m := &pb.SeedTask{Seed: t.Seed, Round: t.Round, Uniform: uint32(t.Uniform), Race: uint32(t.Race), Threshold: t.Threshold,
		Potential: t.Potential, Weigh: t.Weigh, Recluster: t.Recluster, K: uint32(t.K)}
	for _, mass := range t.Masses {
		m.Masses = binary.LittleEndian.AppendUint64(m.Masses, mass)
	}
	for _, exponent := range t.Grid {
		m.Grid = append(m.Grid, int32(exponent))
	}
	if t.Candidates != nil {
		m.Candidates = EncodeMatrix(t.Candidates)
	}
	if t.Try != nil {
		m.Try = EncodeMatrix(t.Try)
	}
	return m, nil
}

func decodeSeedTask(m *pb.SeedTask) (*kmeans.SeedTask, error) {
	if max(m.Uniform, m.Race, m.K) > kmeans.MaxClusters {
		return nil, wrong("seed", "%d rows or clusters", max(m.Uniform, m.Race, m.K))
	}
	t := &kmeans.SeedTask{Seed: m.Seed, Round: m.Round, Uniform: int(m.Uniform), Race: int(m.Race), Threshold: m.Threshold,
		Potential: m.Potential, Weigh: m.Weigh, Recluster: m.Recluster, K: int(m.K)}
	if err := finite("seed.threshold", m.Threshold); err != nil {
		return nil, err
	}
	var err error
	if m.Candidates != nil {
		if t.Candidates, err = DecodeMatrix(m.Candidates); err != nil {
			return nil, fmt.Errorf("seed.candidates: %w", err)
		}
	}
	if m.Try != nil {
		if t.Try, err = DecodeMatrix(m.Try); err != nil {
			return nil, fmt.Errorf("seed.try: %w", err)
		}
	}
	if t.Candidates == nil && (t.Weigh || t.Recluster || t.Race > 0 || t.Try != nil) {
		return nil, wrong("seed.candidates", "missing")
	}
	if t.Candidates != nil && t.Try != nil && t.Candidates.D != t.Try.D {
		return nil, wrong("seed.try", "%d columns where candidates have %d", t.Try.D, t.Candidates.D)
	}
	return t, decodeRecluster(t, m)
}

// decodeRecluster reads what a reclustering needs beside its candidates.
func decodeRecluster(t *kmeans.SeedTask, m *pb.SeedTask) error {
	masses, err := words("seed.masses", m.Masses)
	if err != nil || !t.Recluster {
		return err
	}
	if len(masses) != t.Candidates.K || len(m.Grid) != t.Candidates.D || t.K < 1 || t.Candidates.K > kmeans.MaxPoints {
		return wrong("seed.recluster", "%d masses of %d candidates and %d grids of %d columns for %d clusters", len(masses), t.Candidates.K,
			len(m.Grid), t.Candidates.D, t.K)
	}
	if slices.Max(masses) > kmeans.WeightOne {
		return wrong("seed.masses", "above the heaviest")
	}
	t.Masses, t.Grid = masses, make([]int, len(m.Grid))
	for i, exponent := range m.Grid {
		if exponent < leastExponent || exponent > mostExponent {
			return wrong("seed.grid", "2^%d is no grid", exponent)
		}
		t.Grid[i] = int(exponent)
	}
	return nil
}

// The exponents that a grid can have, as in feature.Transform.
const (
	leastExponent = -149
	mostExponent  = 900
)
