package wire

import (
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// EncodePartial encodes a Partial. Equal ones have equal bytes, in whatever order they were merged: their parts are
// brought into order in place. Digests are left out; they travel with the Answer.
func EncodePartial(p *Partial, packing Packing) ([]byte, error) {
	m, err := partialMessage(p, packing)
	if err != nil {
		return nil, err
	}
	return marshalling.Marshal(m)
}

func partialMessage(p *Partial, packing Packing) (*pb.Partial, error) {
	m := &pb.Partial{Intake: EncodeIntake(&p.Intake), Bad: EncodeBadRows(p.Bad), Largest: p.Largest, Moved: p.Moved, Fresh: p.Fresh,
		Dropped: p.Dropped, Ids: encodeIDs(p.IDs)}
	if p.Fault != nil {
		m.Fault = &pb.RowFault{Row: p.Fault.Row, Failure: EncodeFailure(p.Fault.Err)}
	}
	if p.Statistics != nil {
		m.Statistics, _ = p.Statistics.MarshalBinary() // none of the three ever fails
	}
	if p.Counts != nil {
		m.Counts, _ = p.Counts.MarshalBinary()
	}
	if p.Directions != nil {
		m.Directions, _ = p.Directions.MarshalBinary()
	}
	if p.Totals != nil {
		m.Totals = EncodeTotals(p.Totals)
	}
	if p.Distinct != nil {
		m.Distinct = encodeDistinct(p.Distinct)
	}
	m.Sample = EncodeSample(p.Sample)
	if p.Seed != nil {
		m.Seed = encodeSeedPartial(p.Seed)
	}
	if p.Farthest != nil {
		m.Farthest = encodeFarthest(p.Farthest)
	}
	if p.Inertia != nil {
		m.Inertia = binsBytes(p.Inertia)
	}
	for j := range p.Spread {
		m.Spread = append(m.Spread, binsBytes(&p.Spread[j]))
	}
	p.fold()
	for _, s := range p.Strands {
		strand, err := partialMessage(s, packing)
		if err != nil {
			return nil, err
		}
		m.Strands = append(m.Strands, strand)
	}
	var err error
	switch {
	case p.Packed != nil:
		m.Sums, err = encodePacked(p.Packed, packing)
	case p.Sums != nil:
		m.Sums, err = EncodeSums(p.Sums, packing)
	}
	return m, err
}

// repeated are the fields of a Partial that may stand more than once, and how often.
func (c *Context) repeated() map[protowire.Number]int {
	clusters := 0
	if c.Spread {
		clusters = c.K
	}
	return map[protowire.Number]int{badField: MaxQuarantined + 1, idsField: c.Partitions, strandsField: len(c.Strands), spreadField: clusters}
}

const (
	badField     protowire.Number = 3
	sumsField    protowire.Number = 11
	idsField     protowire.Number = 17
	strandsField protowire.Number = 18
	spreadField  protowire.Number = 20
)

// DecodePartial reads the answer to a task whose Context is c. Sums stay packed, and lie in data unless they are
// compressed: data must not be changed as long as the Partial is in use. The error is ErrFormat: for bytes that were
// not written here, for shapes that the task did not ask for, and for an answer that lacks what its kind of round is
// for.
func DecodePartial(data []byte, c Context) (*Partial, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if err := checkRepeats(data, c.repeated()); err != nil {
		return nil, err
	}
	strands, rest := cutFields(data, strandsField)
	cut, rest := cutFields(rest, sumsField)
	m := new(pb.Partial)
	if err := unmarshal(rest, m); err != nil {
		return nil, err
	}
	for _, sums := range cut { // one at most
		var err error
		if m.Sums, err = readSums(sums); err != nil {
			return nil, err
		}
	}
	p := &Partial{Largest: m.Largest, Moved: m.Moved, Fresh: m.Fresh, Dropped: m.Dropped, Intake: DecodeIntake(m.Intake),
		Bad: DecodeBadRows(m.Bad)}
	for _, read := range []func(*Partial, *pb.Partial, *Context) error{checkPlain, decodeIDs, decodeFeatures, decodePoints} {
		if err := read(p, m, &c); err != nil {
			return nil, err
		}
	}
	if err := decodeStrandPartials(p, strands, &c); err != nil {
		return nil, err
	}
	return p, c.complete(p)
}

// checkPlain looks at what merging only counts, and reads the fault.
func checkPlain(p *Partial, m *pb.Partial, c *Context) error {
	if err := finite("largest", p.Largest); err != nil {
		return err
	}
	n := &p.Intake
	for _, v := range append([]int64{n.Read, n.Kept, n.Bad, n.Missing, n.Duplicates, n.Imputed, p.Moved, p.Dropped}, n.Unseen...) {
		if m.Fault != nil {
			break // what was counted up to a fault need not add up, and is not looked at
		}
		if _, err := count("intake, moved or dropped", v); err != nil {
			return err
		}
	}
	if u := len(n.Unseen); u > 0 && (c.Spec == nil || u != len(c.Spec.Categorical)) {
		return wrong("intake.unseen", "%d columns, which are not as many as there are categorical ones", u)
	}
	for i := range p.Bad {
		if row := p.Bad[i].Row; row < 0 || i > 0 && row < p.Bad[i-1].Row {
			return wrong("bad", "row %d is out of order", row)
		}
	}
	if f := m.Fault; f != nil {
		if f.Row < 0 || f.Failure == nil {
			return wrong("fault", "row %d, with a failure: %v", f.Row, f.Failure != nil)
		}
		p.Fault = &RowFault{Row: f.Row, Err: DecodeFailure(f.Failure)}
	}
	return nil
}

// decodeFeatures reads what package feature gathers.
func decodeFeatures(p *Partial, m *pb.Partial, c *Context) (err error) {
	if len(m.Statistics) > 0 {
		if c.Spec == nil {
			return wrong("statistics", "they were not asked for")
		}
		if p.Statistics, err = feature.DecodeStatistics(c.Spec, m.Statistics); err != nil {
			return fmt.Errorf("%w: statistics: %w", ErrFormat, err)
		}
	}
	if len(m.Counts) > 0 {
		if c.Search == nil {
			return wrong("counts", "they were not asked for")
		}
		if p.Counts, err = c.Search.DecodeCounts(m.Counts); err != nil {
			return fmt.Errorf("%w: counts: %w", ErrFormat, err)
		}
	}
	if len(m.Directions) > 0 {
		if c.Transform == nil {
			return wrong("directions", "they were not asked for")
		}
		if p.Directions, err = c.Transform.DecodeNormalised(m.Directions); err != nil {
			return fmt.Errorf("%w: directions: %w", ErrFormat, err)
		}
	}
	return nil
}

// decodePoints reads what package kmeans makes of Points.
func decodePoints(p *Partial, m *pb.Partial, c *Context) (err error) {
	if m.Totals != nil {
		if p.Totals, err = DecodeTotals(m.Totals, c.D); err != nil {
			return err
		}
	}
	if m.Distinct != nil {
		if p.Distinct, err = decodeDistinct(m.Distinct, c); err != nil {
			return err
		}
	}
	if p.Sample, err = DecodeSample(m.Sample); err != nil {
		return err
	}
	if m.Seed != nil {
		if p.Seed, err = decodeSeedPartial(m.Seed, c); err != nil {
			return err
		}
	}
	if m.Sums != nil {
		if p.Packed, err = decodePacked(m.Sums, c); err != nil {
			return err
		}
	}
	if m.Farthest != nil {
		if p.Farthest, err = decodeFarthest(m.Farthest, c); err != nil {
			return err
		}
	}
	if len(m.Inertia) > 0 {
		p.Inertia = new(exact.Bins)
		if err := bins("inertia", m.Inertia, p.Inertia); err != nil {
			return err
		}
	}
	return decodeSpread(p, m)
}

// decodeSpread reads the distances by cluster, of which there are no more than were asked for.
func decodeSpread(p *Partial, m *pb.Partial) error {
	for _, data := range m.Spread {
		p.Spread = append(p.Spread, exact.Bins{})
		if err := bins("spread", data, &p.Spread[len(p.Spread)-1]); err != nil {
			return err
		}
	}
	return nil
}

// EncodeIntake encodes the counts; nil for none.
func EncodeIntake(n *Intake) *pb.Intake {
	m := &pb.Intake{Read: n.Read, Kept: n.Kept, Bad: n.Bad, Missing: n.Missing, Duplicates: n.Duplicates, Imputed: n.Imputed, Unseen: n.Unseen}
	if n.Read|n.Kept|n.Bad|n.Missing|n.Duplicates|n.Imputed == 0 && len(n.Unseen) == 0 {
		return nil
	}
	return m
}

// DecodeIntake reads counts as they are.
func DecodeIntake(m *pb.Intake) Intake {
	return Intake{Read: m.GetRead(), Kept: m.GetKept(), Bad: m.GetBad(), Missing: m.GetMissing(), Duplicates: m.GetDuplicates(),
		Imputed: m.GetImputed(), Unseen: m.GetUnseen()}
}

// EncodeBadRows encodes the rows set aside, by row; of too many the lowest, one more than MaxQuarantined.
func EncodeBadRows(rows []BadRow) []*pb.BadRow {
	rows = lowestBad(slices.Clone(rows))
	list := make([]*pb.BadRow, len(rows))
	for i := range rows {
		r := &rows[i]
		list[i] = &pb.BadRow{Row: r.Row, Place: encodePlace(r.Place), Reason: clip(r.Reason), Raw: []byte(r.Raw)}
	}
	return list
}

// DecodeBadRows reads rows set aside as they are.
func DecodeBadRows(list []*pb.BadRow) []BadRow {
	if len(list) == 0 {
		return nil
	}
	rows := make([]BadRow, len(list))
	for i, m := range list {
		rows[i] = BadRow{Row: m.GetRow(), Place: decodePlace(m.GetPlace()), Reason: clip(m.GetReason()), Raw: string(m.GetRaw())}
	}
	return rows
}

func encodeIDs(ids []IDSummary) []*pb.IDSummary {
	list := make([]*pb.IDSummary, len(ids))
	for i, s := range ids {
		list[i] = &pb.IDSummary{Partition: uint32(s.Partition), Count: s.Count, Integers: s.Integers, Ascending: s.Ascending,
			First: s.First, Last: s.Last}
	}
	slices.SortFunc(list, func(a, b *pb.IDSummary) int { return int(int64(a.Partition) - int64(b.Partition)) })
	return list
}

// decodeIDs reads what is said of ids, of each partition once.
func decodeIDs(p *Partial, m *pb.Partial, c *Context) error {
	for i, s := range m.Ids {
		if s.Partition > math.MaxInt32 || int(s.Partition) >= c.Partitions || i > 0 && s.Partition <= m.Ids[i-1].Partition {
			return wrong("ids", "partition %d does not ascend, or is beyond %d", s.Partition, c.Partitions)
		}
		if s.Count < 0 || s.Ascending && !s.Integers {
			return wrong("ids", "%d ids of partition %d that ascend and are no integers", s.Count, s.Partition)
		}
		p.IDs = append(p.IDs, IDSummary{Partition: int(s.Partition), Count: s.Count, Integers: s.Integers, Ascending: s.Ascending,
			First: s.First, Last: s.Last})
	}
	return nil
}
