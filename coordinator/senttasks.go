package coordinator

import "slices"

// sentTasks are the tasks of a round that workers have been asked for: by serial for those who fetch and answer them, and
// by worker for its beats, which come every second from each. The zero value is empty; it is guarded like its jobRun.
type sentTasks struct {
	bySerial map[uint64]*sentTask
	byWorker map[string][]*sentTask // in the order in which they were sent
	answered map[uint64]bool        // by serial, of all that were sent: whether the answer has been taken, which may come once more
}

// add takes a task in.
func (s *sentTasks) add(t *sentTask) {
	if s.bySerial == nil {
		s.bySerial, s.byWorker, s.answered = make(map[uint64]*sentTask), make(map[string][]*sentTask), make(map[uint64]bool)
	}
	s.bySerial[t.ref.Serial], s.answered[t.ref.Serial] = t, false
	s.byWorker[t.worker] = append(s.byWorker[t.worker], t)
}

// answer notes that the answer to a task has come. It is false where it has come before.
func (s *sentTasks) answer(serial uint64) bool {
	before, sent := s.answered[serial]
	if sent {
		s.answered[serial] = true
	}
	return !before
}

// remove takes those tasks of a worker out that are chosen.
func (s *sentTasks) remove(worker string, chosen func(*sentTask) bool) {
	kept := slices.DeleteFunc(s.byWorker[worker], func(t *sentTask) bool {
		out := chosen(t)
		if out {
			delete(s.bySerial, t.ref.Serial)
		}
		return out
	})
	if len(kept) == 0 {
		delete(s.byWorker, worker)
		return
	}
	s.byWorker[worker] = kept
}
