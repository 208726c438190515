package rfm

import (
	"testing"

	"pgregory.net/rapid"
)

func TestScoresAreFifthsOfTheShareThatIsWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 30), 0, 60).Draw(t, "values")
		got := scores(values)
		for i, v := range values {
			worse := 0
			for _, o := range values {
				if o < v {
					worse++
				}
			}
			if want := int64(1 + 5*worse/len(values)); got[i] != want {
				t.Fatalf("%v: value %d scores %d, want %d", values, v, got[i], want)
			}
		}
	})
}
