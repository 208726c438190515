package serve

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-project/coterie/feature"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestTheModelIsExchangedUnderLoadWithoutALostRequest(t *testing.T) {
	models := []string{shop(feature.Mean, false).Digest(), shop(feature.Mean, true).Digest()}
	r := start(t, shop(feature.Mean, false), usual, nil)
	client := coteriev1.NewLookupClient(r.conn)
	// Which segment a young customer has, by the model that says so.
	want := map[string]int{models[0]: 0, models[1]: 2}
	var over atomic.Bool
	var wait sync.WaitGroup
	var asked [2]atomic.Int64
	hammer := func(ask func() (digest string, segment int, err error)) {
		wait.Go(func() {
			for !over.Load() {
				digest, segment, err := ask()
				if expected, known := want[digest]; err != nil || !known || segment != expected {
					t.Errorf("got segment %d of model %.8s, %v", segment, digest, err)
					return
				}
				if digest == models[1] {
					asked[1].Add(1)
				} else {
					asked[0].Add(1)
				}
			}
		})
	}
	for range 2 {
		hammer(func() (string, int, error) {
			status, answer := r.call(t, "/v1/lookup", `{"values": {"age": 21, "gender": "f"}}`)
			if status != http.StatusOK {
				return "", 0, fmt.Errorf("status %d: %s", status, answer)
			}
			a := results(t, answer)
			return a.Digest, a.Results[0].Segment, nil
		})
		hammer(func() (string, int, error) {
			reply, err := client.Find(t.Context(), &coteriev1.FindRequest{Numbers: map[string]float64{"age": 21}})
			return reply.GetDigest(), int(reply.GetSegment()), err
		})
		hammer(func() (string, int, error) {
			reply, err := client.FindBatch(t.Context(), columns(21, 21, 21))
			if err != nil {
				return "", 0, err
			}
			return reply.Digest, int(reply.Segments[2]), nil
		})
	}
	for i := range 20 {
		before := asked[(i+1)%2].Load()
		put(t, r.path, shop(feature.Mean, i%2 == 0))
		r.reload <- syscall.SIGHUP
		until(t, "the new model", func() bool { return r.holder.current.Load().Digest() == models[(i+1)%2] })
		until(t, "answers of the new model", func() bool { return asked[(i+1)%2].Load() > before || t.Failed() })
	}
	over.Store(true)
	wait.Wait()
	if loads := r.holder.loads.Load(); loads < 21 || r.holder.refused.Load() != 0 {
		t.Errorf("%d models came into use and %d attempts failed, want 21 at least and none", loads, r.holder.refused.Load())
	}
}

func TestAChangedFileIsNoticedByItself(t *testing.T) {
	quick := usual
	quick.poll = 2 * time.Millisecond
	r := start(t, shop(feature.Mean, false), quick, nil)
	put(t, r.path, shop(feature.Mean, true))
	until(t, "the new model", func() bool { return r.holder.current.Load().Digest() == shop(feature.Mean, true).Digest() })
}

func TestADamagedFileKeepsTheModel(t *testing.T) {
	quick := usual
	quick.poll, quick.again = 2*time.Millisecond, 2*time.Millisecond
	r := start(t, shop(feature.Mean, false), quick, nil)
	good, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func() error{
		"cut off": func() error { return os.WriteFile(r.path, good[:len(good)/2], 0o666) },
		"gone":    func() error { return os.Remove(r.path) },
		"another": func() error { return os.WriteFile(r.path, []byte("id,age\n1,2\n"), 0o666) },
	} {
		warned := strings.Count(r.log.String(), "cannot be used")
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		until(t, "a look at the file that is "+name, func() bool { return r.holder.problem.Load() != nil })
		tries := r.holder.refused.Load()
		until(t, "further attempts", func() bool { return r.holder.refused.Load() > tries+2 })
		if status, answer := r.call(t, "/readyz", ""); status != http.StatusOK || !strings.HasPrefix(answer, "ok, but with the model of ") || !strings.Contains(answer, "model.json: ") {
			t.Errorf("%s: /readyz says %d, %q", name, status, answer)
		}
		if _, answer := r.call(t, "/metrics", ""); !strings.Contains(answer, "coterie_serve_model_unusable 1\n") {
			t.Errorf("%s: the metrics do not say so", name)
		}
		if status, answer := r.call(t, "/v1/lookup", `{"values": {"age": 21}}`); status != http.StatusOK || results(t, answer).Results[0].Segment != 0 {
			t.Errorf("%s: got %d, %s, want the old model's answer", name, status, answer)
		}
		// A file that is written in place may be seen at two stages.
		if now := strings.Count(r.log.String(), "cannot be used"); now <= warned || now > warned+2 {
			t.Errorf("%s: %d lines of the log for one change", name, now-warned)
		}
		if err := os.WriteFile(r.path, good, 0o666); err != nil {
			t.Fatal(err)
		}
		until(t, "the file that is whole again", func() bool { return r.holder.problem.Load() == nil })
	}
	if _, answer := r.call(t, "/readyz", ""); answer != "ok\n" {
		t.Errorf("/readyz says %q, want ok", answer)
	}
}

func TestAModelThatCannotBeReadAtFirstEndsTheStart(t *testing.T) {
	rpc, web := listen(t), listen(t)
	if _, err := New(Config{Model: "nowhere.json", RPC: rpc, HTTP: web}); err == nil || !strings.Contains(err.Error(), "nowhere.json") {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if _, err := rpc.Accept(); err == nil {
		t.Error("the listener is open still")
	}
}
