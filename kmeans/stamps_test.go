package kmeans

import "testing"

// A stamp has 255 values. A row that nothing has asked for in all that time is not taken for one that was just computed.
func TestAStampThatComesAgainIsNotTakenForANewOne(t *testing.T) {
	p, err := PointsFromRows([]float32{0, 1e6}, 2, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &Centroids{K: 2, D: 1, Values: []float32{0, 1e6}}
	run := newPasses(p, Activity, c.K)
	run.to(c)
	slack := run.track.slack[0]
	for run.tracker.pass < 3*255 {
		c = c.Clone()
		c.Values[1] = 1e6 + float32(run.tracker.pass%2) // the far one moves a little, which the row's slack covers
		run.to(c)
		if run.track.slack[0] != slack || run.track.Labels[0] != 0 {
			t.Fatalf("pass %d: the row was computed anew", run.tracker.pass)
		}
		if pass := run.tracker.pass; pass > 1+windowPasses && age(run.track.stamp[0], pass) <= windowPasses {
			t.Fatalf("pass %d: a row that was computed in the first pass counts as %d passes old", pass, age(run.track.stamp[0], pass))
		}
	}
}
