package coordinator

import (
	"maps"
	"slices"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// mostWorked bounds of how many workers a job's books tell what they did: far more than a star has, so that only a flood of
// workers that come under ever new names is left out.
const mostWorked = 1 << 14

// workBook adds up what the workers of a job are asked for and give in its iterations. The zero value is empty.
type workBook map[string]*pb.WorkerWork

// of is the entry of a worker; nil if the book is full.
func (b *workBook) of(worker string) *pb.WorkerWork {
	w := (*b)[worker]
	if w == nil && len(*b) < mostWorked {
		if *b == nil {
			*b = make(workBook)
		}
		w = &pb.WorkerWork{Worker: worker}
		(*b)[worker] = w
	}
	return w
}

// asked notes a task for a worker.
func (b *workBook) asked(worker string, bytes int) {
	if w := b.of(worker); w != nil {
		w.SentBytes += uint64(bytes)
	}
}

// answered notes an answer over so many rows.
func (b *workBook) answered(head *pb.AnswerHead, rows int64) {
	if w := b.of(head.Worker); w != nil {
		w.Answers++
		w.Rows += uint64(rows)
		w.Micros += head.Micros
		w.ReceivedBytes += head.Size
	}
}

// list is a copy, by name.
func (b workBook) list() []*pb.WorkerWork {
	var list []*pb.WorkerWork
	for _, name := range slices.SortedFunc(maps.Keys(b), compareNames) {
		w := b[name]
		list = append(list, &pb.WorkerWork{Worker: w.Worker, Answers: w.Answers, Rows: w.Rows, Micros: w.Micros, SentBytes: w.SentBytes,
			ReceivedBytes: w.ReceivedBytes})
	}
	return list
}

// worked is what the workers did in the job's iterations.
func (r *jobRun) worked() []*pb.WorkerWork {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.work.list()
}
