//go:build unix

package serve

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/lookup"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// spent is the CPU time that this process has used, by itself and by the system for it.
func spent() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err) // there is no reason to
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkFindBatch is look-ups over loopback in batches of 100, client and server in one process: rows/s over all cores,
// and CPU time for each row of both together.
func BenchmarkFindBatch(b *testing.B) {
	r := start(b, shop(feature.Mean, false), usual, nil)
	ages := make([]float64, 100)
	for i := range ages {
		ages[i] = float64(15 + i%60)
	}
	request := columns(ages...)
	request.Texts = nil
	client := coteriev1.NewLookupClient(r.conn)
	before := spent()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.FindBatch(context.Background(), request); err != nil {
				b.Error(err)
				return
			}
		}
	})
	rows := float64(b.N * len(ages))
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64((spent()-before).Nanoseconds())/rows, "cpu-ns/row")
}

// BenchmarkFinder is the part of it that is no protocol.
func BenchmarkFinder(b *testing.B) {
	finder := lookup.New(shop(feature.Mean, false))
	request := columns(make([]float64, 100)...)
	for b.Loop() {
		table, err := finder.NewColumns(100)
		if err == nil {
			err = table.SetNumbers("age", request.Numbers[0].Values)
		}
		if err == nil {
			_, err = finder.Find(table)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkHalfLoad asks for batches of 100 at half the pace that BenchmarkFindBatch reaches on one core: 6500 calls a
// second. It reports how long 99 of 100 calls take at most.
func BenchmarkHalfLoad(b *testing.B) {
	const pace = 6500
	r := start(b, shop(feature.Mean, false), usual, nil)
	request := columns(make([]float64, 100)...)
	request.Texts = nil
	client := coteriev1.NewLookupClient(r.conn)
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var wait sync.WaitGroup
	b.ResetTimer()
	begin := time.Now()
	for range 64 { // callers: enough that a slow call holds up no other
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				due := begin.Add(time.Duration(i) * time.Second / pace)
				time.Sleep(time.Until(due))
				if _, err := client.FindBatch(context.Background(), request); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(due) // with the wait for a late caller, as whoever asks feels it
			}
		})
	}
	wait.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(took[b.N/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds()), "p99-µs")
}
