package modelcheck

import "bytes"

var nobody = [MaxPartitions]int8{-1, -1, -1}

// Next calls visit for each event that can happen in a state, with each choice of who is asked.
func (c *Config) Next(s State, visit func(e Event, next State, broken error)) {
	c.Events(&s, func(e Event) {
		then := s
		result, err := c.Apply(&then, e)
		if err != nil {
			visit(e, then, err)
			return
		}
		c.choices(result, func(owners [MaxPartitions]int8) {
			asked := then
			c.Ask(&asked, e.Life, result.Need, owners)
			if asked != s && c.Fits(&asked) {
				e.owners = owners
				visit(e, asked, nil)
			}
		})
	})
}

// choices are the ways to share out what is to be asked for.
func (c *Config) choices(r Result, visit func(owners [MaxPartitions]int8)) {
	among := r.Among.Members()
	ways := 1
	for range r.Need.Len() {
		ways *= len(among)
	}
	for way := range ways {
		owners := nobody
		for _, p := range r.Need.Members() {
			owners[p] = int8(among[way%len(among)])
			way /= len(among)
		}
		visit(owners)
	}
}

// Fits says whether no more is under way than the configuration allows. A state with more is left out: what it leads to,
// one with fewer does, in which the rest was lost before.
func (c *Config) Fits(s *State) bool {
	stale, all := 0, 0
	count := func(m Message) {
		all++
		if l := &s.Lives[m.Life]; !l.Alive || l.Done || int(l.Round) != m.Round {
			stale++
		}
	}
	s.tasks.each(count)
	s.answers.each(count)
	return stale <= c.Stale && (c.Flight == 0 || all <= c.Flight)
}

// Events are all that can happen in a state.
func (c *Config) Events(s *State, visit func(e Event)) {
	for life := range int(s.count) {
		if l := &s.Lives[life]; l.Alive {
			c.lifeEvents(s, life, l, visit)
		}
	}
	s.tasks.each(func(m Message) {
		visit(Event{Kind: Taken, Message: m, owners: nobody})
		visit(Event{Kind: TaskLost, Message: m, owners: nobody})
	})
	s.answers.each(func(m Message) {
		for life := range int(s.count) {
			if s.Lives[life].Alive {
				visit(Event{Kind: Given, Life: life, Message: m, owners: nobody})
				visit(Event{Kind: Repeated, Life: life, Message: m, owners: nobody})
			}
		}
		visit(Event{Kind: AnswerLost, Message: m, owners: nobody})
	})
	if int(s.count) < c.Lives {
		next := int(s.count)
		visit(Event{Kind: Restarts, Life: next, owners: nobody})
		if c.Takeovers {
			visit(Event{Kind: TakesOver, Life: next, owners: nobody})
		}
		if c.Resumes {
			visit(Event{Kind: Resumes, Life: next, owners: nobody})
		}
	}
}

// lifeEvents are what can happen to a coordinator or come from it.
func (c *Config) lifeEvents(s *State, life int, l *Life, visit func(e Event)) {
	for w := range c.Workers {
		e := Event{Life: life, Worker: w, owners: nobody}
		if !l.Members.Has(w) {
			e.Kind = Joins
			visit(e)
			continue
		}
		e.Kind = Lost
		visit(e)
		if l.Asked[w] != 0 {
			e.Kind = Slow
			visit(e)
		}
		if c.Without == Reminders {
			continue
		}
		for over := Set(1); over <= c.all(); over++ {
			if m := (Message{life, int(l.Round), w, over}); l.sent[w]>>over&1 == 1 && !s.tasks.has(m) {
				visit(Event{Kind: Announced, Life: life, Message: m, owners: nobody})
			}
		}
	}
	if l.unsaved > 0 {
		visit(Event{Kind: Saved, Life: life, owners: nobody})
	}
	if l.Done {
		visit(Event{Kind: Ends, Life: life, owners: nobody})
	}
}

// Ended says whether the job has come to its end.
func (c *Config) Ended(s State) bool { return s.finished }

// Calm says whether an event needs nobody to fail, to be slow, or to come who is not waited for.
func (c *Config) Calm(s State, e Event) bool {
	switch e.Kind {
	case Taken, TaskLost, Given, AnswerLost, Announced, Saved, Ends:
		return true
	case Joins:
		return s.newest(e.Life) && s.Lives[e.Life].Members.Len() < c.Need
	}
	return false
}

// lifeBytes is the room of a life in a Key.
const lifeBytes = 10 + 2*MaxWorkers

// Key is a state in few bytes: the same for states that differ in the names of workers and partitions alone.
type Key [MaxLives*lifeBytes + 4*8 + MaxWorkers + 3]byte

// turn is a renaming of workers and partitions.
type turn struct {
	worker  [MaxWorkers]int
	set     [1 << MaxPartitions]Set // what becomes of a set of partitions
	workers [1 << MaxWorkers]Set
	sent    [256]uint8
	message [MaxLives * MaxIterations * MaxWorkers * subsets]uint8
}

// turns are the renamings under which a configuration stays the same. The first changes nothing.
func (c *Config) turns() []*turn {
	var all []*turn
	for _, w := range permutations(c.Workers, MaxWorkers) {
		for _, p := range permutations(c.Partitions, MaxPartitions) {
			all = append(all, newTurn(w, p))
		}
	}
	return all
}

// permutations are those of the first n of 0, 1, …, most−1; the others stay.
func permutations(n, most int) [][]int {
	if n == 0 {
		list := make([]int, most)
		for i := range list {
			list[i] = i
		}
		return [][]int{list}
	}
	var all [][]int
	for _, p := range permutations(n-1, most) {
		for i := n - 1; i >= 0; i-- {
			other := append([]int(nil), p...)
			other[i], other[n-1] = other[n-1], other[i]
			all = append(all, other)
		}
	}
	return all
}

func newTurn(workers, partitions []int) *turn {
	t := &turn{}
	move := func(s Set, to []int) (out Set) {
		for _, i := range s.Members() {
			out |= 1 << to[i]
		}
		return out
	}
	copy(t.worker[:], workers)
	for s := range t.set {
		t.set[s] = move(Set(s), partitions)
	}
	for s := range t.workers {
		t.workers[s] = move(Set(s), workers)
	}
	for bits := range t.sent {
		for _, over := range Set(bits).Members() {
			t.sent[bits] |= 1 << t.set[over]
		}
	}
	for at := range t.message {
		m := messageAt(at)
		m.Worker, m.Over = t.worker[m.Worker], t.set[m.Over]
		t.message[at] = uint8(m.at())
	}
	return t
}

func (t *turn) messages(s messages) (out messages) {
	s.each(func(m Message) {
		at := t.message[m.at()]
		out[at>>6] |= 1 << (at & 63)
	})
	return out
}

// key writes a state down as it is after the renaming.
func (t *turn) key(s *State, k *Key) {
	at := 0
	put := func(v uint8) { k[at] = v; at++ }
	for i := range s.Lives {
		l := &s.Lives[i]
		flags := uint8(0)
		for bit, is := range []bool{l.Alive, l.Done, l.Waiting} {
			if is {
				flags |= 1 << bit
			}
		}
		for _, v := range [...]uint8{flags, l.Epoch, l.After, l.Start, l.Round, l.unsaved, uint8(t.set[l.Booked]), uint8(t.workers[l.Members])} {
			put(v)
		}
		for w := range MaxWorkers {
			k[at+2*t.worker[w]] = uint8(t.set[l.Asked[w]])
			k[at+2*t.worker[w]+1] = t.sent[l.sent[w]]
		}
		at += 2 * MaxWorkers
	}
	for _, set := range [...]messages{t.messages(s.tasks), t.messages(s.answers)} {
		for _, word := range set {
			for shift := 0; shift < 64; shift += 8 {
				put(uint8(word >> shift))
			}
		}
	}
	for w := range MaxWorkers {
		k[at+t.worker[w]] = s.seen[w]
	}
	at += MaxWorkers
	put(s.count)
	put(s.kept)
	if s.finished {
		put(1)
	}
}

// System is the model for Explore.
func (c *Config) System() *System[State, Event, Key] {
	turns := c.turns()
	return &System[State, Event, Key]{Start: c.Begin(), Next: c.Next, Ended: c.Ended, Calm: c.Calm, Key: func(s State) Key {
		var least, other Key
		turns[0].key(&s, &least)
		for _, t := range turns[1:] {
			other = Key{}
			t.key(&s, &other)
			if bytes.Compare(other[:], least[:]) < 0 {
				least = other
			}
		}
		return least
	}}
}
