package coordinator

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// curvePoint is what bench/scale.py reads of one size. Times are processor time.
type curvePoint struct {
	Workers    int                `json:"workers"`
	Partitions int                `json:"partitions"`
	Iterations int                `json:"iterations"`
	Events     uint64             `json:"events"`
	Refused    int                `json:"refused"`
	Steps      float64            `json:"steps"`   // seconds in the Job's steps
	Seconds    float64            `json:"seconds"` // that passed, the made answers' included
	Bytes      float64            `json:"bytes"`   // an event
	Peak       uint64             `json:"peak"`    // bytes on the heap, garbage and the made workers' rows included
	Micros     map[string]float64 `json:"micros"`  // an event of a kind
	Longest    map[string]float64 `json:"longest"` // milliseconds
	Count      map[string]int     `json:"count"`
	Server     map[string]float64 `json:"server"` // microseconds a call
}

// TestTheCurveOfScale measures one size for make bench-scale, and says what it found in one line of JSON.
func TestTheCurveOfScale(t *testing.T) {
	p := curvePoint{Micros: make(map[string]float64), Longest: make(map[string]float64)}
	if _, err := fmt.Sscan(os.Getenv("COTERIE_SCALE"), &p.Workers, &p.Partitions, &p.Iterations); err != nil {
		t.Skip("COTERIE_SCALE gives no workers, partitions and iterations")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	begun := time.Now()
	m := newMetropolis(t, p.Partitions, 0.01, 1)
	c := m.live(p.Workers, p.Iterations)
	p.Seconds, p.Refused, p.Count = time.Since(begun).Seconds(), m.refused, m.meter.events
	p.Bytes, p.Peak = c.each(), c.peak
	for kind, n := range m.meter.events {
		p.Events += uint64(n)
		p.Steps += m.meter.spent[kind].Seconds()
		p.Micros[kind] = float64(m.meter.spent[kind].Nanoseconds()) / 1000 / float64(n)
		p.Longest[kind] = float64(m.meter.longest[kind].Microseconds()) / 1000
	}
	if os.Getenv("COTERIE_SCALE_COUNT") == "" { // statements are counted of the Job alone
		if want := calmly(t, p.Partitions, p.Iterations); !m.fit.Result.Centroids.Equal(want.Centroids) || m.fit.Result.Inertia != want.Inertia {
			t.Errorf("got inertia %v, want %v, and the same centroids", m.fit.Result.Inertia, want.Inertia)
		}
		p.Server = measureCity(t, p.Workers, p.Partitions)
	}
	line, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("scale %s\n", line)
}

// measureCity is what a server's calls take with so many workers, in microseconds each, in the middle of an iteration.
func measureCity(t *testing.T, workers, partitions int) map[string]float64 {
	c := newCity(t, workers, partitions, 10)
	defer c.halt()
	for range 5 {
		c.round()
	}
	notes, beats, replies := make([]*pb.TaskNote, workers), make([]*pb.Beat, workers), make([]*handedIn, workers)
	for i, m := range c.members {
		notes[i] = c.announced(m)[0]
		beats[i] = c.beat(i, notes[i])
		replies[i] = c.reply(m, notes[i])
	}
	micros := make(map[string]float64)
	measure := func(name string, times int, call func(i int)) {
		begun := threadTime()
		for i := range times {
			call(i)
		}
		micros[name] = float64((threadTime() - begun).Nanoseconds()) / 1000 / float64(times)
	}
	measure("answer", workers/2, func(i int) { c.must(c.server.Answer(replies[i])) })
	measure("beat", workers, func(i int) { c.server.beat(c.members[i], beats[i]) })
	now := time.Now()
	measure("watch", 10, func(int) { c.server.watch(now) })
	measure("tick", 10, func(int) { c.server.tick(now) })
	measure("snapshot", 3, func(int) { c.server.Snapshot() })
	measure("metrics", 3, func(int) { c.report() })
	measure("join", 10, func(i int) { c.arrive(workers + i) })
	measure("loss", 10, func(i int) {
		c.server.mu.Lock()
		defer c.server.mu.Unlock()
		c.server.giveUp(c.members[workers-1-i], false)
	})
	return micros
}
