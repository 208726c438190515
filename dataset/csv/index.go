package csv

import (
	"context"
	"io"
	"sort"
	"sync"

	"github.com/coterie-project/coterie/internal/fault"
)

// segmentBytes is the distance of the places where reading can start. Their row numbers follow from the data alone.
const segmentBytes = 1 << 20

// cut is a place where a record begins.
type cut struct {
	row    int64
	offset int64
	line   int64
}

// index is what the first pass over a file finds out. It never changes afterwards.
type index struct {
	rows int64
	end  int64 // where the data ends
	cuts []cut // at least one; the first is row 0
}

// before is the last cut at or before row.
func (x *index) before(row int64) cut {
	i := sort.Search(len(x.cuts), func(i int) bool { return x.cuts[i].row > row })
	return x.cuts[max(i-1, 0)]
}

// indexer scans the segments of src on several goroutines, also while src still grows. Whoever makes one calls
// finish or stop.
type indexer struct {
	ctx    context.Context
	src    io.ReaderAt
	layout layout
	name   string
	next   int64 // offset of the first segment not handed out
	all    []*piece
	jobs   chan *piece
	wg     sync.WaitGroup
}

// piece is one segment and where it lies.
type piece struct {
	offset, end int64
	size        int64 // how many bytes of src there were when it was handed out
	found       segment
	err         error
}

// room makes buf large enough for the segment and the bytes on both sides; small files should cost little.
func (p *piece) room(buf []byte) []byte {
	if need := p.end - p.offset + 2; int64(len(buf)) < need {
		return make([]byte, need)
	}
	return buf
}

func newIndexer(ctx context.Context, name string, src io.ReaderAt, l layout, workers int) *indexer {
	jobs := make(chan *piece, 2*workers)
	x := &indexer{ctx: ctx, src: src, layout: l, name: name, next: l.data, jobs: jobs}
	for range workers {
		x.wg.Go(func() {
			var buf []byte
			for p := range jobs {
				buf = p.room(buf)
				p.err = x.scan(p, nil, buf)
			}
		})
	}
	return x
}

// advance hands out the segments that lie wholly below size, with the byte behind them.
func (x *indexer) advance(size int64) {
	for x.next+segmentBytes < size {
		x.dispatch(x.next+segmentBytes, size)
	}
}

func (x *indexer) dispatch(end, size int64) {
	p := &piece{offset: x.next, end: end, size: size}
	x.all = append(x.all, p)
	x.next = end
	x.jobs <- p
}

func (x *indexer) stop() {
	if x.jobs != nil {
		close(x.jobs)
		x.jobs = nil
	}
	x.wg.Wait()
}

// scan reads one segment and scans it, on the usual assumption about its entry or from the state given.
func (x *indexer) scan(p *piece, entry *state, buf []byte) error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	from := max(p.offset-1, 0) // one byte back for the entry, one ahead for a CR at the end
	buf = buf[:min(p.end+1, p.size)-from]
	if n, err := x.src.ReadAt(buf, from); n < len(buf) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	body := buf[p.offset-from:]
	assumed := atRecord // the data begins with a record
	if p.offset > x.layout.data {
		assumed = assumedEntry(buf[0], x.layout.delim)
	}
	if entry != nil {
		assumed = *entry
	}
	p.found = scanSegment(body, int(p.end-p.offset), assumed, x.layout.delim)
	return nil
}

// finish scans what is left of size bytes and joins the segments. On an error all goroutines have ended too.
func (x *indexer) finish(size int64) (index, error) {
	x.advance(size)
	if x.next < size {
		x.dispatch(size, size)
	}
	x.stop()
	return x.join(size)
}

// join walks the segments in order, with the true state at the entry of each.
func (x *indexer) join(size int64) (index, error) {
	result := index{end: size}
	line := x.layout.line
	entry := atRecord
	var openLine, lastOffset, lastLine int64
	var buf []byte
	begins := func(offset, at int64) error { // a record; the one before it ends here
		if result.rows > 0 && offset-lastOffset > maxRecord {
			return tooLong(x.name, lastLine)
		}
		lastOffset, lastLine = offset, at
		return nil
	}
	for _, p := range x.all {
		if p.err == nil && p.found.entry != entry {
			buf = p.room(buf)
			p.err = x.scan(p, &entry, buf)
		}
		if p.err != nil {
			return index{}, x.explain(p.err)
		}
		g := &p.found
		if g.rows > 0 {
			if err := begins(p.offset+int64(g.first), line+g.firstLine); err != nil {
				return index{}, err
			}
			result.cuts = append(result.cuts, cut{row: result.rows, offset: lastOffset, line: lastLine})
			lastOffset, lastLine = p.offset+int64(g.last), line+g.lastLine
		}
		if g.opened {
			openLine = line + g.openLine
		}
		result.rows += g.rows
		line += g.newlines
		entry = g.exit
	}
	if entry == inQuote {
		return index{}, unclosed(x.name, openLine)
	}
	if err := begins(size, line); err != nil {
		return index{}, err
	}
	if result.rows == 0 {
		result.cuts = []cut{{row: 0, offset: size, line: line}}
	}
	return result, nil
}

func (x *indexer) explain(err error) error {
	if err == io.ErrUnexpectedEOF {
		return fault.Inputf(fault.In(x.name), "changed while it was read").Do("run again when nothing writes to it")
	}
	return err
}
