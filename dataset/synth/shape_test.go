package synth

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
)

func TestTableOfNormalsFollowsTheQuantileFunction(t *testing.T) {
	table := normals()
	for i := range 1 << 16 {
		u := uint32(i)<<15 + 12345
		p := float64(u) / (1 << 32)
		want := math.Sqrt2 * math.Erfinv(1-2*p)
		if got := float64(table.at(u)); math.Abs(got-want) > 1e-4 {
			t.Fatalf("tail %v: got %v, want %v", p, got, want)
		}
		if up, down := table.at(u), table.at(u|1<<31); up != -down {
			t.Fatalf("%x: %v and %v are not opposite", u, up, down)
		}
	}
	for i := range 31 { // far into the tail
		u := uint32(1) << i
		want := math.Sqrt2 * math.Erfcinv(2*float64(u|1)/(1<<32))
		if got := float64(table.at(u)); math.Abs(got-want) > 1e-4 {
			t.Errorf("tail %v: got %v, want %v", float64(u)/(1<<32), got, want)
		}
	}
	last := table.at(0)
	for i := range 1 << 20 {
		if z := table.at(uint32(i) << 11); z > last {
			t.Fatalf("at %x: %v comes after %v", i<<11, z, last)
		} else {
			last = z
		}
	}
}

func TestExpFollowsTheExponentialFunction(t *testing.T) {
	for i := -6990; i <= 6990; i++ {
		x := float64(i)/10 + 0.0123
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 4e-16*want {
			t.Fatalf("exp(%v): got %v, want %v", x, got, want)
		}
	}
}

func floats(t *testing.T, src dataset.Source, column int) []float64 {
	var out []float64
	each(t, src, 0, src.Rows(), []dataset.Field{{Column: column, As: dataset.AsNumber}}, func(b *dataset.Block) {
		for _, x := range b.Columns[0].Float32 {
			out = append(out, float64(x))
		}
		out = append(out, b.Columns[0].Float64...)
	})
	return out
}

func moments(x []float64) (mean, deviation float64) {
	var sum, squares float64
	for _, v := range x {
		sum += v
		squares += v * v
	}
	mean = sum / float64(len(x))
	return mean, math.Sqrt(squares/float64(len(x)) - mean*mean)
}

func TestUniformFillsTheUnitCube(t *testing.T) {
	src := open(t, "synth://uniform?rows=100000&d=3")
	for c := 1; c <= 3; c++ {
		x := floats(t, src, c)
		mean, deviation := moments(x)
		if math.Abs(mean-0.5) > 0.004 || math.Abs(deviation-math.Sqrt(1./12)) > 0.003 {
			t.Errorf("x%d: mean %v, deviation %v", c-1, mean, deviation)
		}
		for _, v := range x {
			if v < 0 || v >= 1 {
				t.Fatalf("x%d: %v is outside [0, 1)", c-1, v)
			}
		}
	}
}

func TestLoadFillsItsCubeWithoutTiesBetweenColumns(t *testing.T) {
	const d = 7
	src := open(t, "synth://load?rows=100000&d=7")
	var x [d][]float64
	for c := range x {
		x[c] = floats(t, src, c)
		mean, deviation := moments(x[c])
		if math.Abs(mean-1.5) > 0.004 || math.Abs(deviation-math.Sqrt(1./12)) > 0.003 || slices.Min(x[c]) < 1 || slices.Max(x[c]) >= 2 {
			t.Errorf("x%d: mean %v, deviation %v, from %v to %v; want those of numbers spread evenly over [1, 2)", c, mean, deviation, slices.Min(x[c]), slices.Max(x[c]))
		}
		for b := range c {
			both := 0.0
			for i := range x[c] {
				both += (x[c][i] - 1.5) * (x[b][i] - 1.5)
			}
			if r := both / float64(len(x[c])) * 12; math.Abs(r) > 0.02 {
				t.Errorf("x%d and x%d go together: correlation %v", b, c, r)
			}
		}
	}
	if different := len(slices.Compact(slices.Sorted(slices.Values(x[0])))); different < 95_000 {
		t.Errorf("x0 has %d different values in 100000 rows", different)
	}
}

func TestBlobsLieAroundTheirCentres(t *testing.T) {
	const d, centers = 5, 6
	src := open(t, "synth://blobs?rows=200000&seed=3&d=5&centers=6&spread=0.5")
	labels := floats(t, src, d+1)
	counts := make([]int, centers)
	for _, l := range labels {
		counts[int(l)]++
	}
	for c, n := range counts {
		if math.Abs(float64(n)-200000./centers) > 800 {
			t.Errorf("centre %d has %d rows of 200000", c, n)
		}
	}
	var residuals [d][]float64
	for j := range d {
		x := floats(t, src, 1+j)
		sums := make([]float64, centers)
		for i, v := range x {
			sums[int(labels[i])] += v
		}
		for i, v := range x {
			c := int(labels[i])
			residuals[j] = append(residuals[j], v-sums[c]/float64(counts[c]))
		}
		if _, deviation := moments(residuals[j]); math.Abs(deviation-0.5) > 0.003 {
			t.Errorf("x%d: deviation %v around the centres, want 0.5", j, deviation)
		}
	}
	for j := range d - 1 {
		var product float64
		for i := range residuals[j] {
			product += residuals[j][i] * residuals[j+1][i]
		}
		if r := product / 0.25 / float64(len(residuals[j])); math.Abs(r) > 0.01 {
			t.Errorf("x%d and x%d: correlation %v, want none", j, j+1, r)
		}
	}
}

func TestCustomersHaveGroupsThatCanBeFound(t *testing.T) {
	src := open(t, "synth://customers?rows=20000&seed=1")
	var columns [9][]float64
	for _, c := range []int{customerID, age, income, recencyDays, frequency, monetary, trueSegment} {
		columns[c] = floats(t, src, c)
	}
	found := 0
	counts := [len(groups)]float64{}
	for i := range columns[customerID] {
		at := func(c int) float64 { return columns[c][i] }
		if at(customerID) != float64(i+1) {
			t.Fatalf("row %d: customer_id %v", i, at(customerID))
		}
		if at(age) < 18 || at(age) > 95 || at(recencyDays) < 0 || at(frequency) < 1 || at(monetary) <= 0 || at(income) <= 0 {
			t.Fatalf("row %d: age %v, recency %v, frequency %v, monetary %v, income %v", i, at(age), at(recencyDays), at(frequency),
				at(monetary), at(income))
		}
		if text := strconv.FormatFloat(at(monetary), 'f', -1, 64); strings.Contains(text, ".") && len(text)-strings.Index(text, ".") > 3 {
			t.Fatalf("row %d: monetary %s has more than two decimals", i, text)
		}
		counts[int(at(trueSegment))]++
		best, nearest := math.Inf(1), 0
		for g := range groups {
			r := math.Log((at(recencyDays)+0.5)/groups[g].recency) / groups[g].recencyDeviation
			f := math.Log(at(frequency)/groups[g].frequency) / groups[g].freqDeviation
			if d := r*r + f*f; d < best {
				best, nearest = d, g
			}
		}
		if nearest == int(at(trueSegment)) {
			found++
		}
	}
	for g, n := range counts {
		if share := n / 20000; math.Abs(share-groups[g].share) > 0.01 {
			t.Errorf("group %d has a share of %v, want %v", g, share, groups[g].share)
		}
	}
	if share := float64(found) / 20000; share < 0.8 || share > 0.99 {
		t.Errorf("%v of customers are nearest to their own group, want most but not all", share)
	}
}

func TestTransactionsLookLikeATill(t *testing.T) {
	const rows = 100_000
	src := open(t, "synth://transactions?rows=100000&seed=1")
	var missing, cancelled, free float64
	lines, money := map[string]int{}, map[string]float64{}
	facts, last := map[string]string{}, ""
	for _, row := range cells(t, src, 0, rows, invoiceNo, invoiceDate, buyerID, country, quantity, unitPrice, stockCode, description) {
		c := strings.Split(row, ",")
		if c[2] == "" {
			missing++
		}
		q, err := strconv.Atoi(c[4])
		if back := strings.HasPrefix(c[0], "C"); err != nil || q == 0 || back != (q < 0) {
			t.Fatalf("quantity %s on invoice %s", c[4], c[0])
		} else if back {
			cancelled++
		}
		p, err := strconv.ParseFloat(c[5], 64)
		if err != nil || p < 0 || math.Abs(p*100-math.Round(p*100)) > 1e-9*p*100 {
			t.Fatalf("price %s", c[5])
		}
		if p == 0 {
			free++
		}
		if c[1] < last || c[1] < "2025-01-01" || c[1] > "2025-12-31T18:00:00Z" {
			t.Fatalf("time %s after %s", c[1], last)
		}
		last = c[1]
		lines[c[0]]++
		if c[2] != "" {
			money[c[2]] += float64(q) * p
		}
		for key, fact := range map[string]string{"invoice " + c[0]: c[1] + c[2] + c[3], "article " + c[6]: c[7]} {
			if facts[key] == "" {
				facts[key] = fact
			} else if facts[key] != fact {
				t.Fatalf("%s: %s and %s", key, facts[key], fact)
			}
		}
	}
	if last < "2025-12-31" {
		t.Errorf("the last line is of %s", last)
	}
	for name, share := range map[string][3]float64{"missing ids": {missing, 0.20, 0.25}, "cancelled": {cancelled, 0.015, 0.025}, "free": {free, 0.002, 0.006}} {
		if s := share[0] / rows; s < share[1] || s > share[2] {
			t.Errorf("%s: share %v, want %v to %v", name, s, share[1], share[2])
		}
	}
	if mean := rows / float64(len(lines)); mean < 5 || mean > 30 {
		t.Errorf("%v lines to an invoice", mean)
	}
	var total, top float64
	for _, m := range money {
		total, top = total+m, max(top, m)
	}
	if mean := total / float64(len(money)); len(money) < 500 || top < 15*mean {
		t.Errorf("%d customers, the best spends %v, the mean %v: no heavy tail", len(money), top, mean)
	}
}

func TestMoreCustomersHaveSmallerBaskets(t *testing.T) {
	src := open(t, "synth://transactions?rows=20000&seed=3&customers=1000")
	customers, invoices := map[string]bool{}, map[string]bool{}
	fields := []dataset.Field{{Column: buyerID, As: dataset.AsText}, {Column: invoiceNo, As: dataset.AsText}}
	each(t, src, 0, src.Rows(), fields, func(b *dataset.Block) {
		for i := range b.Rows {
			customers[string(b.Columns[0].Text.At(i))] = true
			invoices[string(b.Columns[1].Text.At(i))] = true
		}
	})
	if n, mean := len(customers), 20000/float64(len(invoices)); n < 700 || n > 1001 || mean > 6 {
		t.Errorf("%d of 1000 customers and none, %v lines to an invoice; want most of them, and fewer lines than of 90 for each", n, mean)
	}
}

func TestTimesAreThoseOfTheShop(t *testing.T) {
	till := newTill(0, 100, 0)
	for moment, want := range map[float64]string{0: "2025-01-01 08:00:00", 0.5: "2025-07-02 13:00:00", 1 - 0x1p-50: "2025-12-31 17:59:00"} {
		if got := time.UnixMicro(till.micros(moment)).UTC().Format(time.DateTime); got != want {
			t.Errorf("moment %v: got %s, want %s", moment, got, want)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, address := range []string{"synth://blobs?rows=1e6&d=8", "synth://blobs?rows=1e6&d=32", "synth://uniform?rows=1e6&d=8",
		"synth://uniform?rows=1e6&d=32", "synth://load?rows=1e6&d=32",
		"synth://customers?rows=1e6", "synth://transactions?rows=1e6"} {
		b.Run(strings.TrimPrefix(address, Scheme), func(b *testing.B) {
			src := open(b, address)
			fields := all(src)
			for b.Loop() {
				each(b, src, 0, src.Rows(), fields, func(*dataset.Block) {})
			}
			b.ReportMetric(float64(src.Rows())*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
