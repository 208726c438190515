package modelcheck

import (
	"fmt"
)

// Begin is the state in which one coordinator has begun and nobody has joined it.
func (c *Config) Begin() State {
	s := State{count: 1}
	s.Lives[0] = Life{Alive: true, Epoch: 1}
	return s
}

// Result says what a step came to, as the coordinator that took it would say.
type Result struct {
	Booked, Refused bool
	Need            Set // partitions that are to be asked of somebody now
	Among           Set // the workers who may be asked
}

// all is every partition.
func (c *Config) all() Set { return 1<<c.Partitions - 1 }

// label orders epochs and rounds as a worker does.
func (l *Life) label(round int) uint8 { return l.Epoch*16 + l.After + uint8(round) }

// Apply lets an event happen, but for what is to be sent, which Ask does. The error is an invariant that it breaks.
func (c *Config) Apply(s *State, e Event) (Result, error) {
	l := &s.Lives[e.Life]
	switch e.Kind {
	case Joins:
		return c.joined(l, e.Worker), nil
	case Lost:
		return c.lost(l, e.Worker), nil
	case Slow:
		return c.slow(l, e.Worker), nil
	case Taken:
		m := e.Message
		if label := s.Lives[m.Life].label(m.Round); label >= s.seen[m.Worker] {
			s.seen[m.Worker] = label
			s.answers.add(m)
		}
	case TaskLost:
		s.tasks.remove(e.Message)
	case Given:
		s.answers.remove(e.Message)
		return c.answered(s, e.Life, e.Message)
	case Repeated:
		return c.answered(s, e.Life, e.Message)
	case AnswerLost:
		s.answers.remove(e.Message)
	case Announced:
		s.tasks.add(e.Message)
	case Saved:
		return Result{}, c.save(s, e.Life)
	case Restarts, TakesOver, Resumes:
		return Result{}, c.begin(s, e.Kind)
	case Ends:
		return Result{}, c.finish(s, e.Life)
	}
	return Result{}, nil
}

// Ask sends what a step has found to be sent: by partition the worker that is asked, −1 where it is not in need.
func (c *Config) Ask(s *State, life int, need Set, owners [MaxPartitions]int8) {
	l := &s.Lives[life]
	for w := range c.Workers {
		var over Set
		for p := range c.Partitions {
			if need.Has(p) && int(owners[p]) == w {
				over |= 1 << p
			}
		}
		if over != 0 {
			l.Asked[w] |= over
			l.sent[w] |= 1 << over
			s.tasks.add(Message{life, int(l.Round), w, over})
		}
	}
}

func (c *Config) joined(l *Life, w int) Result {
	if l.Members.Has(w) {
		return Result{}
	}
	l.Members |= 1 << w
	switch {
	case l.Members.Len() < c.Need, l.Done:
		return Result{}
	case l.Round == 0 && int(l.Start) == c.Iterations:
		l.Done = true // all that is left is the result
		return Result{}
	case l.Round == 0:
		return c.open(l)
	case l.Waiting:
		l.Waiting = false
		if c.Without == Waking {
			return Result{}
		}
		return c.unasked(l)
	}
	return Result{}
}

func (c *Config) lost(l *Life, w int) Result {
	if !l.Members.Has(w) {
		return Result{}
	}
	l.Members &^= 1 << w
	l.Asked[w], l.sent[w] = 0, 0
	if l.Round == 0 {
		return Result{}
	}
	if l.Members.Len() < c.Need {
		l.Waiting = true
		return Result{}
	}
	if c.Without == Reassignment {
		return Result{}
	}
	return c.unasked(l)
}

// slow has others compute what a slow worker owes.
func (c *Config) slow(l *Life, slow int) Result {
	if l.Round == 0 || l.Done || l.Waiting {
		return Result{}
	}
	var idle, others Set
	for w := range c.Workers {
		if w == slow {
			continue
		}
		others |= l.Asked[w]
		if l.Members.Has(w) && l.Asked[w] == 0 {
			idle |= 1 << w
		}
	}
	owed := l.Asked[slow] &^ l.Booked &^ others
	if idle == 0 {
		return Result{}
	}
	return Result{Need: owed, Among: idle}
}

// open opens the next round.
func (c *Config) open(l *Life) Result {
	l.Round++
	l.Booked = 0
	l.Asked, l.sent = [MaxWorkers]Set{}, [MaxWorkers]uint8{}
	return c.unasked(l)
}

// unasked is what is missing and asked of nobody.
func (c *Config) unasked(l *Life) Result {
	if l.Waiting || l.Done {
		return Result{}
	}
	var asked Set
	for w := range c.Workers {
		asked |= l.Asked[w]
	}
	return Result{Need: c.all() &^ l.Booked &^ asked, Among: l.Members}
}

func (c *Config) answered(s *State, life int, m Message) (Result, error) {
	l, of := &s.Lives[life], &s.Lives[m.Life]
	sameEpoch := of.Epoch == l.Epoch || c.Without == EpochCheck
	sameRound := of.After+uint8(m.Round) == l.After+l.Round || c.Without == RoundCheck
	if l.Round == 0 || l.Done || !sameEpoch || !sameRound {
		return Result{Refused: true}, nil
	}
	l.Asked[m.Worker] &^= m.Over
	l.sent[m.Worker] &^= 1 << m.Over
	if m.Over&l.Booked != 0 && c.Without != OverlapCheck {
		if c.Without == WholeAnswers {
			return c.booked(l, of, m, m.Over&^l.Booked)
		}
		if c.Without == AskingAgain {
			return Result{Refused: true}, nil
		}
		r := c.unasked(l)
		r.Refused = true
		return r, nil
	}
	return c.booked(l, of, m, m.Over)
}

// booked books an answer to the given partitions, and holds that against the invariants: what is booked counts with all
// that the answer covers.
func (c *Config) booked(l, of *Life, m Message, over Set) (Result, error) {
	switch {
	case m.Over&l.Booked != 0:
		return Result{}, fmt.Errorf("partitions %v are counted twice in round %d", (m.Over & l.Booked).Members(), l.Round)
	case of != l:
		return Result{}, fmt.Errorf("an answer to another coordinator is counted in round %d", l.Round)
	case of.iteration(m.Round) != l.iteration(int(l.Round)):
		return Result{}, fmt.Errorf("an answer to iteration %d is counted in iteration %d: other centroids, other bits",
			of.iteration(m.Round), l.iteration(int(l.Round)))
	}
	l.Booked |= over
	missing := c.all() &^ l.Booked
	if missing.Len() > 0 && !(c.Without == FullLedger && missing.Len() == 1) {
		return Result{Booked: true}, nil
	}
	if missing != 0 {
		return Result{}, fmt.Errorf("iteration %d ends without partitions %v", l.iteration(int(l.Round)), missing.Members())
	}
	l.unsaved = uint8(l.iteration(int(l.Round)))
	if l.iteration(int(l.Round)) == c.Iterations {
		l.Done = true
		l.Asked, l.sent, l.Booked = [MaxWorkers]Set{}, [MaxWorkers]uint8{}, 0
		return Result{Booked: true}, nil
	}
	r := c.open(l)
	r.Booked = true
	return r, nil
}

// newest says whether no coordinator has begun after this one.
func (s *State) newest(life int) bool { return life == int(s.count)-1 }

// save writes the checkpoint of a life.
func (c *Config) save(s *State, life int) error {
	l := &s.Lives[life]
	done := l.unsaved
	l.unsaved = 0
	if !s.newest(life) && c.Without != Fence {
		l.Alive = false // it is told, and ends
		l.clear()
		return nil
	}
	switch {
	case done < s.kept:
		return fmt.Errorf("the checkpoint goes back from iteration %d to %d", s.kept, done)
	case !s.newest(life):
		return fmt.Errorf("coordinator %d writes a checkpoint after coordinator %d has taken over", life, s.count-1)
	}
	s.kept = done
	return nil
}

// finish writes the result of a life.
func (c *Config) finish(s *State, life int) error {
	if !s.newest(life) {
		if c.Without == Fence {
			return fmt.Errorf("coordinator %d writes the result after coordinator %d has taken over", life, s.count-1)
		}
		s.Lives[life].Alive = false
		s.Lives[life].clear()
		return nil
	}
	s.finished = true
	return nil
}

// begin begins the next life, from the newest checkpoint.
func (c *Config) begin(s *State, how Kind) error {
	before, l := &s.Lives[s.count-1], &s.Lives[s.count]
	*l = Life{Alive: true, Epoch: before.Epoch + 1, Start: s.kept}
	if how != TakesOver {
		before.Alive = false
		before.clear()
	}
	switch {
	case how == Resumes && c.Without == CountedRounds:
		l.Epoch = before.Epoch
	case how == Resumes:
		l.Epoch, l.After = before.Epoch, before.After+before.Round
	case c.Without == RaisedEpoch:
		l.Epoch = before.Epoch
	}
	if c.Without == NewestCheckpoint {
		l.Start = 0
	}
	s.count++
	if l.Start < s.kept {
		return fmt.Errorf("coordinator %d begins after iteration %d, and the checkpoint is of iteration %d", s.count-1, l.Start, s.kept)
	}
	return nil
}

// clear forgets what nobody can use of a life that has ended: it is told from its messages alone.
func (l *Life) clear() {
	*l = Life{Epoch: l.Epoch, After: l.After, Start: l.Start, Round: l.Round}
}
