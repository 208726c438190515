package partition

import (
	"cmp"
	"fmt"
	"slices"
)

// maxWeight keeps the sum of 2^31 weights within an int64.
const maxWeight = 1 << 32

// seat is one worker while partitions are being given out. All quantities are rows.
type seat struct {
	name     string
	hash     uint64
	memory   int64 // bytes; 0: not limited
	capacity int64 // what its memory holds
	quota    int64
	held     int64
	ids      []int // its partitions; those that came last are the first to go
	shared   bool  // ids are the books', since nothing has come or gone
	joined   bool  // it held nothing when placement began
}

// over is by how much the seat exceeds its quota; negative: by how much it falls short. Over all seats it adds up to 0
// once everything has an owner.
func (s *seat) over() int64 { return s.held - s.quota }

// seats are the workers in the order of their names, and the partitions on their way to them.
type seats struct {
	m        *Manifest
	list     []seat
	rowBytes int64
	largest  int64    // rows of the largest partition
	loose    []int    // partitions without an owner
	gone     []string // those who had some and are no workers any more
	bids     int      // hashes computed so far: what a test counts instead of time
}

// newSeats checks what can be known before anything is placed and gives each worker its quota.
func newSeats(b *books, workers []Worker, rowBytes int64) (*seats, error) {
	if len(workers) == 0 {
		return nil, ErrNoWorkers
	}
	s := &seats{m: b.m, list: make([]seat, len(workers)), rowBytes: max(rowBytes, 0), largest: b.largest}
	workers = slices.Clone(workers)
	slices.SortFunc(workers, func(a, b Worker) int { return compareNames(a.Name, b.Name) })
	for i, w := range workers {
		if w.Name == "" || i > 0 && w.Name == workers[i-1].Name {
			return nil, fmt.Errorf("partition: worker %q: a worker needs a name of its own", w.Name)
		}
		s.list[i] = seat{name: w.Name, hash: nameHash(w.Name), memory: max(w.Memory, 0), capacity: unlimited}
		if w.Memory > 0 && rowBytes > 0 {
			s.list[i].capacity = w.Memory / rowBytes
		}
	}
	if err := s.checkMemory(b.biggest); err != nil {
		return nil, err
	}
	s.allot(workers)
	return s, nil
}

// checkMemory finds the largest partition and refuses what cannot fit however it is placed.
func (s *seats) checkMemory(biggest int) error {
	together, roomiest := int64(0), int64(0)
	for i := range s.list {
		together = addUpTo(together, s.list[i].capacity)
		roomiest = max(roomiest, s.list[i].capacity)
	}
	switch {
	case together < s.m.Rows:
		return s.tooLittle(-1)
	case roomiest < s.largest:
		return s.tooLittle(biggest)
	}
	return nil
}

// tooLittle is the error for one partition, or with -1 for all.
//
// PerWorker is enough because as long as partitions go wherever they fit, one that fits nowhere would have to find
// every worker filled to more than its share of all rows, or with its share of all partitions.
func (s *seats) tooLittle(id int) error {
	n := int64(len(s.list))
	byRows := addUpTo((s.m.Rows+n-1)/n, s.largest)
	byCount := times((int64(len(s.m.Partitions))+n-1)/n, s.largest)
	e := &MemoryError{Partition: id, Workers: len(s.list), PerWorker: times(min(byRows, byCount), s.rowBytes)}
	if id >= 0 {
		e.Need = times(s.largest, s.rowBytes)
		for i := range s.list {
			e.Have = max(e.Have, s.list[i].memory)
		}
		return e
	}
	e.Need = times(s.m.Rows, s.rowBytes)
	for i := range s.list {
		e.Have = addUpTo(e.Have, s.list[i].memory)
	}
	return e
}

// allot gives each seat its quota. A memory of two and a half partitions holds two, so the half is left out of account
// unless it takes every last row of memory.
func (s *seats) allot(workers []Worker) {
	weights, whole, exact := make([]int64, len(workers)), make([]int64, len(workers)), make([]int64, len(workers))
	together := int64(0)
	for i, w := range workers {
		weights[i] = min(max(int64(w.Weight), 1), maxWeight)
		exact[i] = s.list[i].capacity
		whole[i] = exact[i]
		if exact[i] != unlimited {
			whole[i] -= exact[i] % max(s.largest, 1)
		}
		together = addUpTo(together, whole[i])
	}
	if together < s.m.Rows {
		whole = exact
	}
	for i, q := range quotas(s.m.Rows, weights, whole) {
		s.list[i].quota = q
	}
}

// seat gives the partitions to those of their owners that are there. It is false, and does nothing, if there is not one.
func (s *seats) seat(b *books) bool {
	found := 0
	for i := range s.list {
		w := &s.list[i]
		if h, holds := b.held[w.name]; holds {
			w.ids, w.held, w.shared = h.ids, h.rows, true
			found++
		}
	}
	if found < len(b.held) {
		for name, h := range b.held {
			if !s.has(name) {
				s.gone = append(s.gone, name)
				s.loose = append(s.loose, h.ids...)
			}
		}
		slices.Sort(s.loose)
	}
	if found == 0 {
		s.loose = nil
		return false
	}
	for i := range s.list {
		s.list[i].joined = len(s.list[i].ids) == 0
	}
	return true
}

// has says whether one of the seats is of that name.
func (s *seats) has(name string) bool {
	_, here := slices.BinarySearchFunc(s.list, name, func(w seat, name string) int { return compareNames(w.name, name) })
	return here
}

// own lets a seat's partitions be changed.
func (w *seat) own() {
	if w.shared {
		w.ids, w.shared = append(make([]int, 0, len(w.ids)+1), w.ids...), false
	}
}

// deal gives each seat a run of partitions, in order. Runs are whole partitions, so quotas are brought to whole ones
// first, those with the largest remainder getting one more; cutting at the quotas themselves would leave many a seat
// almost a partition short and its neighbour as much over.
func (s *seats) deal() {
	targets, order := make([]int64, len(s.list)), make([]int, len(s.list))
	rest := s.m.Rows
	for i := range s.list {
		order[i] = i
		targets[i] = s.list[i].quota - s.list[i].quota%max(s.largest, 1)
		rest -= targets[i]
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(s.list[b].quota-targets[b], s.list[a].quota-targets[a])
	})
	for _, i := range order {
		more := min(rest, s.largest)
		targets[i] += more
		rest -= more
	}
	at, end := 0, targets[0]
	for id, p := range s.m.Partitions {
		for at < len(s.list)-1 && p.First+p.Rows/2 >= end {
			at++
			end += targets[at]
		}
		s.put(at, id)
	}
}

// evict takes from those whose memory no longer holds what they have.
func (s *seats) evict() {
	for i := range s.list {
		for s.list[i].held > s.list[i].capacity {
			s.loose = append(s.loose, s.take(i, len(s.list[i].ids)-1))
		}
	}
}

func (s *seats) put(i, id int) {
	w := &s.list[i]
	w.own()
	w.ids = append(w.ids, id)
	w.held += s.m.Partitions[id].Rows
}

// take removes the partition at a place of the seat's list, keeping the order of the others.
func (s *seats) take(i, at int) int {
	w := &s.list[i]
	w.own()
	id := w.ids[at]
	w.ids = slices.Delete(w.ids, at, at+1)
	w.held -= s.m.Partitions[id].Rows
	return id
}

func (s *seats) fits(i int, rows int64) bool { return rows <= s.list[i].capacity-s.list[i].held }

// owners is the plan so far.
func (s *seats) owners() []string {
	owners := make([]string, len(s.m.Partitions))
	for i := range s.list {
		for _, id := range s.list[i].ids {
			owners[id] = s.list[i].name
		}
	}
	return owners
}

// everybody and joining choose seats.
func (s *seats) everybody(int) bool { return true }

// joining is true for who held nothing and for who holds nothing: who has just given away its last partition would
// count as joining when asked again, so it does at once.
func (s *seats) joining(i int) bool { return s.list[i].joined || len(s.list[i].ids) == 0 }
