package pinned

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
)

// stored puts an object of so many bytes.
func stored(t testing.TB, size int) (*objecttest.Memory, object.Info, []byte) {
	t.Helper()
	m := &objecttest.Memory{}
	body := make([]byte, size)
	r := rand.NewChaCha8([32]byte{1})
	if _, err := r.Read(body); err != nil {
		t.Fatal(err)
	}
	info, err := m.Put(t.Context(), object.Name{Bucket: "bucket", Key: "key"}, body, object.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	return m, info, body
}

func TestAnObjectReadsAsItsBytesWhateverWasAnnounced(t *testing.T) {
	const size = 3*pieceBytes + 12345
	m, info, body := stored(t, size)
	var many []Span
	for at := int64(0); at < size; at += 300_000 {
		many = append(many, Span{at, at + 100_000})
	}
	for name, spans := range map[string][]Span{
		"nothing": nil, "all": {{0, size}}, "beyond the end": {{-5, size + 5}}, "many": many, "the same twice": {{10, 2_000_000}, {10, 2_000_000}},
		"overlapping": {{0, 3_000_000}, {1_000_000, 6_000_000}, {2_000_000, 2_500_000}}, "nonsense": {{7, 7}, {9, 3}, {size, size + 1}},
	} {
		h := Object(t.Context(), m, info)
		h.Want(spans)
		var wait sync.WaitGroup
		for w := range uint64(3) {
			wait.Go(func() {
				r := rand.New(rand.NewPCG(w, 1))
				buf := make([]byte, 1<<20)
				for at, i := int64(0), 0; i < 40; i++ {
					b := buf[:r.IntN(len(buf))]
					n, err := h.ReadAt(b, at)
					if want := body[at:min(at+int64(len(b)), size)]; !bytes.Equal(b[:n], want) || err != nil && (err != io.EOF || n == len(b)) {
						t.Errorf("%s: %d bytes at %d: got %d, %v, want %d that are the object's", name, len(b), at, n, err, len(want))
						return
					}
					if at += int64(n); at == size || i%10 == 9 {
						at = r.Int64N(size)
					}
					if i == 20 && w == 0 {
						h.Want(many)
					}
				}
			})
		}
		wait.Wait()
		h.Close()
		if held := room.held.Load(); held != 0 {
			t.Fatalf("%s: %d bytes are held after Close", name, held)
		}
	}
}

func TestWhatIsReadFrontToBackIsAskedForOnceInLargePieces(t *testing.T) {
	const size = 2*pieceBytes + 100
	m, info, body := stored(t, size)
	h := Object(t.Context(), m, info)
	defer h.Close()
	h.Want([]Span{{0, size}})
	got, err := io.ReadAll(io.NewSectionReader(h, 0, size))
	if err != nil || !bytes.Equal(got, body) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
	if n := m.Calls("ReadAt"); n != 3 || m.BytesRead() != size {
		t.Errorf("%d requests for %d bytes, want 3 for %d", n, m.BytesRead(), size)
	}
}

func TestNearSpansAreOneRequest(t *testing.T) {
	m, info, _ := stored(t, 4<<20)
	h := Object(t.Context(), m, info)
	defer h.Close()
	h.Want([]Span{{0, 1000}, {1000 + gapBytes, 200_000 + gapBytes}, {3 << 20, 3<<20 + 10}, {200_001 + 2*gapBytes, 300_000 + 2*gapBytes}})
	for _, at := range []int64{0, 1000 + gapBytes, 3 << 20, 200_001 + 2*gapBytes} {
		if _, err := h.ReadAt(make([]byte, 10), at); err != nil {
			t.Fatal(err)
		}
	}
	h.Close()
	if n := m.Calls("ReadAt"); n != 3 {
		t.Errorf("%d requests, want 3: two spans are near, one lies a byte too far away, one far away", n)
	}
}

// endless is an object of a terabyte of nothing.
type endless struct {
	object.Store
	open    chan struct{} // closed: reads go through
	reads   atomic.Int64
	flying  atomic.Int64
	highest atomic.Int64
}

var endlessInfo = object.Info{Name: object.Name{Bucket: "bucket", Key: "endless"}, Size: 1 << 40, ETag: `"e"`}

func (e *endless) ReadAt(ctx context.Context, _ object.Info, _ []byte, _ int64) error {
	e.reads.Add(1)
	n := e.flying.Add(1)
	defer e.flying.Add(-1)
	for high := e.highest.Load(); n > high && !e.highest.CompareAndSwap(high, n); high = e.highest.Load() {
	}
	select {
	case <-e.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestWhatIsFetchedAheadIsBounded(t *testing.T) {
	before := debug.SetMemoryLimit(1 << 30)
	defer debug.SetMemoryLimit(before)
	if got := most(); got != 64<<20 {
		t.Errorf("of 1 GiB %d bytes may be fetched ahead, want a sixteenth", got)
	}
	debug.SetMemoryLimit(2 << 30)
	e := &endless{open: make(chan struct{})}
	var handles []Handle
	for range 2 * most() / handleBytes {
		h := Object(t.Context(), e, endlessInfo)
		h.Want([]Span{{0, 1 << 36}, {1 << 38, 1<<38 + 1<<36}})
		if held := h.(*remote).held; held > handleBytes {
			t.Errorf("a handle holds %d bytes, more than %d", held, handleBytes)
		}
		handles = append(handles, h)
	}
	if held := room.held.Load(); held > most() || held < most()-handleBytes {
		t.Errorf("%d bytes are held, want %d or little less", held, most())
	}
	// One who waits gets his bytes all the same.
	var wait sync.WaitGroup
	for _, h := range handles {
		wait.Go(func() {
			if _, err := h.ReadAt(make([]byte, 10), 5); err != nil {
				t.Error(err)
			}
		})
	}
	close(e.open)
	wait.Wait()
	for _, h := range handles {
		h.Close()
	}
	if n := e.highest.Load(); n > mostRequests {
		t.Errorf("%d requests were in flight, more than %d", n, mostRequests)
	}
	if held := room.held.Load(); held != 0 {
		t.Errorf("%d bytes are held after Close", held)
	}
}

func TestAReadOfAnObjectEndsWithItsContext(t *testing.T) {
	for name, spans := range map[string][]Span{"announced": {{0, 1 << 30}}, "not announced": nil} {
		e := &endless{open: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		h := Object(ctx, e, endlessInfo)
		h.Want(spans)
		result := make(chan error)
		go func() {
			_, err := h.ReadAt(make([]byte, 10), 0)
			result <- err
		}()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want that of the context", name, err)
		}
		h.Close()
	}
}

func TestAnObjectThatIsReplacedOrRemovedIsRefused(t *testing.T) {
	for name, change := range map[string]func(m *objecttest.Memory, n object.Name) error{
		"replaced": func(m *objecttest.Memory, n object.Name) error {
			_, err := m.Put(t.Context(), n, []byte("other"), object.Condition{})
			return err
		},
		"removed": func(m *objecttest.Memory, n object.Name) error { return m.Remove(t.Context(), n) },
	} {
		m, info, _ := stored(t, 1000)
		h := Object(t.Context(), m, info)
		if err := change(m, info.Name); err != nil {
			t.Fatal(err)
		}
		_, err := h.ReadAt(make([]byte, 10), 0)
		if err = Unreadable("x", err); fault.Code(err) != 3 || !strings.Contains(err.Error(), "s3://bucket/key: has changed since it was opened") {
			t.Errorf("%s: got %v (code %d)", name, err, fault.Code(err))
		}
		h.Close()
	}
}

func TestPlansAreOfBoundedPieces(t *testing.T) {
	var columns []Span
	for i := range int64(300) {
		columns = append(columns, Span{i << 30, i<<30 + 100<<20})
	}
	for name, spans := range map[string][]Span{"one": {{0, 1 << 30}}, "wide": columns, "none": nil} {
		total := int64(0)
		b := newBody(nil, endlessInfo).plan(spans)
		for _, p := range b.pieces {
			if p.size() > pieceBytes || p.size() <= 0 {
				t.Fatalf("%s: a piece of %d bytes", name, p.size())
			}
			total += b.left[p]
		}
		want := int64(0)
		for _, s := range spans {
			want += s.To - s.From
		}
		if total != want {
			t.Errorf("%s: pieces of %d bytes, want %d", name, total, want)
		}
	}
}

func TestWhatSeveralReadersNeedIsFetchedOnce(t *testing.T) {
	const size = 3 * pieceBytes
	m, info, body := stored(t, size)
	open := Objects(m, info)
	first, second := open(t.Context()), open(t.Context())
	first.Want([]Span{{0, 2 * pieceBytes}})
	second.Want([]Span{{pieceBytes - 1000, size}, {pieceBytes, pieceBytes + 10}})
	for _, r := range []struct {
		Handle
		from, to int64
	}{{second, pieceBytes - 1000, size}, {first, 0, 2 * pieceBytes}} {
		got := make([]byte, r.to-r.from)
		if _, err := r.ReadAt(got, r.from); err != nil || !bytes.Equal(got, body[r.from:r.to]) {
			t.Errorf("bytes %d to %d are not the object's (%v)", r.from, r.to, err)
		}
	}
	if n := m.BytesRead(); n != size {
		t.Errorf("%d bytes were fetched, want %d", n, size)
	}
	first.Close()
	second.Close()
	if held := room.held.Load(); held != 0 {
		t.Errorf("%d bytes are held after Close", held)
	}
}

func TestAReaderGoesOnWhenTheOneThatFetchedForItHasGone(t *testing.T) {
	e := &endless{open: make(chan struct{})}
	open := Objects(e, endlessInfo)
	first, second := open(t.Context()), open(t.Context())
	defer second.Close()
	first.Want([]Span{{0, 100}})
	second.Want([]Span{{0, 100}})
	result := make(chan error)
	go func() {
		_, err := second.ReadAt(make([]byte, 100), 0)
		result <- err
	}()
	first.Close()
	close(e.open)
	if err := <-result; err != nil {
		t.Errorf("got %v, want the bytes", err)
	}
}

func TestWhatIsToBeReadOnceMoreStaysAsFarAsThereIsRoom(t *testing.T) {
	const size = 2*pieceBytes + 1000
	m, info, body := stored(t, size)
	open := Objects(m, info)
	read := func(keep bool) {
		t.Helper()
		h := open(t.Context())
		defer h.Close()
		if keep {
			h.Keep()
		}
		h.Want([]Span{{0, size}})
		got, err := io.ReadAll(io.NewSectionReader(h, 0, size))
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("got %d bytes that are not the object's (%v)", len(got), err)
		}
	}
	spare.held.Add(most() - size + 1) // room for two of the three pieces
	defer spare.held.Add(-most() + size - 1)
	before := spare.held.Load()
	for i, step := range []struct {
		keep bool
		want int // requests, all in all
	}{{true, 3}, {false, 4}, {false, 7}} {
		read(step.keep)
		if n := m.Calls("ReadAt"); n != step.want {
			t.Errorf("reading number %d: %d requests so far, want %d", i+1, n, step.want)
		}
		if held := spare.held.Load() - before; (held != 0) != step.keep {
			t.Errorf("reading number %d: %d bytes are kept", i+1, held)
		}
	}
	if held := room.held.Load(); held != 0 {
		t.Errorf("%d bytes are held after Close", held)
	}
}
