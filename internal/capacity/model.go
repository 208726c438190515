package capacity

import (
	"math"

	"github.com/coterie-project/coterie/internal/roofline"
	"github.com/coterie-project/coterie/kmeans"
)

// Shape is what a fit is over: rows, columns after encoding, and k. Each is at least 1.
type Shape struct {
	Rows int64
	D, K int
}

// Cluster is where it runs.
type Cluster struct {
	Workers int     // at least 1
	Cores   float64 // that all workers together compute on at once; more than 0
	// Network is what the coordinator's network carries in each direction, in bytes a second; 0: not counted.
	Network float64
	Round   float64 // seconds of a round beside all work (RoundSeconds); 0: not counted
}

// Rates are what was measured of one core and of the coordinator, on rows of the shape At.
type Rates struct {
	At      Shape
	Pass    float64 // nanoseconds of a core for a row in a pass
	Read    float64 // nanoseconds of a core for a row that is read or made, once; 0: not known
	Merge   float64 // nanoseconds of the coordinator for a worker's answer; 0: not counted
	Seeding float64 // what seeding costs, in passes
	Answer  float64 // bytes of a worker's answer; 0: those of PassBytes, which are the most that it can be
	// GFLOPS and GBytes are a core's peaks (roofline.Bound); 0: not known, and times grow with k·(d+3).
	GFLOPS, GBytes float64
}

// Terms of Prediction.Bottleneck.
const (
	Compute     = "compute"
	Memory      = "memory bandwidth"
	Network     = "coordinator network"
	Coordinator = "coordinator"
	Round       = "round trips"
	Reading     = "reading"
)

// RoundSeconds is what a round takes beside all work: its messages' way there and back, and their handling. On one machine
// 0.2 to 0.5 ms were measured (bench/README.md); a network's way is of that order.
const RoundSeconds = 0.4e-3

// Prediction is what the model says of a fit. Seconds are of a pass but for those of the fit.
type Prediction struct {
	Compute     float64 `json:"compute_seconds"`
	Network     float64 `json:"network_seconds"`
	Coordinator float64 `json:"coordinator_seconds"`
	Pass        float64 `json:"pass_seconds"`
	Efficiency  float64 `json:"efficiency"`        // the part of a pass in which workers compute, 0 to 1
	Crossover   float64 `json:"crossover_workers"` // W*; 0 where neither network nor merging is counted
	Read        float64 `json:"read_seconds"`
	Seed        float64 `json:"seed_seconds"`
	Iterate     float64 `json:"iterate_seconds"`
	Fit         float64 `json:"fit_seconds"`
	Bottleneck  string  `json:"bottleneck"` // the largest part of the fit
	// Binds is what takes as long as the computing at W*: Network or Coordinator; empty where there is no W*.
	Binds string `json:"crossover_by,omitempty"`
}

// Predict says how long a fit of shape s with so many iterations takes on c. The last pass, which gives the inertia, is
// one more than the iterations.
func Predict(s Shape, c Cluster, r *Rates, iterations int) Prediction {
	row, by := r.row(s)
	p := Prediction{Compute: row * 1e-9 * float64(s.Rows) / c.Cores}
	workers := float64(c.Workers)
	cells := float64(s.K) * float64(s.D) / (float64(r.At.K) * float64(r.At.D))
	if c.Network > 0 {
		answer := r.Answer * cells
		if answer == 0 {
			in, _ := PassBytes(1, s.K, s.D)
			answer = float64(in)
		}
		p.Network = workers * answer / c.Network
	}
	p.Coordinator = workers * r.Merge * 1e-9 * cells
	p.cross(workers)
	p.Pass = p.Compute + max(p.Network, p.Coordinator) + c.Round
	p.Efficiency = p.Compute / p.Pass
	p.Read = r.Read * 1e-9 * float64(s.Rows) * float64(s.D) / float64(r.At.D) / c.Cores
	p.Seed = p.Pass * r.Seeding
	p.Iterate = p.Pass * float64(iterations+1)
	p.Fit = p.Read + p.Seed + p.Iterate
	p.Bottleneck = p.bottleneck(by, c.Round)
	return p
}

// cross finds the crossover. Computing falls with the workers, and what the star takes grows with them: of its two parts, which
// go on at the same time, the larger one counts, as in Pass.
func (p *Prediction) cross(workers float64) {
	star := max(p.Network, p.Coordinator)
	if star <= 0 {
		return
	}
	p.Crossover, p.Binds = workers*math.Sqrt(p.Compute/star), Network
	if p.Coordinator > p.Network {
		p.Binds = Coordinator
	}
}

// bottleneck names the largest part; by is what bounds the computing.
func (p *Prediction) bottleneck(by string, round float64) string {
	parts := []struct {
		name  string
		spent float64
	}{{Compute, p.Compute}, {Network, p.Network}, {Coordinator, p.Coordinator}, {Round, round}}
	if by == roofline.ByMemory {
		parts[0].name = Memory
	}
	largest := parts[0]
	for _, part := range parts[1:] {
		if part.spent > largest.spent {
			largest = part
		}
	}
	if p.Read > p.Seed+p.Iterate {
		return Reading
	}
	return largest.name
}

// row is a core's nanoseconds for a row of s, and what bounds them: as far from the roofline as what was measured, or
// in proportion to the operations where the roofline is not known.
func (r *Rates) row(s Shape) (ns float64, by string) {
	to, by := roofline.Bound(1, s.D, s.K, r.GFLOPS, r.GBytes)
	from, _ := roofline.Bound(1, r.At.D, r.At.K, r.GFLOPS, r.GBytes)
	if math.IsNaN(to) || math.IsNaN(from) {
		return r.Pass * float64(s.K) * float64(s.D+3) / (float64(r.At.K) * float64(r.At.D+3)), roofline.ByArithmetic
	}
	return r.Pass * to / from, by
}

// PassBytes is what crosses the coordinator's network in a pass: in, the exact sums and counts of so many workers; and out,
// the centroids to each.
func PassBytes(workers, k, d int) (in, out int64) {
	each := int64(workers) * int64(k)
	return each * (16*int64(d) + 8), each * 4 * int64(d)
}

// WorkerOverhead is what a worker needs whatever it holds, in bytes: the runtime, decoding buffers of each thread.
const WorkerOverhead = 64 << 20

// WorkerBytes is the memory of a worker that holds so many rows of rowBytes each on so many threads, in bytes.
func WorkerBytes(rows, rowBytes int64, threads, k, d int) int64 {
	return rows*rowBytes + WorkerOverhead + int64(threads+2)*int64(k)*int64(d)*24 + kmeans.FilterBytes(k, d, threads)
}
