package sim

// What the simulator can do wrong on purpose (Script.Break), so that one sees it caught.
const (
	// BreakRounds takes answers of earlier rounds for answers to the one under way.
	BreakRounds = "forget-rounds"
	// BreakSync keeps nothing that is synced: a power failure may take what was said to be written.
	BreakSync = "forget-to-sync"
)
