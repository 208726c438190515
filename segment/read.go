package segment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/coterie-project/coterie/model"
)

// maxDocument bounds the bytes that ReadSweep and ReadMigration take: a matrix of 2^20 cells is less.
const maxDocument = 64 << 20

// maxScore bounds the scores of a sweep that is read: an inertia of 2^63 rows of the largest float32 is less.
const maxScore = 1e100

// readDocument decodes one JSON document. Fields that are not known are for other readers.
func readDocument(r io.Reader, into any) error {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	switch {
	case err != nil:
		return err
	case len(data) > maxDocument:
		return fmt.Errorf("it has more than %d MiB", maxDocument>>20)
	}
	return json.Unmarshal(data, into)
}

// ReadSweep reads what `coterie sweep -o FILE.json` has written.
func ReadSweep(r io.Reader) (*Sweep, error) {
	s := new(Sweep)
	if err := readDocument(r, s); err != nil {
		return nil, err
	}
	if len(s.Candidates) == 0 || len(s.Candidates) > maxCandidates || s.Rows < 1 {
		return nil, errors.New("it has no candidates of a sweep, or too many")
	}
	for i, c := range s.Candidates {
		for _, x := range []float64{c.Inertia, c.Silhouette, c.SilhouetteError, c.CalinskiHarabasz, c.DaviesBouldin, c.Stability, c.Shapeless} {
			if !(math.Abs(x) <= maxScore) {
				return nil, fmt.Errorf("candidate %d has the score %g", i, x)
			}
		}
		if c.K < 1 || c.K > model.MaxSegments || i > 0 && c.K <= s.Candidates[i-1].K || c.Smallest < 0 || c.Smallest > s.Rows {
			return nil, fmt.Errorf("candidate %d is of k = %d with %d rows in the smallest segment", i, c.K, c.Smallest)
		}
	}
	return s, nil
}

// ReadMigration reads what `coterie migrate --json` has printed.
func ReadMigration(r io.Reader) (*Migration, error) {
	m := new(Migration)
	if err := readDocument(r, m); err != nil {
		return nil, err
	}
	from, to := len(m.From), len(m.To)
	if from == 0 || to == 0 || len(m.Matrix) != from || len(m.Left) != from || len(m.Arrived) != to || len(m.Match) != to {
		return nil, errors.New("it has no matrix of a migration")
	}
	total := int64(0)
	count := func(n int64) bool {
		if n < 0 || n > math.MaxInt64-total {
			return false
		}
		total += n
		return true
	}
	for i, row := range m.Matrix {
		if len(row) != to || !count(m.Left[i]) {
			return nil, fmt.Errorf("row %d of the matrix does not fit", i)
		}
		for _, n := range row {
			if !count(n) {
				return nil, fmt.Errorf("row %d of the matrix has a cell that is no count", i)
			}
		}
	}
	for j, i := range m.Match {
		if i < -1 || i >= from || !count(m.Arrived[j]) {
			return nil, fmt.Errorf("new segment %d goes on from %d with %d arrivals", j, i, m.Arrived[j])
		}
	}
	for _, f := range m.Flows {
		if f.From < 0 || f.From >= from || f.To < 0 || f.To >= to {
			return nil, fmt.Errorf("a move from %d to %d", f.From, f.To)
		}
	}
	return m, nil
}
