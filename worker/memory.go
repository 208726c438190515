package worker

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// memory is how an engine keeps to its limit: Points that find no room are spilled, the first that come stay. What is known of
// rows never leaves memory, so Points give way to it. Engine.mu guards all of it but for buffers, which belong to the pass.
type memory struct {
	hot     int64 // bytes of Points and ids in memory
	now     capacity.Division
	file    *spill.File
	buffers [][]byte
	plain   int64 // bytes of Points and ids in memory that are not codes
	// ratio is what codes take of what numbers take, by the first partition of which it was seen; 0: not known.
	ratio float64
	known []int // of which runs rows are known something, and whether it is for seeding
	read  int64 // from files that are closed
}

// chunk is some rows of a holding on the disk.
type chunk struct {
	lo, hi int
	at     spill.Extent
}

// spilled says whether the holding's Points are on the disk.
func (h *holding) spilled() bool { return h.chunks != nil }

// hotBytes is what the Points and ids of a holding take in memory.
func (h *holding) hotBytes() int64 {
	bytes := int64(0)
	if !h.spilled() {
		bytes = h.pointsBytes()
		if h.ids != nil {
			bytes += int64(h.ids.Bytes())
		}
	}
	if h.folded != nil {
		bytes += int64(h.folded.Rows()) * int64(4*h.folded.Columns()+4)
	}
	return bytes
}

// pointsBytes is what a holding's rows take in memory.
func (h *holding) pointsBytes() int64 {
	if h.coded != nil {
		return int64(h.coded.Bytes())
	}
	return int64(h.points.ChunkBytes(h.points.Rows()))
}

// chunkBytes is what so many of a holding's rows take.
func (h *holding) chunkBytes(rows int) int {
	if h.coded != nil {
		return h.coded.ChunkBytes(rows)
	}
	return h.points.ChunkBytes(rows)
}

// putChunk writes some of a holding's rows to a buffer.
func (h *holding) putChunk(dst []byte, lo, hi int) {
	if h.coded != nil {
		h.coded.PutChunk(dst, lo, hi)
		return
	}
	h.points.PutChunk(dst, lo, hi)
}

// encode holds columns of few distinct values as codes, where they have some, with dictionaries of so many bytes at most. Of the
// holding's rows there is nothing but codes from then on.
func (h *holding) encode(dictionaries int) {
	if h.coded = kmeans.Encode(h.points, dictionaries); h.coded != nil {
		h.points = h.coded.Shell()
	}
}

// rowBytes is what a row of so many columns takes that may be spilled: its Point, its weight, its number where rows are left
// out, and its id where labels want it.
func rowBytes(columns int, in *wire.Input, ids bool) int64 {
	bytes := int64(4 * columns)
	if in.Weight != "" {
		bytes += 8
	}
	if in.Spec.Missing == feature.Drop || in.BadRows == wire.BadRowsQuarantine || in.ID != "" && in.Duplicates != wire.DuplicatesFail {
		bytes += 8
	}
	if ids && in.ID != "" {
		bytes += idBytes
	}
	return bytes
}

// HoldingOf is what a worker of so many threads holds that has all rows of a job of one run: what plan reckons with.
func HoldingOf(rows, largest int64, columns, k, threads int, in *wire.Input, a kmeans.Algorithm, labels bool) capacity.Holding {
	state := a.TrackBytes(k, columns)
	if in.ID != "" && in.Duplicates == wire.DuplicatesFail {
		state = max(state, idBytes) // they wait to be compared, until the next round
	}
	return capacity.Holding{Rows: rows, Largest: largest, Point: rowBytes(columns, in, labels), State: int64(state), Labels: labels,
		Threads: threads, K: k, D: columns}
}

// rowsOf counts the rows of partitions that are held or asked for, and of the largest of all.
func (e *Engine) rowsOf(asked []int) (rows, largest int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	parts := e.config.Manifest.Partitions
	for id, h := range e.held {
		if !slices.Contains(asked, id) {
			rows += int64(h.points.Rows())
		}
	}
	for _, id := range asked {
		rows += parts[id].Rows
	}
	for _, p := range parts {
		largest = max(largest, p.Rows)
	}
	return rows, largest
}

// divide prepares for a task that reads rows into memory: it decides how many of them stay there, and makes room by spilling
// what is held already. The caller has the pass.
func (e *Engine) divide(t *wire.Task) error {
	if e.config.Memory <= 0 {
		return nil
	}
	columns, k := len(t.Input.Spec.Numeric), t.K
	if t.Transform != nil {
		columns = t.Transform.Width()
	}
	rows, largest := e.rowsOf(t.Partitions)
	labels := e.config.Labels != nil
	h := HoldingOf(rows, largest, columns, k, e.config.Threads, t.Input, "", labels)
	h.State, h.Shares = max(h.State, int64(e.runBytes)), int(e.config.Shares)
	h.Objects = dataset.OfObjects(e.config.Source)
	d := e.config.Divide(e.config.Memory, h)
	// What is not known yet: how many runs there will be, and how wide rows of texts become before there is a transform.
	more := d.State
	if spec := t.Input.Spec; t.Transform == nil && (len(spec.Categorical) > 0 || spec.Missing == feature.Indicator) {
		more = d.Least - d.Fixed
	}
	return e.settleOn(d, more)
}

// yield has Points give way to what the runs of a round are going to know of rows. The caller has the pass.
func (e *Engine) yield(tasks []*wire.Task) error {
	if e.config.Memory <= 0 {
		return nil
	}
	columns, k := 0, 0
	for _, t := range tasks {
		if t.Centroids != nil {
			columns, k = t.Centroids.D, max(k, t.Centroids.K)
		}
	}
	h := capacity.Holding{Threads: e.config.Threads, K: k, D: columns, Labels: e.config.Labels != nil, Shares: int(e.config.Shares)}
	e.mu.Lock()
	points := int64(0)
	h.Short = e.memory.file != nil
	for _, held := range e.held {
		n := int64(held.points.Rows())
		h.Rows, h.Largest = h.Rows+n, max(h.Largest, n)
		h.D, h.Coded = max(h.D, held.points.Columns()), h.Coded || held.coded != nil
		points += held.pointsBytes()
		if held.ids != nil || held.idsAt != nil {
			points += idBytes * n
		}
	}
	h.State = int64(e.runBytes)
	e.mu.Unlock()
	h.Point = (points + h.Rows - 1) / max(h.Rows, 1)
	if err := e.settleOn(e.config.Divide(e.config.Memory, h), 0); err != nil {
		return err
	}
	e.collect(tasks)
	return nil
}

// collect has garbage collected where what is known of rows gives way to something else as large: ids that were compared to
// distances of seeding, these to labels. The runtime would find out while threads take room, and let them take too much.
func (e *Engine) collect(tasks []*wire.Task) {
	var of []int
	for _, t := range tasks {
		n := 2 * t.Run
		if t.Kind == wire.Seed {
			n++
		}
		of = append(of, n)
	}
	if m := &e.memory; m.file != nil && !slices.Equal(of, m.known) {
		m.known = of
		runtime.GC()
	}
}

// tooLittle is a memory that does not do. On a cluster another worker's may: see session.failure.
type tooLittle struct{ as *fault.Error }

func (t tooLittle) Error() string { return t.as.Error() }
func (t tooLittle) Unwrap() error { return t.as }

// settleOn goes by a division from now on. Where it does not fit, so many bytes more than it says are named as what will do,
// for what may still come.
func (e *Engine) settleOn(d capacity.Division, more int64) error {
	shares := max(e.config.Shares, 1)
	if !d.Fits() {
		err := fault.Failedf(nil, "%s of memory are not enough for the rows that are to be held: labels and bounds take %s, a partition on its way in %s, the runtime and buffers %s",
			sizeOf(d.Limit*shares), sizeOf(d.State*shares), sizeOf((d.Least-d.State-d.Fixed)*shares), sizeOf(d.Fixed*shares))
		if least, will := sizeUp(d.Least*shares), sizeUp((d.Least+more)*shares); least == will {
			err = err.Do("--memory %s will do", will)
		} else {
			err = err.Do("--memory %s will do; the least that may is %s", will, least)
		}
		return tooLittle{err}
	}
	m := &e.memory
	if d.Spilled > 0 && m.file == nil {
		if e.config.Spill == "" {
			return tooLittle{fault.Failedf(nil, "%s of memory are not enough, and there is no disk to spill to%s", sizeOf(d.Limit*shares), because(e.config.NoSpill)).
				Do("name a folder on a disk with --spill, or give --memory %s", sizeUp((d.Fixed+d.State+d.Hot+d.Spilled)*shares))}
		}
		file, err := spill.Open(e.config.Spill)
		if err != nil {
			return err
		}
		e.mu.Lock()
		m.file = file
		e.mu.Unlock()
	}
	e.mu.Lock()
	d.Chunk, d.Buffers = max(d.Chunk, m.now.Chunk), max(d.Buffers, m.now.Buffers) // what lies there has to find room in buffers
	if d.Chunk != m.now.Chunk {
		m.buffers = nil
	}
	m.now = d
	e.rawLimit(d.Hot)
	e.mu.Unlock()
	return e.evict(d.Hot)
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// evict spills held Points until they take no more than so many bytes. The caller has the pass, so that nobody uses them. While
// they are written others may ask what is held.
func (e *Engine) evict(most int64) error {
	for {
		e.mu.Lock()
		var last *holding
		for _, h := range e.held {
			if !h.spilled() && (last == nil || h.id > last.id) {
				last = h
			}
		}
		enough := last == nil || e.memory.file == nil || e.memory.hot+e.raw.bytes <= most
		e.mu.Unlock()
		if enough {
			return nil
		}
		if err := e.spill(last); err != nil {
			return err
		}
	}
}

// seats is how many partitions a task may read at one time: memory holds so many on their way in.
func (e *Engine) seats(t *wire.Task) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t.Kind != wire.Load || e.memory.now.Loads == 0 {
		return e.config.Threads
	}
	return min(e.memory.now.Loads, e.config.Threads)
}

// takes says whether a partition that was loaded finds room in memory, and counts it there if so.
func (e *Engine) takes(h *holding) bool {
	bytes := h.hotBytes()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.memory.file != nil && e.memory.hot+e.raw.bytes+bytes > e.memory.now.Hot {
		return false // without a file there was room for all, and what is more is padding
	}
	e.account(h, 1)
	return true
}

// account counts what a holding takes in memory, or with -1 that it does not any more. The caller has mu.
func (e *Engine) account(h *holding, sign int64) {
	bytes := sign * h.hotBytes()
	e.memory.hot += bytes
	if h.coded == nil {
		e.memory.plain += bytes
	}
}

// enter puts a partition that was loaded where it is to lie. Where memory is not enough for the numbers of all rows, codes take
// their place: more rows stay, and the others take less of the disk's time.
func (e *Engine) enter(h *holding) error {
	tried := false
	encode := func() {
		if dictionaries := e.codes(); dictionaries > 0 && !tried {
			before := h.pointsBytes()
			h.encode(dictionaries)
			e.learn(h, before)
			tried = true
		}
	}
	if h.folded == nil && !e.staysPlain(h.hotBytes()) {
		encode()
	}
	stays := e.takes(h)
	if !stays && h.folded != nil {
		h.folded = nil // there is no room for kinds, and the labels of spilled rows are those of rows
		stays = e.takes(h)
	}
	if !stays && !tried {
		encode()
		stays = h.coded != nil && e.takes(h)
	}
	switch {
	case !stays:
		if err := e.spill(h); err != nil {
			return err
		}
	case h.coded != nil:
		h.coded.Pack()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(h.id)
	e.held[h.id] = h
	return nil
}

// dictionaryShare is which part of a chunk dictionaries may be: each chunk has its own.
const dictionaryShare = 4

// codes is how many bytes of dictionaries a partition may have that is held as codes; 0: it is not.
func (e *Engine) codes() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := &e.memory.now; now.Spilled > 0 && now.Codes {
		return now.Chunk / dictionaryShare
	}
	return 0
}

// learn remembers what codes spare, by the first partition that shows it. Before are its bytes as numbers.
func (e *Engine) learn(h *holding, before int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.memory.ratio == 0 {
		e.memory.ratio = min(float64(h.pointsBytes())/float64(max(before, 1)), 1)
	}
}

// staysPlain says whether so many bytes more are to be numbers, which passes like better than codes: as long as there will be room
// left for the codes of all others. Where codes of everything find no room nothing is to be: the disk is what passes wait for.
func (e *Engine) staysPlain(bytes int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := &e.memory
	hot, all := float64(m.now.Hot), float64(m.now.Hot+m.now.Spilled)
	switch {
	case m.now.Spilled <= 0 || !m.now.Codes || m.ratio >= 1:
		return true
	case m.ratio == 0:
		return false // one is tried
	}
	return float64(m.plain+bytes)*(1-m.ratio) <= hot-m.ratio*all
}

// drop forgets a partition, and frees what it takes. The caller has mu.
func (e *Engine) drop(id int) {
	h := e.held[id]
	if h == nil {
		return
	}
	delete(e.held, id)
	e.walked = walked{}
	e.account(h, -1)
	e.free(h)
}

// free gives back what a holding takes on the disk.
func (e *Engine) free(h *holding) {
	for _, c := range h.chunks {
		e.memory.file.Free(c.at)
	}
	for _, at := range h.idsAt {
		e.memory.file.Free(at)
	}
}

// spill writes the Points of a holding, and its ids, to the disk, and leaves their shell. Of a holding that could not be
// written nothing is changed. Labels of kinds of rows are not those of rows, so kinds are forgotten, with their cohorts.
func (e *Engine) spill(h *holding) error {
	p, size := h.points, e.memory.now.Chunk
	rows := chunkRows(h, size)
	buffer := e.spare(size)
	defer e.spares.Put(&buffer)
	written := &holding{chunks: []chunk{}}
	put := func(n int) (spill.Extent, error) {
		at, err := e.memory.file.Put(buffer[:n])
		if err != nil {
			e.free(written)
		}
		return at, err
	}
	for lo := 0; lo < p.Rows(); lo += rows {
		hi := min(lo+rows, p.Rows())
		n := h.chunkBytes(hi - lo)
		h.putChunk(buffer[:n], lo, hi)
		at, err := put(n)
		if err != nil {
			return err
		}
		written.chunks = append(written.chunks, chunk{lo, hi, at})
	}
	if h.ids != nil {
		binary := h.ids.AppendBinary(nil)
		for part := range slices.Chunk(binary, size) {
			at, err := put(copy(buffer, part))
			if err != nil {
				return err
			}
			written.idsAt = append(written.idsAt, at)
		}
		written.idsBytes = len(binary)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held[h.id] == h {
		e.account(h, -1)
	}
	if h.folded != nil {
		h.folded = nil
		e.dissolve([]int{h.id})
	}
	h.points, h.chunks, h.ids, h.idsAt, h.idsBytes = p.Shell(), written.chunks, nil, written.idsAt, written.idsBytes
	if h.coded != nil {
		h.coded = h.coded.Drop()
	}
	return nil
}

// chunkRows is how many rows of a holding make a chunk of at most so many bytes: whole spans, where it has room for one.
func chunkRows(h *holding, size int) int {
	some := h.chunkBytes(kmeans.ChunkRows)
	if h.coded != nil { // each chunk has the dictionaries once
		size, some = size-(some-h.coded.RowBytes(kmeans.ChunkRows)), h.coded.RowBytes(kmeans.ChunkRows)
	}
	rows := max(size/some, 1) * kmeans.ChunkRows
	if rows > kmeans.SpanRows {
		rows = rows / kmeans.SpanRows * kmeans.SpanRows
	}
	return rows
}

// spare is a buffer for what is not a pass; it goes back to spares.
func (e *Engine) spare(size int) []byte {
	if b, ok := e.spares.Get().(*[]byte); ok && len(*b) >= size {
		return *b
	}
	return spill.Buffer(size)
}

// idsOf are the ids of a holding, nil where there are none.
func (e *Engine) idsOf(h *holding) (*dataset.IDs, error) {
	if h.idsAt == nil {
		return h.ids, nil
	}
	text := make([]byte, 0, h.idsBytes)
	buffer := e.spare(e.chunkSize())
	defer e.spares.Put(&buffer)
	for _, at := range h.idsAt {
		part, err := e.memory.file.Get(at, buffer)
		if err != nil {
			return nil, err
		}
		text = append(text, part...)
	}
	ids, err := dataset.ParseIDs(text)
	if err != nil {
		return nil, fmt.Errorf("worker: spilled ids: %w", err)
	}
	return ids, nil
}

func (e *Engine) chunkSize() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.memory.now.Chunk
}

// Spilled is how many bytes lie on the disk, and how many were read from there so far.
func (e *Engine) Spilled() (used, read int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.memory.file == nil {
		return 0, e.memory.read
	}
	return e.memory.file.Used(), e.memory.read + e.memory.file.ReadBytes()
}

// Close forgets what is held, and gives the disk its room back. Nothing may be computed any more.
func (e *Engine) Close() error {
	e.pass.Lock()
	defer e.pass.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.held)
	e.walked = walked{}
	e.cohorts, e.memory.buffers, e.memory.hot, e.memory.plain = nil, nil, 0, 0
	file := e.memory.file
	if file == nil {
		return nil
	}
	e.memory.file, e.memory.read = nil, e.memory.read+file.ReadBytes()
	return file.Close()
}

// sizeOf is a number of bytes for people.
func sizeOf(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// sizeUp is a number of bytes as --memory takes it, rounded up.
func sizeUp(n int64) string { return fmt.Sprintf("%dMiB", (n+1<<20-1)>>20) }
