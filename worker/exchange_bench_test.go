package worker

import (
	"fmt"
	"testing"

	"github.com/coterie-project/coterie/dataset"
)

// BenchmarkPick is what an owner does for each that asks: a look at every id for a quarter of them.
func BenchmarkPick(b *testing.B) {
	for name, form := range map[string]string{"integers": "%d", "text": "customer-%d"} {
		b.Run(name, func(b *testing.B) {
			const n = 1 << 20
			h := &handed{ids: new(dataset.IDs)}
			for i := range n {
				h.ids.AppendText(fmt.Appendf(nil, form, i*7919))
				h.rows.append(int64(i))
			}
			in, err := newRanges([]int{1}, 4)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := h.pick(0, in, func(IDPart) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/id")
		})
	}
}
