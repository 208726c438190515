package rfm

import (
	"context"
	"testing"

	"pgregory.net/rapid"
)

func TestScoresAreFifthsOfTheShareThatIsWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 30), 0, 60).Draw(t, "values")
		n := int64(len(values))
		gathered := &rows{}
		h := &heap{}
		for _, v := range values { // the row's place in time is its frequency, and its value negative
			h.places = append(h.places, place{at: uint32(len(h.data))})
			h.data = (&row{last: v * microsPerDay, frequency: v, money: float64(v) - 15}).append(h.data)
		}
		gathered.heaps = append(gathered.heaps, h)
		all, err := rank(context.Background(), gathered, n, 100*microsPerDay)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			worse := 0
			for _, o := range values {
				if o < v {
					worse++
				}
			}
			r := row{last: v * microsPerDay, frequency: v, money: float64(v) - 15}
			for scale, key := range r.values(100 * microsPerDay) {
				if got, want := all[scale].score(key), int64(1+5*worse/len(values)); got != want {
					t.Fatalf("%v: value %d, row %d, scores %d on scale %d, want %d", values, v, i, got, scale, want)
				}
			}
		}
	})
}
