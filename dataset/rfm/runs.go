package rfm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/spill"
)

// Sizes of what is written to and read from the disk.
const (
	blockBytes = 64 << 10 // of a transfer: a disk is busy with it, and a buffer for each run of a merge is little
	maxFanIn   = 32       // runs that are merged at a time: 4 MiB of buffers for each thread
	maxRecord  = maxText + 128
)

// disk is the room for runs. Its file is opened with the first of them, so that what fits into memory needs no folder.
type disk struct {
	folder string // "": there is none, for the reason why
	why    string
	memory int64 // for the message

	mu    sync.Mutex
	file  *spill.File
	runs  atomic.Int64 // written
	bytes atomic.Int64 // written, all runs together
}

// open gives the file.
func (d *disk) open() (*spill.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file != nil {
		return d.file, nil
	}
	if d.folder == "" {
		return nil, fault.Failedf(nil, "the customers take more than --memory %d MiB, and there is nowhere to put them: %s", d.memory>>20, d.why).
			Do("name a folder on a disk with --spill, or give more memory")
	}
	file, err := spill.Open(d.folder)
	if err != nil {
		return nil, err
	}
	d.file = file
	return file, nil
}

// close gives the room back.
func (d *disk) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil {
		return nil
	}
	file := d.file
	d.file = nil
	return file.Close()
}

// sortedRun is records in an order, on the disk.
type sortedRun struct {
	extents []spill.Extent
}

// runWriter writes one run after the other. It keeps its buffer.
type runWriter struct {
	disk   *disk
	buffer []byte
	run    sortedRun
}

// write appends a piece of a record.
func (w *runWriter) write(p []byte) error {
	if w.buffer == nil {
		w.buffer = spill.Buffer(blockBytes)[:0]
	}
	for len(p) > 0 {
		n := min(len(p), blockBytes-len(w.buffer))
		w.buffer = append(w.buffer, p[:n]...)
		p = p[n:]
		if len(w.buffer) == blockBytes {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *runWriter) flush() error {
	if len(w.buffer) == 0 {
		return nil
	}
	file, err := w.disk.open()
	if err != nil {
		return err
	}
	e, err := file.Put(w.buffer)
	if err != nil {
		return err
	}
	w.run.extents = append(w.run.extents, e)
	w.disk.bytes.Add(int64(len(w.buffer)))
	w.buffer = w.buffer[:0]
	return nil
}

// end gives the run that was written since the last end.
func (w *runWriter) end() (sortedRun, error) {
	err := w.flush()
	done := w.run
	w.run = sortedRun{}
	w.disk.runs.Add(1)
	return done, err
}

// runReader reads a run from its beginning.
type runReader struct {
	disk   *disk
	run    sortedRun
	next   int    // extent
	once   bool   // what was read is given back to the disk
	room   []byte // a block as it comes from the disk
	window []byte // what has not been taken yet begins at at
	at     int
}

// peek gives at least n bytes, up to maxRecord, or all that are left.
func (r *runReader) peek(n int) ([]byte, error) {
	for len(r.window)-r.at < n && r.next < len(r.run.extents) {
		if r.room == nil {
			r.room = spill.Buffer(blockBytes)
			r.window = make([]byte, 0, blockBytes+maxRecord)
		}
		r.window = append(r.window[:0], r.window[r.at:]...)
		r.at = 0
		file, err := r.disk.open()
		if err != nil {
			return nil, err
		}
		e := r.run.extents[r.next]
		block, err := file.Get(e, r.room)
		if err != nil {
			return nil, err
		}
		r.window = append(r.window, block...)
		r.next++
		if r.once {
			file.Free(e)
		}
	}
	return r.window[r.at:], nil
}

// take goes past n bytes that were peeked.
func (r *runReader) take(n int) { r.at += n }

// reduce merges runs until there are at most maxFanIn of them, the first ones first. Their order has no meaning.
func reduce(ctx context.Context, runs []sortedRun, merge func([]sortedRun) (sortedRun, error)) ([]sortedRun, error) {
	for len(runs) > maxFanIn {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		merged, err := merge(runs[:min(maxFanIn, len(runs)-maxFanIn+1)])
		if err != nil {
			return nil, err
		}
		runs = append(runs[min(maxFanIn, len(runs)-maxFanIn+1):], merged)
	}
	return runs, nil
}

// errRun is a run that does not hold what was written: the checksums of its blocks make that a bug.
func errRun(what string) error {
	return fmt.Errorf("rfm: a spilled run is damaged: %s", what)
}
