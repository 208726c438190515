package sim

import "github.com/coterie-project/coterie/internal/wire"

// Kind is a kind of fault that the simulator can inject.
type Kind string

// The kinds.
const (
	WorkerCrash     Kind = "worker-crash"
	WorkerRestart   Kind = "worker-restart"
	WorkerFreeze    Kind = "worker-freeze"
	WorkerSlow      Kind = "worker-slow"
	WorkerJoins     Kind = "worker-joins"
	WorkerDrains    Kind = "worker-drains"
	WorkerMemory    Kind = "worker-out-of-memory"
	AllWorkersLost  Kind = "all-workers-lost"
	ReadErrors      Kind = "read-errors"
	WrongSums       Kind = "wrong-sums"
	LabelsUnwritten Kind = "labels-not-written"

	MessagesLost    Kind = "messages-lost"
	MessagesTwice   Kind = "messages-twice"
	MessagesMixed   Kind = "messages-out-of-order"
	CutFromWorker   Kind = "cut-from-worker"
	CutToWorker     Kind = "cut-to-worker"
	CutBoth         Kind = "cut-both-ways"
	SlowLink        Kind = "slow-link"
	ConnectionBreak Kind = "connection-breaks"
	PeersCut        Kind = "workers-cut-from-each-other"
	GossipLate      Kind = "gossip-late"
	GossipWrong     Kind = "gossip-wrong"

	CoordinatorCrash  Kind = "coordinator-crash"
	CoordinatorFreeze Kind = "coordinator-freeze"
	CoordinatorSecond Kind = "second-coordinator"
	ClockJump         Kind = "clock-jump"
	PowerFailure      Kind = "power-failure"
	CheckpointCrash   Kind = "crash-in-a-checkpoint"
	CheckpointDamaged Kind = "checkpoint-damaged"
	DiskFull          Kind = "disk-full"
	DiskSlow          Kind = "disk-slow"
	StoreFails        Kind = "object-store-fails"
	StoreAnswersLost  Kind = "object-store-answers-lost"
	CancelAndResume   Kind = "cancel-and-resume"
	NobodyComes       Kind = "nobody-comes"
)

// FaultInfo is a kind of fault with a line that says what happens.
type FaultInfo struct {
	Kind Kind
	Says string
}

var faults = []FaultInfo{
	{WorkerCrash, "a worker dies, and another comes some seconds later"},
	{WorkerRestart, "a worker dies and is started again at once on the same host, with nothing in memory"},
	{WorkerFreeze, "a worker stands still and goes on later: all it missed reaches it at once, its answers are late"},
	{WorkerSlow, "a worker computes many times slower for a while"},
	{WorkerJoins, "a worker joins"},
	{WorkerDrains, "a worker is asked to leave, answers what it has begun, and goes"},
	{WorkerMemory, "a worker dies over the next partition that it reads"},
	{AllWorkersLost, "all workers die at once, and others come"},
	{ReadErrors, "a worker's readings of the data fail for a while"},
	{WrongSums, "a worker's next answer to an iteration or a last pass has sums in which a row is lost or a bit is turned"},
	{LabelsUnwritten, "a worker can write no labels for a while"},
	{MessagesLost, "of all messages some are lost for a while"},
	{MessagesTwice, "messages come twice for a while, the second time later"},
	{MessagesMixed, "messages overtake each other by seconds for a while"},
	{CutFromWorker, "what a worker sends to the coordinator is lost for a while"},
	{CutToWorker, "what the coordinator sends to a worker is lost for a while"},
	{CutBoth, "a worker and the coordinator do not reach each other for a while"},
	{SlowLink, "each message between a worker and the coordinator takes a second or more for a while"},
	{ConnectionBreak, "a worker's connection breaks with all that is on its way, and is made again"},
	{PeersCut, "workers do not reach each other for a while"},
	{GossipLate, "who looks for the coordinator is told of the one before for a while"},
	{GossipWrong, "who looks for the coordinator is told of nobody for a while"},
	{CoordinatorCrash, "the coordinator dies and is started again on its state"},
	{CoordinatorFreeze, "the coordinator stands still and goes on later"},
	{CoordinatorSecond, "a second coordinator starts on the state: a folder refuses it, a prefix of an object store is taken over"},
	{ClockJump, "the coordinator's clock jumps by seconds, forwards or backwards"},
	{PowerFailure, "the coordinator's machine loses power: what was not synced may be gone or torn"},
	{CheckpointCrash, "the coordinator dies at an operation of a checkpoint that it is writing, which may be torn"},
	{CheckpointDamaged, "a bit of the newest checkpoint flips, and the coordinator is started again"},
	{DiskFull, "the state takes nothing new for a while"},
	{DiskSlow, "each write of the state takes seconds for a while"},
	{StoreFails, "calls of the object store of the state, or operations of its disk, fail now and then for a while"},
	{StoreAnswersLost, "the object store does what it is asked, or the disk syncs, and the answer is an error, now and then for a while"},
	{CancelAndResume, "the user cancels the job, and resumes it"},
	{NobodyComes, "all workers die and nobody comes until the job has given up; then it is resumed"},
}

// Faults lists what the simulator can inject, in the order of its tables.
func Faults() []FaultInfo { return append([]FaultInfo(nil), faults...) }

// Phase is where a job is when a fault falls.
type Phase string

// The phases.
const (
	PhaseStart      Phase = "start" // before the first round
	PhaseIDs        Phase = "ids"
	PhaseRead       Phase = "read"
	PhaseLoad       Phase = "load"
	PhaseSeed       Phase = "seed"
	PhaseIterate    Phase = "iterate"
	PhaseScore      Phase = "score"
	PhaseLabel      Phase = "label"
	PhaseCommit     Phase = "commit"
	PhaseResult     Phase = "result"     // the job is over, its result is being written
	PhaseWait       Phase = "wait"       // for workers
	PhaseCheckpoint Phase = "checkpoint" // one is being written, in any other phase
)

// Phases lists the phases in the order of tables.
func Phases() []Phase {
	return []Phase{PhaseStart, PhaseIDs, PhaseRead, PhaseLoad, PhaseSeed, PhaseIterate, PhaseScore, PhaseLabel, PhaseCommit, PhaseResult, PhaseWait, PhaseCheckpoint}
}

// phaseOf is the phase that a round belongs to; those of several runs together belong to that of the first.
func phaseOf(k wire.Kind) Phase {
	switch k {
	case wire.Keys, wire.Duplicates:
		return PhaseIDs
	case wire.Statistics, wire.Quantiles, wire.Directions:
		return PhaseRead
	case wire.Load:
		return PhaseLoad
	case wire.Seed:
		return PhaseSeed
	case wire.Score:
		return PhaseScore
	case wire.Prepare, wire.Label:
		return PhaseLabel
	case wire.Commit:
		return PhaseCommit
	}
	return PhaseIterate
}
