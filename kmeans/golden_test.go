package kmeans

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
)

// goldenFits are whole fits with a digest of all that they gave, written down on amd64 with AVX-512. Every architecture,
// tier and algorithm that runs this test is held to them: the comparisons between tiers cannot see what all the tiers
// of one machine do alike. The shapes are those of few dimensions, of many, and of more than a tile.
var goldenFits = []struct {
	n, d, k int
	weights bool
	want    uint64
}{
	{2500, 5, 9, false, 0xca557e511652c288},
	{500, 33, 12, true, 0x23821c568b0a965},
	{160, 260, 9, false, 0x1f6a571304bd59fc},
}

func TestFitsHaveTheDigestOfEveryOtherMachine(t *testing.T) {
	defer use(t, Tier())
	for _, tier := range Tiers() {
		use(t, tier)
		for i, g := range goldenFits {
			p, start := goldenPoints(t, uint64(i), g.n, g.d, g.k, g.weights)
			for _, algorithm := range Algorithms() {
				result, err := Lloyd(p, start, Options{MaxIterations: 8, Algorithm: Algorithm(algorithm)})
				if err != nil {
					t.Fatal(err)
				}
				if got := fitDigest(result); got != g.want {
					t.Errorf("%s, %s, %d×%d, k=%d: got %#x after %d iterations, inertia %v; want %#x", tier, algorithm, g.n, g.d, g.k, got,
						result.Iterations, result.Inertia, g.want)
				}
			}
		}
	}
}

// goldenPoints are rows around 2k centres, from draws that are the same everywhere, and a start of k of them.
func goldenPoints(t *testing.T, seed uint64, n, d, k int, weighted bool) (*Points, *Centroids) {
	t.Helper()
	normal := func(stream uint32, i int) float64 {
		return exact.Normal(exact.Draw(seed, stream, 0, uint64(i)), exact.Draw(seed, stream, 1, uint64(i)))
	}
	values := make([]float32, n*d)
	for i := range values {
		row, column := i/d, i%d
		values[i] = float32(float64(2*normal(1, row%(2*k)*d+column)) + normal(2, i))
	}
	var weights []float64
	for i := 0; weighted && i < n; i++ {
		weights = append(weights, exact.Unit(exact.Draw(seed, 3, 0, uint64(i))))
	}
	p, err := PointsFromRows(values, n, d, weights)
	if err != nil {
		t.Fatal(err)
	}
	start := NewCentroids(k, d)
	for j := range k {
		p.At(j*n/k, start.Row(j))
	}
	return p, start
}

// fitDigest is over the bits of everything in a result.
func fitDigest(r *Result) uint64 {
	h := fnv.New64a()
	write := func(v any) {
		if err := binary.Write(h, binary.LittleEndian, v); err != nil {
			panic(fmt.Sprintf("a hash refused %T: %v", v, err))
		}
	}
	write(r.Centroids.Values)
	write(r.Labels)
	write(r.Counts)
	write(math.Float64bits(r.Inertia))
	write(int64(r.Iterations))
	write(r.Converged)
	return h.Sum64()
}
