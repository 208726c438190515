package csv

import (
	"context"
	"io"
	"slices"
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

// behind is the offset of the first cut behind row, or where the data ends.
func (x *index) behind(row int64) int64 {
	i := sort.Search(len(x.cuts), func(i int) bool { return x.cuts[i].row > row })
	if i == len(x.cuts) {
		return x.end
	}
	return x.cuts[i].offset
}

// indexer scans the segments of src on several goroutines, also while src still grows, and joins them in order. It
// holds few segments at a time, whatever the size of src. Whoever makes one calls finish or stop.
type indexer struct {
	ctx    context.Context
	src    io.ReaderAt
	layout layout
	step   int64    // bytes in a segment
	next   int64    // offset of the first segment not handed out
	ahead  []*piece // handed out and not joined yet, in order
	most   int      // of them
	jobs   chan *piece
	wg     sync.WaitGroup
	seam   seam
}

// ahead of the seam there are some segments for each goroutine, so that one that waits for the disk does not stop the others.
const piecesPerWorker = 4

// piece is one segment and where it lies.
type piece struct {
	offset, end int64
	size        int64     // how many bytes of src there were when it was handed out
	found       []segment // one for each state in which it may be entered
	err         error
	done        chan struct{}
}

// room makes buf large enough for the segment and the bytes on both sides; small files should cost little.
func (p *piece) room(buf []byte) []byte {
	if need := p.end - p.offset + 2; int64(len(buf)) < need {
		return make([]byte, need)
	}
	return buf
}

func newIndexer(ctx context.Context, name string, src io.ReaderAt, l layout, workers int) *indexer {
	most := piecesPerWorker * workers
	jobs := make(chan *piece, most)
	x := &indexer{ctx: ctx, src: src, layout: l, step: segmentBytes, next: l.data, most: most, jobs: jobs,
		seam: seam{name: name, line: l.line, entry: atRecord}}
	for range workers {
		x.wg.Go(func() {
			var buf []byte
			for p := range jobs {
				buf = p.room(buf)
				p.err = x.scan(p, buf)
				close(p.done)
			}
		})
	}
	return x
}

// advance hands out the segments that lie wholly below size, with the byte behind them.
func (x *indexer) advance(size int64) error {
	for x.next+x.step < size {
		if err := x.dispatch(x.next+x.step, size); err != nil {
			return err
		}
	}
	return nil
}

func (x *indexer) dispatch(end, size int64) error {
	if len(x.ahead) == x.most {
		if err := x.join(); err != nil {
			return err
		}
	}
	p := &piece{offset: x.next, end: end, size: size, done: make(chan struct{})}
	x.ahead = append(x.ahead, p)
	x.next = end
	x.jobs <- p // there is room for all that are ahead
	return nil
}

// join waits for the segment that is next in order and adds it to the index.
func (x *indexer) join() error {
	p := x.ahead[0]
	x.ahead = x.ahead[1:]
	<-p.done // its scan ends with the context
	if p.err != nil {
		return x.seam.explain(p.err)
	}
	return x.seam.add(p)
}

// stop ends all goroutines, after what has been handed out.
func (x *indexer) stop() {
	if x.jobs != nil {
		close(x.jobs)
		x.jobs = nil
	}
	x.wg.Wait()
}

// scan reads one segment and scans it.
func (x *indexer) scan(p *piece, buf []byte) error {
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
	states := []state{atRecord} // the data begins with a record
	if p.offset > x.layout.data {
		states = entries(buf[0], x.layout.delim)
	}
	p.found = scanSegment(buf[p.offset-from:], int(p.end-p.offset), states, x.layout.delim)
	return nil
}

// finish scans what is left of size bytes and gives the index. On an error all goroutines have ended too.
func (x *indexer) finish(size int64) (index, error) {
	defer x.stop()
	if err := x.advance(size); err != nil {
		return index{}, err
	}
	if x.next < size {
		if err := x.dispatch(size, size); err != nil {
			return index{}, err
		}
	}
	for len(x.ahead) > 0 {
		if err := x.join(); err != nil {
			return index{}, err
		}
	}
	return x.seam.close(size)
}

// seam joins segments in order: it knows the state in which each is entered.
type seam struct {
	name     string
	index    index
	entry    state
	line     int64 // of the segment that comes next
	openLine int64 // of the last quote that opened

	lastOffset, lastLine int64 // of the last record, if there is one
}

// begins notes that a record, or the end of the data, is at offset, where the record before it ends.
func (m *seam) begins(offset, line int64) error {
	if m.index.rows > 0 && offset-m.lastOffset > maxRecord {
		return tooLong(m.name, m.lastLine)
	}
	m.lastOffset, m.lastLine = offset, line
	return nil
}

func (m *seam) add(p *piece) error {
	at := slices.IndexFunc(p.found, func(g segment) bool { return g.entry == m.entry })
	g := &p.found[at] // entries leaves no state out
	if g.rows > 0 {
		if err := m.begins(p.offset+int64(g.first), m.line+g.firstLine); err != nil {
			return err
		}
		m.index.cuts = append(m.index.cuts, cut{row: m.index.rows, offset: m.lastOffset, line: m.lastLine})
		m.lastOffset, m.lastLine = p.offset+int64(g.last), m.line+g.lastLine
	}
	if g.opened {
		m.openLine = m.line + g.openLine
	}
	m.index.rows += g.rows
	m.line += g.newlines
	m.entry = g.exit
	return nil
}

func (m *seam) close(size int64) (index, error) {
	if m.entry == inQuote {
		return index{}, unclosed(m.name, m.openLine)
	}
	if err := m.begins(size, m.line); err != nil {
		return index{}, err
	}
	m.index.end = size
	if m.index.rows == 0 {
		m.index.cuts = []cut{{row: 0, offset: size, line: m.line}}
	}
	return m.index, nil
}

func (m *seam) explain(err error) error {
	if err == io.ErrUnexpectedEOF {
		return fault.Inputf(fault.In(m.name), "changed while it was read").Do("run again when nothing writes to it")
	}
	return err
}
