package worker

import (
	"math"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
)

func TestEveryRowThatIsReadIsKeptOrSetAsideWithItsPlace(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	in := &wire.Input{ID: "id", BadRows: wire.BadRowsQuarantine, Duplicates: wire.DuplicatesFail,
		Spec: &feature.Spec{Numeric: []string{"x", "y"}, Scale: feature.Standard, Missing: feature.Drop}}
	s := measuredOf(124, map[int]float32{3: inf, 5: nan, 80: -inf, 123: inf})
	for _, room := range []int64{0, math.MaxInt64} { // read again, or waited
		got, _ := loadWith(t, s, room, in, true)
		n := got.Intake
		if n.Read != 124 || n.Kept != 120 || n.Bad != 3 || n.Missing != 1 || n.Read != n.Kept+n.Bad+n.Missing {
			t.Errorf("got %+v, want 124 rows, of which 120 are kept, 3 bad and 1 missing", n)
		}
		var rows, places []int64
		for _, b := range got.Bad {
			rows, places = append(rows, b.Row), append(places, b.Place.Row)
			if b.Reason == "" || b.Place.File != "measured" {
				t.Errorf("row %d is set aside at %v for %q, want its place and a reason", b.Row, b.Place, b.Reason)
			}
		}
		if want := []int64{3, 80, 123}; !slices.Equal(rows, want) || !slices.Equal(places, want) || len(got.Points) != 120 {
			t.Errorf("set aside: rows %v at %v, beside %d Points; want %v and 120", rows, places, len(got.Points), want)
		}
	}
}
