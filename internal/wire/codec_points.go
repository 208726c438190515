package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// EncodeTotals encodes totals; equal ones have equal bytes.
func EncodeTotals(t *kmeans.Totals) *pb.Totals {
	norms, _ := t.Norms.AppendBinary(nil) // never fails
	list := func(values []exact.Int128) []byte { return appendInts(make([]byte, 0, 16*len(values)), values) }
	return &pb.Totals{D: uint32(t.D), Rows: t.Rows, Weight: list([]exact.Int128{t.Weight}), Sums: list(t.Sums), Plain: list(t.Plain),
		Squares: list(t.Squares), Norms: norms}
}

// DecodeTotals reads totals of d columns. The error is ErrFormat.
func DecodeTotals(m *pb.Totals, d int) (*kmeans.Totals, error) {
	if d < 1 || d > feature.MaxOutputs || int64(m.GetD()) != int64(d) {
		return nil, wrong("totals", "%d columns where %d were asked for", m.GetD(), d)
	}
	t := &kmeans.Totals{D: d, Rows: m.Rows}
	if _, err := count("totals.rows", m.Rows); err != nil {
		return nil, err
	}
	weight, err := ints("totals.weight", m.Weight, 1)
	if err != nil {
		return nil, err
	}
	t.Weight = weight[0]
	for _, field := range []struct {
		name string
		data []byte
		into *[]exact.Int128
	}{{"totals.sums", m.Sums, &t.Sums}, {"totals.plain", m.Plain, &t.Plain}, {"totals.squares", m.Squares, &t.Squares}} {
		if *field.into, err = ints(field.name, field.data, d); err != nil {
			return nil, err
		}
	}
	if err := t.Norms.UnmarshalBinary(m.Norms); err != nil {
		return nil, fmt.Errorf("%w: totals.norms: %w", ErrFormat, err)
	}
	return t, nil
}

func encodeDistinct(d *kmeans.Distinct) *pb.Distinct {
	m := &pb.Distinct{Limit: uint32(d.Limit())}
	for _, f := range d.Fingerprints() {
		m.Seen = binary.LittleEndian.AppendUint64(m.Seen, f[0])
		m.Seen = binary.LittleEndian.AppendUint64(m.Seen, f[1])
	}
	return m
}

func decodeDistinct(m *pb.Distinct, c *Context) (*kmeans.Distinct, error) {
	if int64(m.Limit) != int64(c.Limit) || len(m.Seen)%16 != 0 || len(m.Seen)/16 > c.Limit {
		return nil, wrong("distinct", "%d bytes up to %d where %d points were asked for", len(m.Seen), m.Limit, c.Limit)
	}
	seen := make([][2]uint64, len(m.Seen)/16)
	for i := range seen {
		seen[i] = [2]uint64{binary.LittleEndian.Uint64(m.Seen[16*i:]), binary.LittleEndian.Uint64(m.Seen[16*i+8:])}
	}
	d, err := kmeans.DistinctOf(c.Limit, seen)
	if err != nil {
		return nil, fmt.Errorf("%w: distinct: %w", ErrFormat, err)
	}
	return d, nil
}

// encodeSeedPartial encodes the rows in their order; the keys of rows that were drawn on their own are all 0 and left
// out.
func encodeSeedPartial(s *kmeans.SeedPartial) *pb.SeedPartial {
	m := &pb.SeedPartial{Limit: uint32(s.Limit()), Potential: binsBytes(&s.Potential), Raced: encodeDrawn(s.RacedByKey(), true),
		Sampled: encodeDrawn(s.SampledByRow(), false), Weights: appendInts(nil, s.Weights)}
	for _, rows := range [][]kmeans.Drawn{s.Raced, s.Sampled} {
		if len(rows) > 0 {
			m.D = uint32(len(rows[0].Point))
		}
	}
	for i := range s.Tries {
		m.Tries = append(m.Tries, binsBytes(&s.Tries[i]))
	}
	if s.Centers != nil {
		m.Centers = EncodeMatrix(s.Centers)
	}
	return m
}

func encodeDrawn(rows []kmeans.Drawn, keys bool) *pb.Drawn {
	if len(rows) == 0 {
		return nil
	}
	m := &pb.Drawn{Rows: make([]byte, 0, 8*len(rows)), Points: make([]byte, 0, 4*len(rows)*len(rows[0].Point))}
	for _, r := range rows {
		if keys {
			m.Keys = binary.LittleEndian.AppendUint64(m.Keys, math.Float64bits(r.Key))
		}
		m.Rows = binary.LittleEndian.AppendUint64(m.Rows, uint64(r.Row))
		m.Points = appendFloats(m.Points, r.Point)
	}
	return m
}

// decodeSeedPartial reads the answer to a SeedTask: as many tries and weights as it asks for, and no others.
func decodeSeedPartial(m *pb.SeedPartial, c *Context) (*kmeans.SeedPartial, error) {
	t := c.Seed
	if t == nil {
		return nil, wrong("seed", "nothing was asked for")
	}
	limit, tries, weights := max(t.Uniform, t.Race), 0, 0
	if t.Recluster {
		limit = 0
	}
	if t.Try != nil {
		tries = t.Try.K
	}
	if t.Weigh && t.Candidates != nil {
		weights = t.Candidates.K
	}
	if int64(m.Limit) != int64(limit) || m.D != 0 && int64(m.D) != int64(c.D) || len(m.Tries) != tries {
		return nil, wrong("seed", "up to %d rows of %d columns, %d tries, where %d, %d and %d were asked for", m.Limit, m.D, len(m.Tries),
			limit, c.D, tries)
	}
	s := kmeans.SeedPartial{}
	if err := bins("seed.potential", m.Potential, &s.Potential); err != nil {
		return nil, err
	}
	if tries > 0 {
		s.Tries = make([]exact.Bins, tries)
	}
	for i := range s.Tries {
		if err := bins("seed.tries", m.Tries[i], &s.Tries[i]); err != nil {
			return nil, err
		}
	}
	var err error
	if weights > 0 || len(m.Weights) > 0 {
		if s.Weights, err = ints("seed.weights", m.Weights, weights); err != nil {
			return nil, err
		}
	}
	if s.Raced, err = decodeDrawn("seed.raced", m.Raced, c.D, true); err != nil {
		return nil, err
	}
	if s.Sampled, err = decodeDrawn("seed.sampled", m.Sampled, c.D, false); err != nil {
		return nil, err
	}
	if s.Centers, err = decodeCenters(m.Centers, t); err != nil {
		return nil, err
	}
	whole, err := kmeans.SeedPartialOf(limit, s)
	if err != nil {
		return nil, fmt.Errorf("%w: seed: %w", ErrFormat, err)
	}
	return whole, nil
}

// decodeCenters reads what a reclustering has come to.
func decodeCenters(m *pb.Matrix, t *kmeans.SeedTask) (*kmeans.Centroids, error) {
	if !t.Recluster || t.Candidates == nil {
		if m != nil {
			return nil, wrong("seed.centers", "no reclustering was asked for")
		}
		return nil, nil
	}
	if int64(m.GetK()) != int64(t.K) || int64(m.GetD()) != int64(t.Candidates.D) {
		return nil, wrong("seed.centers", "%d×%d where %d×%d were asked for", m.GetK(), m.GetD(), t.K, t.Candidates.D)
	}
	c, err := DecodeMatrix(m)
	if err != nil {
		return nil, fmt.Errorf("seed.centers: %w", err)
	}
	return c, nil
}

func decodeDrawn(field string, m *pb.Drawn, d int, keys bool) ([]kmeans.Drawn, error) {
	if m == nil {
		return nil, nil
	}
	numbers, err := rowNumbers(field, m.Rows)
	if err != nil {
		return nil, err
	}
	n := len(numbers)
	if keys && len(m.Keys) != 8*n || !keys && len(m.Keys) > 0 {
		return nil, wrong(field, "%d bytes of keys of %d rows", len(m.Keys), n)
	}
	points, err := pointsOf(field, m.Points, n, d)
	if err != nil {
		return nil, err
	}
	rows := make([]kmeans.Drawn, n)
	for i := range rows {
		rows[i] = kmeans.Drawn{Row: numbers[i], Point: points[i*d : (i+1)*d : (i+1)*d]}
		if keys {
			rows[i].Key = math.Float64frombits(binary.LittleEndian.Uint64(m.Keys[8*i:]))
			if err := finite(field, rows[i].Key); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// rowNumbers reads global row numbers.
func rowNumbers(field string, data []byte) ([]int64, error) {
	list, err := words(field, data)
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, len(list))
	for i, w := range list {
		if numbers[i], err = count(field, int64(w)); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// pointsOf reads n Points of d columns, row-major.
func pointsOf(field string, data []byte, n, d int) ([]float32, error) {
	if n > 0 && (d < 1 || len(data)/4/d < n) { // before the product, which could be too large
		return nil, wrong(field, "%d bytes for %d points of %d columns", len(data), n, d)
	}
	return finiteFloats(field, data, n*d)
}

func encodeFarthest(f *kmeans.Farthest) *pb.Farthest {
	m := &pb.Farthest{Limit: uint32(f.Limit())}
	for _, r := range f.Rows() {
		m.D = uint32(len(r.Point))
		m.Distances = appendFloats(m.Distances, []float32{r.Distance})
		m.Rows = binary.LittleEndian.AppendUint64(m.Rows, uint64(r.Row))
		m.Clusters = binary.LittleEndian.AppendUint32(m.Clusters, uint32(r.Cluster))
		m.Weights = binary.LittleEndian.AppendUint64(m.Weights, r.Weight)
		m.Points = appendFloats(m.Points, r.Point)
	}
	return m
}

// decodeFarthest reads the farthest rows. Their clusters index the sums that are refilled from them.
func decodeFarthest(m *pb.Farthest, c *Context) (*kmeans.Farthest, error) {
	n := len(m.Rows) / 8
	if c.Limit < 1 || int64(m.Limit) != int64(c.Limit) || n > c.Limit || n > 0 && int64(m.D) != int64(c.D) {
		return nil, wrong("farthest", "%d of up to %d rows of %d columns, where %d of %d were asked for", n, m.Limit, m.D, c.Limit, c.D)
	}
	if len(m.Clusters) != 4*n {
		return nil, wrong("farthest.clusters", "%d bytes for %d rows", len(m.Clusters), n)
	}
	distances, err := finiteFloats("farthest.distances", m.Distances, n)
	if err != nil {
		return nil, err
	}
	numbers, err := rowNumbers("farthest.rows", m.Rows)
	if err != nil {
		return nil, err
	}
	weights, err := words("farthest.weights", m.Weights)
	if err != nil {
		return nil, err
	}
	points, err := pointsOf("farthest.points", m.Points, n, c.D)
	if err != nil {
		return nil, err
	}
	if len(weights) != n {
		return nil, wrong("farthest.weights", "%d of %d rows", len(weights), n)
	}
	rows := make([]kmeans.Far, n)
	for i := range rows {
		cluster := binary.LittleEndian.Uint32(m.Clusters[4*i:])
		if int64(cluster) >= int64(c.K) || !(distances[i] > 0) || weights[i] < 1 || weights[i] > kmeans.WeightOne {
			return nil, wrong("farthest", "row %d in cluster %d of %d at distance %g with weight %d", numbers[i], cluster, c.K, distances[i], weights[i])
		}
		rows[i] = kmeans.Far{Distance: distances[i], Row: numbers[i], Cluster: int(cluster), Weight: weights[i],
			Point: points[i*c.D : (i+1)*c.D : (i+1)*c.D]}
	}
	f, err := kmeans.FarthestOf(c.Limit, rows)
	if err != nil {
		return nil, fmt.Errorf("%w: farthest: %w", ErrFormat, err)
	}
	return f, nil
}
