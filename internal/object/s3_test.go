package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// hasty are limits that let tests end.
var hasty = limits{tries: 4, pause: time.Millisecond, longest: 4 * time.Millisecond, answer: 30 * time.Second, silence: 30 * time.Second, call: 30 * time.Second}

// fake is a service in this process, in whose way faults can be put.
type fake struct {
	*service
	mu     sync.Mutex
	asked  []string // method, path and range of each request
	faults []mischief
}

// mischief answers a request instead of the service, or says that the service shall.
type mischief func(w http.ResponseWriter, r *http.Request, real http.Handler) (done bool)

func (f *fake) ServeHTTP(real http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
		var next mischief
		if len(f.faults) > 0 {
			next, f.faults = f.faults[0], f.faults[1:]
		}
		f.mu.Unlock()
		if next == nil || !next(w, r, real) {
			real.ServeHTTP(w, r)
		}
	}
}

func (f *fake) then(faults ...mischief) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.asked = append(f.faults, faults...), nil
}

func (f *fake) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// newFake starts the service with the bucket "box".
func newFake(t *testing.T, l limits) *fake {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	backend := s3mem.New()
	if err := backend.CreateBucket("box"); err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	server := httptest.NewServer(f.ServeHTTP(gofakes3.New(backend).Server()))
	t.Cleanup(server.Close)
	var err error
	if f.service, err = newService(t.Context(), Options{Endpoint: server.URL, PathStyle: true}, l); err != nil {
		t.Fatal(err)
	}
	return f
}

func named(key string) Name { return Name{"box", key} }

func body(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	r.Read(b)
	return b
}

func (f *fake) put(t *testing.T, key string, b []byte) Info {
	t.Helper()
	info, err := f.Put(t.Context(), named(key), b, Condition{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// These are the ways in which a service fails and is itself again a moment later.
var (
	busy = func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	reset = func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		panic(http.ErrAbortHandler)
	}
	half = func(w http.ResponseWriter, r *http.Request, real http.Handler) bool {
		whole := httptest.NewRecorder()
		real.ServeHTTP(whole, r)
		for name, values := range whole.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(whole.Code)
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		panic(http.ErrAbortHandler)
	}
	lost = func(w http.ResponseWriter, r *http.Request, real http.Handler) bool { // it happens, and nobody hears of it
		real.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	pass = func(http.ResponseWriter, *http.Request, http.Handler) bool { return false }
)

func TestWhatIsWrittenIsReadInAnyRange(t *testing.T) {
	f := newFake(t, hasty)
	want := body(100_000)
	f.put(t, "a/b c+ü.bin", want)
	info, err := f.Stat(t.Context(), named("a/b c+ü.bin"))
	if err != nil || info.Size != int64(len(want)) || info.ETag == "" {
		t.Fatalf("got %+v, %v, want %d bytes and an ETag", info, err, len(want))
	}
	for _, r := range [][2]int{{0, 0}, {0, 1}, {0, len(want)}, {len(want) - 1, 1}, {777, 5000}, {len(want), 0}} {
		p := make([]byte, r[1])
		if err := f.ReadAt(t.Context(), info, p, int64(r[0])); err != nil || !bytes.Equal(p, want[r[0]:r[0]+r[1]]) {
			t.Errorf("ReadAt %v: got %v, or other bytes", r, err)
		}
		s, err := f.Open(t.Context(), info, int64(r[0]), int64(r[1]))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(got, p) {
			t.Errorf("Open %v: got %v, or other bytes", r, err)
		}
		s.Close()
	}
	for _, r := range [][2]int64{{0, info.Size + 1}, {info.Size, 1}, {-1, 1}, {1 << 62, 1 << 62}} {
		if err := inside(info, r[0], r[1]); !errors.Is(err, io.ErrUnexpectedEOF) || fault.Code(err) != 3 {
			t.Errorf("range %v: got %v, want an unexpected end", r, err)
		}
	}
}

func TestReadsGoOnWhereTheyBroke(t *testing.T) {
	f := newFake(t, hasty)
	want := body(90_000)
	info := f.put(t, "x", want)
	before := Counts().Retries
	f.then(busy, half, reset)
	got := make([]byte, len(want))
	if err := f.ReadAt(t.Context(), info, got, 0); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("ReadAt: got %v, or other bytes", err)
	}
	if asked := f.requests(); len(asked) != 4 || asked[0] != "GET /box/x bytes=0-89999" || asked[3] != "GET /box/x bytes=45000-89999" {
		t.Errorf("got the requests %q, want the last for the second half alone", asked)
	}
	if got := Counts().Retries - before; got != 3 {
		t.Errorf("got %d retries counted, want 3", got)
	}
	f.then(reset, half, half, half, half, half, half) // each half is progress: it is no seventh failure
	s, err := f.Open(t.Context(), info, 0, info.Size)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if streamed, err := io.ReadAll(s); err != nil || !bytes.Equal(streamed, want) {
		t.Errorf("Open: got %v, or other bytes", err)
	}
}

func TestAServiceThatKeepsFailingIsGivenUpAfterTheLastTry(t *testing.T) {
	f := newFake(t, hasty)
	info := f.put(t, "x", body(1000))
	f.then(slices.Repeat([]mischief{busy}, hasty.tries)...)
	err := f.ReadAt(t.Context(), info, make([]byte, 10), 0)
	if !errors.Is(err, ErrAway) || fault.Code(err) != 1 || len(f.requests()) != hasty.tries {
		t.Errorf("busy: got %v after %d requests, want that it is away after %d", err, len(f.requests()), hasty.tries)
	}
	const more = 10 // net/http itself tries again where a connection that it has kept turns out to be closed
	f.then(slices.Repeat([]mischief{reset}, hasty.tries+more)...)
	err = f.ReadAt(t.Context(), info, make([]byte, 10), 0)
	if !errors.Is(err, ErrAway) || fault.Code(err) != 1 || len(f.requests()) < hasty.tries {
		t.Errorf("reset: got %v after %d requests, want that it is away after at least %d", err, len(f.requests()), hasty.tries)
	}
}

func TestASilentServiceIsAskedAgain(t *testing.T) {
	l := hasty
	l.answer, l.silence = 300*time.Millisecond, 300*time.Millisecond
	f := newFake(t, l)
	want := body(50_000)
	info := f.put(t, "x", want)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	silent := func(after bool) mischief {
		return func(w http.ResponseWriter, r *http.Request, real http.Handler) bool {
			if after {
				w.Header().Set("Content-Length", fmt.Sprint(info.Size))
				w.Header().Set("ETag", info.ETag)
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(want[:20_000])
				_ = http.NewResponseController(w).Flush()
			}
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return true
		}
	}
	f.then(silent(false), silent(true))
	got := make([]byte, len(want))
	if err := f.ReadAt(t.Context(), info, got, 0); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %v, or other bytes", err)
	}
	if asked := f.requests(); len(asked) != 3 || asked[2] != "GET /box/x bytes=20000-49999" {
		t.Errorf("got the requests %q, want the third for what the second did not send", asked)
	}
}

func TestAReplacedObjectIsNeverReadAsTheOldOne(t *testing.T) {
	f := newFake(t, hasty)
	info := f.put(t, "x", body(1000))
	f.put(t, "x", bytes.Repeat([]byte("y"), 1000))
	s, err := f.Open(t.Context(), info, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	_, streamed := s.Read(make([]byte, 10))
	removed := f.put(t, "gone", body(10))
	if err := f.Remove(t.Context(), named("gone")); err != nil {
		t.Fatal(err)
	}
	if err := f.Remove(t.Context(), named("gone")); err != nil {
		t.Errorf("removing it again: %v", err)
	}
	for what, err := range map[string]error{"ReadAt": f.ReadAt(t.Context(), info, make([]byte, 10), 0), "Open": streamed,
		"removed": f.ReadAt(t.Context(), removed, make([]byte, 10), 0)} {
		says := "has changed since it was opened"
		if what == "removed" {
			says = "is gone: it was there when it was opened"
		}
		if !errors.Is(err, ErrChanged) || fault.Code(err) != 3 || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", what, err, says)
		}
	}
}

// A service that does not know If-Match is found out by the ETag of its answer, one that does not know ranges by the length.
func TestAServiceThatIgnoresHeadersIsFoundOut(t *testing.T) {
	f := newFake(t, hasty)
	old := f.put(t, "x", body(1000))
	f.put(t, "x", bytes.Repeat([]byte("y"), 1000))
	deaf := func(header string) mischief {
		return func(w http.ResponseWriter, r *http.Request, real http.Handler) bool {
			r.Header.Del(header)
			return false
		}
	}
	f.then(deaf("If-Match"))
	if err := f.ReadAt(t.Context(), old, make([]byte, 10), 0); !errors.Is(err, ErrChanged) {
		t.Errorf("without If-Match: got %v, want that it has changed", err)
	}
	f.then(deaf("Range"))
	if err := f.ReadAt(t.Context(), Info{Name: named("x"), Size: 1000}, make([]byte, 10), 0); err == nil || !strings.Contains(err.Error(), "ranges") {
		t.Errorf("without Range: got %v, want that ranges are needed", err)
	}
}

func TestConditionsOfWritesHold(t *testing.T) {
	f := newFake(t, hasty)
	first, err := f.Put(t.Context(), named("m"), []byte("1"), Condition{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Put(t.Context(), named("m"), []byte("2"), Condition{IfAbsent: true}); !errors.Is(err, ErrChanged) || fault.Code(err) != 1 {
		t.Errorf("a second one where none may be: got %v", err)
	}
	second, err := f.Put(t.Context(), named("m"), []byte("2"), Condition{IfMatch: first.ETag})
	if err != nil || second.ETag == first.ETag {
		t.Fatalf("got %v, %v, want another ETag", second, err)
	}
	if _, err := f.Put(t.Context(), named("m"), []byte("3"), Condition{IfMatch: first.ETag}); !errors.Is(err, ErrChanged) {
		t.Errorf("over another writer's: got %v", err)
	}
}

// The answer to a write is lost, and the next try finds its own object in the way.
func TestAWriteWhoseAnswerIsLostIsKnownByItsMark(t *testing.T) {
	f := newFake(t, hasty)
	f.then(lost)
	info, err := f.Put(t.Context(), named("epoch"), []byte("mine"), Condition{IfAbsent: true})
	if err != nil || info.ETag == "" {
		t.Fatalf("got %v, %v, want that it has happened", info, err)
	}
	stands, err := f.Stat(t.Context(), named("epoch"))
	if err != nil || stands.ETag != info.ETag {
		t.Errorf("got the ETag %s, want that of what stands there, %s (%v)", info.ETag, stands.ETag, err)
	}
	f.then(lost)
	if _, err := f.Put(t.Context(), named("epoch"), []byte("mine"), Condition{IfAbsent: true}); !errors.Is(err, ErrChanged) {
		t.Errorf("another writer's object with the same text: got %v, want ErrChanged", err)
	}
}

func TestUploadsAppearWholeOrNotAtAll(t *testing.T) {
	f := newFake(t, hasty)
	for _, size := range []int{0, 1, partBytes - 1, partBytes, partBytes + 1, 2*partBytes + 12345} {
		want := body(size)
		n := named(fmt.Sprintf("u/%d", size))
		u, err := f.Create(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		for p := want; len(p) > 0; p = p[min(len(p), 3<<20):] {
			if _, err := u.Write(p[:min(len(p), 3<<20)]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.Stat(t.Context(), n); !errors.Is(err, ErrNotFound) {
			t.Errorf("%d bytes: got %v before Commit, want that there is none", size, err)
		}
		f.then(busy)
		info, err := u.Commit(Condition{})
		if err != nil {
			t.Fatal(err)
		}
		u.Abort()
		got := make([]byte, size)
		stands, err := f.Stat(t.Context(), n)
		if err != nil || stands.Size != info.Size || info.ETag == "" { // of parts this fake gives another ETag later
			t.Errorf("%d bytes: got %+v, %v, want what Commit said, %+v", size, stands, err, info)
		}
		if err := f.ReadAt(t.Context(), stands, got, 0); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %v, or other bytes", size, err)
		}
	}
	u, err := f.Create(t.Context(), named("given-up"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(body(partBytes + 1)); err != nil {
		t.Fatal(err)
	}
	u.Abort()
	if _, err := u.Commit(Condition{}); err == nil {
		t.Error("Commit after Abort: got nil")
	}
	if _, err := f.Stat(t.Context(), named("given-up")); !errors.Is(err, ErrNotFound) {
		t.Errorf("given up: got %v, want that there is none", err)
	}
}

func TestAListingIsInOrderAndComesInPages(t *testing.T) {
	f := newFake(t, hasty)
	for i := range 1100 {
		f.put(t, fmt.Sprintf("p/%04d.csv", i), nil)
	}
	f.put(t, "p/0003.csv.d/x", nil)
	f.put(t, "q", nil)
	var keys []string
	for e, err := range f.List(t.Context(), named("p/"), "", true) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, e.Name.Key)
		if e.Folder != (e.Name.Key == "p/0003.csv.d/") {
			t.Errorf("%s: got a folder: %v", e.Name.Key, e.Folder)
		}
	}
	if len(keys) != 1101 || !slices.IsSorted(keys) {
		t.Errorf("got %d keys, sorted: %v; want 1101", len(keys), slices.IsSorted(keys))
	}
	keys = nil
	for e, err := range f.List(t.Context(), named("p/"), "p/1097.csv", false) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, e.Name.Key)
	}
	if want := []string{"p/1098.csv", "p/1099.csv"}; !slices.Equal(keys, want) {
		t.Errorf("after a key: got %q, want %q", keys, want)
	}
}

// answer is a service that says no.
func answer(status int, code string, header ...string) mischief {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		if r.Method != http.MethodHead && code != "" {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
		}
		return true
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	f := newFake(t, hasty)
	info := f.put(t, "x", body(10))
	cases := []struct {
		answer mischief
		is     error
		says   string
	}{
		{answer(403, "AccessDenied"), ErrDenied, "policy"},
		{answer(403, "InvalidAccessKeyId"), ErrDenied, "AWS_ACCESS_KEY_ID"},
		{answer(403, "RequestTimeTooSkewed"), ErrDenied, "clock"},
		{answer(301, "PermanentRedirect", "x-amz-bucket-region", "eu-west-1"), nil, "--s3-region eu-west-1"},
		{answer(400, "AuthorizationHeaderMalformed"), nil, "region"},
		{answer(404, "NoSuchBucket"), ErrNotFound, "the bucket s3://box does not exist"},
		{answer(403, "InvalidObjectState"), ErrDenied, "archive"},
		{answer(400, "Strange"), nil, "Strange"},
	}
	for _, c := range cases {
		f.then(c.answer)
		err := f.ReadAt(t.Context(), info, make([]byte, 10), 0)
		if err == nil || !strings.Contains(err.Error(), c.says) || fault.Code(err) != 3 || !strings.HasPrefix(err.Error(), "s3://box/x: ") || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("got %v, want s3://box/x and %q", err, c.says)
		}
		if len(f.requests()) != 1 {
			t.Errorf("%q: got %d requests, want one: it will not change", c.says, len(f.requests()))
		}
	}
	if _, err := f.Stat(t.Context(), Name{"nowhere", "x"}); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "bucket") {
		t.Errorf("Stat in a bucket that is missing: got %v", err)
	}
	if _, err := f.Create(t.Context(), Name{"nowhere", "x"}); !errors.Is(err, ErrNotFound) || fault.Code(err) != 1 {
		t.Errorf("Create in a bucket that is missing: got %v, want it before any work, exit 1", err)
	}
	for _, c := range [][3]string{{"403", "SignatureDoesNotMatch", "AWS_ACCESS_KEY_ID"}, {"400", "AuthorizationHeaderMalformed", "region"}, {"403", "AccessDenied", "policy"}} {
		status, _ := strconv.Atoi(c[0])
		f.then(answer(status, ""), answer(status, c[1])) // a question about an object has no body, that for a listing has
		if _, err := f.Stat(t.Context(), named("x")); fault.Code(err) != 3 || !strings.Contains(fmt.Sprint(err), c[2]) {
			t.Errorf("Stat, %s: got %v, want %q", c[1], err, c[2])
		}
	}
	f.then(answer(403, "")) // who may write need not be allowed to look
	if _, err := f.Create(t.Context(), named("y")); err != nil {
		t.Errorf("Create where HeadBucket is denied: got %v", err)
	}
}

func TestDenialsNameTheRightThatIsMissing(t *testing.T) {
	f := newFake(t, hasty)
	ctx, no, bare := t.Context(), answer(403, "AccessDenied"), answer(403, "")
	info := f.put(t, "x", body(10))
	const pays = "--s3-requester-pays"
	for name, c := range map[string]struct {
		answers []mischief
		call    func() error
		says    []string
		not     string
	}{
		"list": {[]mischief{no}, func() error {
			for _, err := range f.List(ctx, Name{Bucket: "box"}, "", false) {
				return err
			}
			return nil
		}, []string{"listing needs s3:ListBucket on box", pays}, "GetObject"},
		"read":                      {[]mischief{no}, func() error { return f.ReadAt(ctx, info, make([]byte, 1), 0) }, []string{"reading needs s3:GetObject on box/x", pays}, "ListBucket"},
		"look, listing allowed":     {[]mischief{bare}, func() error { _, err := f.Stat(ctx, named("x")); return err }, []string{"reading needs s3:GetObject on box/x"}, "ListBucket"},
		"look, listing denied":      {[]mischief{bare, no}, func() error { _, err := f.Stat(ctx, named("x")); return err }, []string{"s3:GetObject on box/x; or it does not exist, which is not told without s3:ListBucket on box"}, "PutObject"},
		"write":                     {[]mischief{no}, func() error { _, err := f.Put(ctx, named("y"), []byte("y"), Condition{}); return err }, []string{"writing needs s3:PutObject on box/y"}, pays},
		"remove":                    {[]mischief{no}, func() error { return f.Remove(ctx, named("x")) }, []string{"removing needs s3:DeleteObject on box/x"}, pays},
		"the region, in the body":   {[]mischief{elsewhereIn("eu-west-1")}, func() error { return f.ReadAt(ctx, info, make([]byte, 1), 0) }, []string{"another region: eu-west-1 (--s3-region eu-west-1)"}, "Malformed"},
		"the region, behind a look": {[]mischief{answer(400, ""), elsewhereIn("eu-west-1")}, func() error { _, err := f.Stat(ctx, named("x")); return err }, []string{"--s3-region eu-west-1"}, "Malformed"},
		"a region that is none":     {[]mischief{elsewhereIn("no; rm")}, func() error { return f.ReadAt(ctx, info, make([]byte, 1), 0) }, []string{"another region: AuthorizationHeaderMalformed"}, "; rm"},
	} {
		f.then(c.answers...)
		err := c.call()
		for _, says := range c.says {
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), c.not) {
				t.Errorf("%s: got %v, want %q and not %q", name, err, says, c.not)
			}
		}
	}
}

// elsewhereIn is the refusal of a service whose bucket lies in another region, which it tells in the body.
func elsewhereIn(region string) mischief {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "<Error><Code>AuthorizationHeaderMalformed</Code><Message>no</Message><Region>%s</Region></Error>", region)
		return true
	}
}

func TestSettingsThatCannotWorkAreRefusedAtOnce(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	if _, err := New(t.Context(), Options{Endpoint: "nonsense"}); fault.Code(err) != 2 || !strings.Contains(err.Error(), "--s3-endpoint") {
		t.Errorf("endpoint: got %v, want a wrong usage", err)
	}
	if _, err := New(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "--s3-region") {
		t.Errorf("no region: got %v", err)
	}
	if _, err := New(t.Context(), Options{Region: "eu-west-1"}); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("no credentials: got %v", err)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	f := newFake(t, limits{tries: 100, pause: time.Hour, longest: time.Hour, answer: time.Hour, silence: time.Hour, call: time.Hour})
	info := f.put(t, "x", body(10))
	ctx, cancel := context.WithCancel(t.Context())
	f.then(func(w http.ResponseWriter, r *http.Request, real http.Handler) bool {
		cancel()
		return busy(w, r, real)
	})
	if err := f.ReadAt(ctx, info, make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
}

func TestNamesOfObjectsAreJudged(t *testing.T) {
	for _, good := range []string{"s3://box/a/b.csv", "s3://my.bucket-1/", "s3://box", "s3://box/dt=2026-10-01/ü"} {
		n, err := Parse(good)
		if err != nil || n.String() != good && n.String() != good+"/" {
			t.Errorf("%q: got %v, %v", good, n, err)
		}
	}
	for _, bad := range []string{"", "s3:/x", "http://x", "s3://", "s3://ab/x", "s3://Box/x", "s3://-box/x", "s3://box/../x", "s3://box/a/./b", "s3://box/\x00",
		"s3://box/\xff", "s3://box/" + strings.Repeat("k", maxKey+1), "s3://" + strings.Repeat("b", 64) + "/x"} {
		if n, err := Parse(bad); fault.Code(err) != 2 {
			t.Errorf("%q: got %v, %v, want a wrong usage", bad, n, err)
		}
	}
	if _, err := Parse("s3://box/" + strings.Repeat("k", maxKey)); err != nil {
		t.Errorf("a key as long as is allowed: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("s3://box/a/b")
	f.Add("s3://box/../x")
	f.Fuzz(func(t *testing.T, path string) {
		hostile.Ceiling(t, len(path), 64<<10, 64, func() {
			n, err := Parse(path)
			if err != nil {
				return
			}
			again, err := Parse(n.String())
			if err != nil || again != n {
				t.Errorf("%q: got %v, and from that %v, %v", path, n, again, err)
			}
			// The library reads the bucket as the host, where it can read such a name at all.
			if u, err := url.Parse(path); err == nil && (u.Host != n.Bucket || u.User != nil) {
				t.Errorf("%q: got the bucket %q, the library %q", path, n.Bucket, u.Host)
			}
		})
	})
}
