package coordinator

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// paceRounds is how many assignments must say the same of the workers before shares are changed: a partition that
	// changes hands is read again, so one busy second must not move anything.
	paceRounds = 5
	// paceOdd is how far the fastest and the slowest worker, each against its share, may be apart.
	paceOdd = 1.4
	// paceShort is too short a time to measure anything by.
	paceShort = 20 * time.Millisecond
	// paceScale is the weight of the fastest worker once speeds decide.
	paceScale = 1000
)

// pace measures how fast the workers of a job are at assignments, and proposes shares where they are far from what
// each can do. The zero value knows nothing.
type pace struct {
	who   []string             // whose rates these are, sorted
	round map[string]float64   // rows a second in the round under way
	rates map[string][]float64 // of the last rounds
	share map[string]float64   // as it was proposed last
}

// add takes an answer in.
func (p *pace) add(worker string, rows int64, took time.Duration) {
	if took < paceShort || rows == 0 {
		return
	}
	if p.round == nil {
		p.round = make(map[string]float64)
	}
	p.round[worker] = float64(rows) / took.Seconds()
}

// turn ends a round, and gives the shares to change, sorted by name; none if the workers keep pace with each other.
func (p *pace) turn() []Measured {
	round := p.round
	p.round = nil
	if len(round) < 2 {
		return nil
	}
	if who := slices.Sorted(maps.Keys(round)); !slices.Equal(who, p.who) {
		p.who, p.rates, p.share = who, make(map[string][]float64), nil // others are here: what was measured says nothing of them
	}
	full := true
	for worker, rate := range round {
		list := append(p.rates[worker], rate)
		if len(list) > paceRounds {
			list = list[1:]
		}
		p.rates[worker] = list
		full = full && len(list) == paceRounds
	}
	if !full {
		return nil
	}
	return p.propose()
}

// propose compares what the workers can do with their shares.
func (p *pace) propose() []Measured {
	speed := make(map[string]float64, len(p.rates))
	fastest, low, high := 0.0, 0.0, 0.0
	for worker, list := range p.rates {
		sorted := slices.Clone(list)
		slices.Sort(sorted)
		speed[worker] = sorted[len(sorted)/2]
		fastest = max(fastest, speed[worker])
		against := speed[worker]
		if share := p.share[worker]; share > 0 {
			against /= share
		}
		if low == 0 || against < low {
			low = against
		}
		high = max(high, against)
	}
	if high < paceOdd*low {
		return nil
	}
	p.share = speed
	clear(p.rates)
	var changes []Measured
	for worker, s := range speed {
		changes = append(changes, Measured{Worker: worker, Weight: max(1, int(s/fastest*paceScale))})
	}
	slices.SortFunc(changes, func(a, b Measured) int { return cmp.Compare(a.Worker, b.Worker) })
	return changes
}
