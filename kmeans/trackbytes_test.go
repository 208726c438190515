package kmeans

import "testing"

func TestATrackTakesWhatItsAlgorithmSays(t *testing.T) {
	for _, a := range []Algorithm{"", Auto, FullPasses, Hamerly, Activity} {
		for _, d := range []int{2, 300} {
			const n, k = 4096, 5
			p := made(t, n, d)
			start := &Centroids{K: k, D: d, Values: make([]float32, k*d)}
			for j := range k {
				p.At(j*17, start.Row(j))
			}
			l := newLloyd(p, start, Options{Algorithm: a, MaxIterations: 30})
			for l.step() {
			}
			took := 2*cap(l.track.Labels) + 4*(len(l.track.slack)+len(l.track.nearest)) + len(l.track.stamp)
			if most := n * a.TrackBytes(k, d); took > most {
				t.Errorf("%q, %d columns: %d bytes, want at most %d", a, d, took, most)
			}
		}
	}
}

// made are n Points of d columns.
func made(t *testing.T, n, d int) *Points {
	t.Helper()
	values := make([]float32, n*d)
	for i := range values {
		values[i] = float32((i*7919+i/d*31)%211) / 8
	}
	p, err := PointsFromRows(values, n, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
