package modelcheck

import (
	"fmt"
	"math/bits"
)

// The largest sizes of the model.
const (
	MaxWorkers    = 2
	MaxPartitions = 3
	MaxIterations = 3
	MaxLives      = 3
	subsets       = 1<<MaxPartitions - 1
)

// Set is a set of partitions or workers, by bit.
type Set uint8

// Has says whether i is in the set.
func (s Set) Has(i int) bool { return s>>i&1 == 1 }

// Len is how many there are.
func (s Set) Len() int { return bits.OnesCount8(uint8(s)) }

// Members lists them, ascending.
func (s Set) Members() []int {
	list := make([]int, 0, 8)
	for ; s != 0; s &= s - 1 {
		list = append(list, bits.TrailingZeros8(uint8(s)))
	}
	return list
}

// Message is a task or its answer: of a life's round, to or from a worker, over partitions. What an answer says follows
// from its task, so one word tells both.
type Message struct {
	Life, Round, Worker int // the round counts from 1 within the life
	Over                Set
}

// messages is a set of them. Of several alike there is one: a network that repeats what it carries can make more.
type messages [2]uint64

func (m Message) at() int {
	return ((m.Life*MaxIterations+m.Round-1)*MaxWorkers+m.Worker)*subsets + int(m.Over) - 1
}

func messageAt(at int) Message {
	rest := at / subsets
	return Message{Over: Set(at%subsets + 1), Worker: rest % MaxWorkers, Round: rest/MaxWorkers%MaxIterations + 1, Life: rest / MaxWorkers / MaxIterations}
}

func (s *messages) has(m Message) bool { at := m.at(); return s[at>>6]>>(at&63)&1 == 1 }
func (s *messages) add(m Message)      { at := m.at(); s[at>>6] |= 1 << (at & 63) }
func (s *messages) remove(m Message)   { at := m.at(); s[at>>6] &^= 1 << (at & 63) }

func (s messages) each(visit func(m Message)) {
	for word := range s {
		for w := s[word]; w != 0; w &= w - 1 {
			visit(messageAt(word<<6 + bits.TrailingZeros64(w)))
		}
	}
}

// Life is a coordinator from its start to its end. A job that is cancelled and resumed under the same coordinator has
// another life too: its state is made anew.
type Life struct {
	Alive   bool
	Epoch   uint8
	After   uint8 // the last round before it under the same epoch
	Start   uint8 // iterations that were done when it began
	Round   uint8 // from 1; 0: none is open yet
	Done    bool  // all iterations are; the result is to be written
	Waiting bool
	Members Set
	Asked   [MaxWorkers]Set // by worker: the partitions that an answer is expected for
	Booked  Set
	sent    [MaxWorkers]uint8 // by worker: the tasks that it is reminded of, as bits over what they cover
	unsaved uint8             // iterations in the checkpoint that is being written; 0: none is
}

// iteration is the one that a round belongs to.
func (l *Life) iteration(round int) int { return int(l.Start) + round }

// State is the whole system at one moment. It is comparable.
type State struct {
	Lives    [MaxLives]Life
	count    uint8 // of lives
	tasks    messages
	answers  messages
	seen     [MaxWorkers]uint8 // by worker: the highest epoch and round of a task that it took
	kept     uint8             // iterations in the newest checkpoint
	finished bool              // the result is written
}

// Config is the sizes of a model, and which of its guards are taken away.
type Config struct {
	Workers, Partitions, Iterations int
	Need                            int // workers that a job waits for
	Lives                           int // how often a coordinator begins, the first time included
	Stale                           int // how many messages of rounds that are over may be under way at once
	Flight                          int // and how many messages altogether; 0: any number
	Takeovers, Resumes              bool
	Without                         Guard
}

// String is the sizes in words.
func (c *Config) String() string {
	text := fmt.Sprintf("%d workers, of which %d are needed, %d partitions, %d iterations, %d lives, at most %d messages of which %d stale", c.Workers, c.Need,
		c.Partitions, c.Iterations, c.Lives, c.Flight, c.Stale)
	if c.Takeovers {
		text += ", takeovers"
	}
	if c.Resumes {
		text += ", resumed jobs"
	}
	if c.Without != Nothing {
		text += ", without " + c.Without.String()
	}
	return text
}

// Guard is a precaution of the product. The model does without it where it is asked to, to see what then breaks.
type Guard int

// The guards.
const (
	Nothing          Guard = iota
	EpochCheck             // answers to another epoch are refused
	RoundCheck             // answers to another round are refused
	OverlapCheck           // answers over what is booked are refused
	WholeAnswers           // and refused whole
	RaisedEpoch            // each start of a coordinator takes an epoch above all before it
	CountedRounds          // a job that is resumed under the same epoch counts its rounds on
	Fence                  // who was taken over writes nothing any more
	NewestCheckpoint       // a start goes on from the newest checkpoint
	FullLedger             // a round ends when every partition is booked
	Reassignment           // what a lost worker owes is asked of others
	AskingAgain            // what a refused answer leaves open is asked for again
	Reminders              // a task that a worker does not know of is announced again
	Waking                 // a job that waited for workers asks for what is missing when they come
	guards
)

var guardNames = [guards]string{"nothing", "the check of the epoch", "the check of the round", "the check for what is booked", "refusing answers whole",
	"an epoch of its own for each start", "rounds that count on", "the fence around the store", "the newest checkpoint", "waiting for every partition",
	"reassignment", "asking again for what is left", "reminders", "waking"}

// String is the guard in words.
func (g Guard) String() string { return guardNames[g] }

// Guards are all of them.
func Guards() []Guard {
	var list []Guard
	for g := EpochCheck; g < guards; g++ {
		list = append(list, g)
	}
	return list
}

// Kind is what happens.
type Kind uint8

// The kinds. What happens to a coordinator, which its Job has to deal with, is Joins, Lost, Slow, Given and Repeated.
const (
	Joins      Kind = iota // a worker joins
	Lost                   // a worker is taken for lost
	Slow                   // a worker is taken for slow
	Taken                  // a worker takes a task, does it, and answers
	TaskLost               // a task is lost on its way
	Given                  // an answer arrives
	Repeated               // an answer arrives, and is on its way once more
	AnswerLost             // an answer is lost on its way
	Announced              // a task is sent again
	Saved                  // a checkpoint is written
	Restarts               // the coordinator dies, and another begins
	TakesOver              // another begins, and the one before it does not know
	Resumes                // a job is cancelled, and goes on under the same coordinator
	Ends                   // the result is written
)

// Event is one thing that happens.
type Event struct {
	Kind    Kind
	Life    int // whom it happens to, or who begins
	Worker  int
	Message Message
	owners  [MaxPartitions]int8 // who is asked for what is to be sent; −1: nobody
}

// String is the event for people.
func (e Event) String() string {
	m := e.Message
	to := ""
	for p, w := range e.owners {
		if w >= 0 {
			to += fmt.Sprintf(", partition %d is asked of worker %d", p, w)
		}
	}
	answer := fmt.Sprintf("worker %d's answer to round %d of coordinator %d over partitions %v", m.Worker, m.Round, m.Life, m.Over.Members())
	switch e.Kind {
	case Joins:
		return fmt.Sprintf("worker %d joins coordinator %d", e.Worker, e.Life) + to
	case Lost:
		return fmt.Sprintf("coordinator %d takes worker %d for lost", e.Life, e.Worker) + to
	case Slow:
		return fmt.Sprintf("coordinator %d takes worker %d for slow", e.Life, e.Worker) + to
	case Taken:
		return fmt.Sprintf("worker %d takes and does the task of round %d of coordinator %d over partitions %v", m.Worker, m.Round, m.Life, m.Over.Members())
	case TaskLost:
		return fmt.Sprintf("the task of round %d of coordinator %d for worker %d over partitions %v is lost", m.Round, m.Life, m.Worker, m.Over.Members())
	case Given:
		return fmt.Sprintf("%s reaches coordinator %d", answer, e.Life) + to
	case Repeated:
		return fmt.Sprintf("a copy of %s reaches coordinator %d", answer, e.Life) + to
	case AnswerLost:
		return answer + " is lost"
	case Announced:
		return fmt.Sprintf("coordinator %d announces the task of round %d over partitions %v to worker %d again", m.Life, m.Round, m.Over.Members(), m.Worker)
	case Saved:
		return fmt.Sprintf("coordinator %d writes its checkpoint", e.Life)
	case Restarts:
		return fmt.Sprintf("coordinator %d dies, coordinator %d begins", e.Life-1, e.Life)
	case TakesOver:
		return fmt.Sprintf("coordinator %d takes over, and coordinator %d does not know it", e.Life, e.Life-1)
	case Resumes:
		return fmt.Sprintf("the job of coordinator %d is cancelled and resumed, as life %d under the same epoch", e.Life-1, e.Life)
	}
	return fmt.Sprintf("coordinator %d writes the result", e.Life)
}
