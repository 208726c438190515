package capacity

import (
	"errors"
	"math"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

func near(a, b, within float64) bool { return math.Abs(a-b) <= within*math.Abs(b) }

// one is a core of 100 GFLOP/s in the 2·k·d operations of a row: 2 ns at 10 × 10.
var one = Rates{At: Shape{D: 10, K: 10}, Pass: 2}

func TestTheCrossoverIsThatOfTheDesign(t *testing.T) {
	// n = 100M rows, 25 Gb/s, 100 GF/s a worker: W* = sqrt(n·B/8R) = 625. Counts beside sums and the three operations of
	// the argmin, which the formula leaves out, move it by some per cent.
	b := 25e9 / 8
	want := math.Sqrt(1e8 * b / 8 / 100e9)
	if want != 625 {
		t.Fatalf("the formula gives %v", want)
	}
	for _, workers := range []int{1, 10, 625, 5000} {
		s := Shape{1e8, 10, 10}
		p := Predict(s, Cluster{workers, float64(workers), b, RoundSeconds}, &one, 10)
		if !near(p.Crossover, want, 0.03) {
			t.Errorf("%d workers: got W* = %v, want %v", workers, p.Crossover, want)
		}
	}
	p := Predict(Shape{1e8, 10, 10}, Cluster{625, 625, b, RoundSeconds}, &one, 10)
	if !near(p.Network, p.Compute, 0.06) {
		t.Errorf("at W*: got %v s of network and %v s of computing, want the same", p.Network, p.Compute)
	}
	p = Predict(Shape{1e8, 10, 10}, Cluster{208, 208, b, RoundSeconds}, &one, 10)
	if computing := p.Compute / (p.Compute + p.Network); !near(computing, 0.9, 0.01) {
		t.Errorf("at W*/3: got %v of computing beside the network, want nine tenths", computing)
	}
}

func TestTheCrossoverIsWhereTheStarTakesAsLongAsComputing(t *testing.T) {
	s, rates := Shape{1e9, 32, 50}, Rates{At: Shape{D: 32, K: 50}, Pass: 40, Merge: 50e3}
	for bytes, binds := range map[float64]string{1e6: Network, 1e9: Coordinator, 0: Coordinator} {
		p := Predict(s, Cluster{10_000, 10_000, bytes, RoundSeconds}, &rates, 10)
		w := int(p.Crossover)
		there := Predict(s, Cluster{w, float64(w), bytes, RoundSeconds}, &rates, 10)
		if p.Binds != binds || !near(there.Compute, max(there.Network, there.Coordinator), 0.02) {
			t.Errorf("%v bytes a second: got W* = %v by %s, where computing takes %v s, the network %v s, merging %v s; want it by %s", bytes, p.Crossover, p.Binds,
				there.Compute, there.Network, there.Coordinator, binds)
		}
	}
	if p := Predict(s, Cluster{4, 4, 0, RoundSeconds}, &one, 10); p.Crossover != 0 || p.Binds != "" {
		t.Errorf("nothing counted: got W* = %v by %q", p.Crossover, p.Binds)
	}
}

func TestPredictionsFollowTheirTerms(t *testing.T) {
	cases := []struct {
		name  string
		shape Shape
		on    Cluster
		rates Rates
		want  string
	}{
		{"many rows", Shape{1e9, 32, 50}, Cluster{4, 16, 1e9, RoundSeconds}, Rates{At: Shape{D: 32, K: 50}, Pass: 40}, Compute},
		{"few columns, few segments", Shape{1e9, 4, 2}, Cluster{4, 16, 1e9, RoundSeconds}, Rates{At: Shape{D: 32, K: 50}, Pass: 40, GFLOPS: 100, GBytes: 10}, Memory},
		{"a slow network", Shape{1e7, 32, 50}, Cluster{400, 1600, 1e6, RoundSeconds}, Rates{At: Shape{D: 32, K: 50}, Pass: 40}, Network},
		{"slow merging", Shape{1e7, 32, 50}, Cluster{400, 1600, 1e9, RoundSeconds}, Rates{At: Shape{D: 32, K: 50}, Pass: 40, Merge: 1e6}, Coordinator},
		{"next to no rows", Shape{1000, 32, 50}, Cluster{1, 1, 0, RoundSeconds}, Rates{At: Shape{D: 32, K: 50}, Pass: 40}, Round},
		{"slow reading", Shape{1e9, 32, 50}, Cluster{4, 16, 1e9, RoundSeconds}, Rates{At: Shape{D: 32, K: 50}, Pass: 40, Read: 1e5}, Reading},
	}
	for _, c := range cases {
		p := Predict(c.shape, c.on, &c.rates, 10)
		if p.Bottleneck != c.want {
			t.Errorf("%s: got %+v, want the bottleneck %q", c.name, p, c.want)
		}
		if sum := p.Compute + max(p.Network, p.Coordinator) + RoundSeconds; !near(p.Pass, sum, 1e-12) || !near(p.Fit, p.Read+p.Seed+p.Iterate, 1e-12) ||
			!near(p.Iterate, 11*p.Pass, 1e-12) || p.Efficiency <= 0 || p.Efficiency > 1 {
			t.Errorf("%s: got %+v, whose parts are not the whole", c.name, p)
		}
	}
}

func TestSharedCoresDoNotMakeWorkersFaster(t *testing.T) {
	s, r := Shape{2e6, 32, 50}, Rates{At: Shape{D: 32, K: 50}, Pass: 40}
	two, eight := Predict(s, Cluster{2, 2, 0, RoundSeconds}, &r, 10), Predict(s, Cluster{8, 2, 0, RoundSeconds}, &r, 10)
	own := Predict(s, Cluster{8, 8, 0, RoundSeconds}, &r, 10)
	if two.Compute != eight.Compute || !near(own.Compute*4, two.Compute, 1e-12) {
		t.Errorf("got %v s on two cores, %v s for eight workers on them, %v s on eight", two.Compute, eight.Compute, own.Compute)
	}
}

func TestAShapeIsCarriedAlongTheRoofline(t *testing.T) {
	r := Rates{At: Shape{D: 32, K: 50}, Pass: 40, GFLOPS: 100, GBytes: 10}
	if ns, _ := r.row(r.At); ns != 40 {
		t.Errorf("got %v ns at the measured shape, want 40", ns)
	}
	if ns, _ := r.row(Shape{D: 32, K: 100}); !near(ns, 80, 1e-12) {
		t.Errorf("got %v ns at twice the k, want 80", ns)
	}
	bound := (4*4 + 1) / 10.0 * 40 / (50 * 35 * 2 / 100.0)
	if ns, by := r.row(Shape{D: 4, K: 2}); !near(ns, bound, 1e-12) || by != "memory" {
		t.Errorf("got %v ns by %s at d = 4, k = 2, want %v by memory", ns, by, bound)
	}
	r.GFLOPS = 0
	if ns, _ := r.row(Shape{D: 67, K: 100}); !near(ns, 160, 1e-12) {
		t.Errorf("got %v ns at four times the operations, want 160", ns)
	}
}

func TestBytes(t *testing.T) {
	if in, out := PassBytes(3, 5, 7); in != 3*5*(16*7+8) || out != 3*5*4*7 {
		t.Errorf("got %d in and %d out", in, out)
	}
	if got := WorkerBytes(1000, 10, 2, 5, 7); got != 10_000+WorkerOverhead+4*5*7*24 {
		t.Errorf("got %d bytes", got)
	}
}

func TestBandwidthsArePeoplesOwn(t *testing.T) {
	for text, want := range map[string]float64{"25Gb": 25e9 / 8, "25Gbit": 25e9 / 8, "25 Gbit/s": 25e9 / 8, "25Gb/s": 25e9 / 8, "25Gbps": 25e9 / 8,
		"2.5e1Gb": 25e9 / 8, "3GB": 3e9, "3GB/s": 3e9, "100Mb": 100e6 / 8, "1GiB/s": 1 << 30, "8b": 1, "10gbit": 10e9 / 8, "400MBps": 400e6} {
		if got, err := ParseNetwork(text); got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]error{"abc": ErrBandwidth, "": ErrBandwidth, "25": ErrBitOrByte, "25G": ErrBitOrByte, "0Gb": ErrRange, "-1Gb": ErrRange,
		"25Xb": ErrBandwidth, "NaNGb": ErrBandwidth, "InfGb": ErrBandwidth, "1e9TB": ErrRange, "Gb": ErrBandwidth, "0x1Gb": ErrBandwidth} {
		if got, err := ParseNetwork(text); !errors.Is(err, want) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for bytes, want := range map[float64]string{25e9 / 8: "25 Gbit/s", 1: "8 bit/s", 1.5e9: "12 Gbit/s", 125: "1 kbit/s"} {
		if got := FormatNetwork(bytes); got != want {
			t.Errorf("%v: got %q, want %q", bytes, got, want)
		}
	}
}

func FuzzParseNetwork(f *testing.F) {
	for _, s := range []string{"25Gb", "3GB/s", "abc", "1e999Gb", "ps", "/s", "b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hostile.Ceiling(t, len(s), 64<<10, 64, func() {
			if got, err := ParseNetwork(s); err == nil && !(got > 0 && got <= mostNetwork) {
				t.Errorf("%q: got %v", s, got)
			}
		})
	})
}
