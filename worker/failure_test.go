package worker

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/internal/wire"
)

func TestWhatAWorkerAloneLacksIsToldAsItsOwn(t *testing.T) {
	s := &session{id: "job-x", node: &Node{config: NodeConfig{Name: "worker-3"}}}
	_, gone := spill.Open(filepath.Join(t.TempDir(), "gone"))
	small := tooLittle{fault.Failedf(nil, "5 MiB of memory are not enough").Do("--memory 9MiB will do")}
	other := fault.Failedf(nil, "a file cannot be read").Do("try again")
	for name, c := range map[string]struct {
		err    error
		kind   fault.Kind
		noDisk bool
		own    bool
	}{"disk": {gone, fault.Unavailable, true, true}, "memory": {small, fault.Unavailable, false, true}, "other": {other, fault.Failed, false, false}} {
		f := s.failure(c.err)
		got := wire.DecodeFailure(f)
		if f.NoDisk != c.noDisk || fault.Code(got) != int(c.kind) || strings.Contains(got.Error(), "on worker worker-3: ") != c.own ||
			strings.Contains(got.Error(), "a flag of coterie worker") != c.own {
			t.Errorf("%s: got %v, no disk %v, exit code %d", name, got, f.NoDisk, fault.Code(got))
		}
	}
}

func TestATaskThatFailsIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := &session{id: "job-x", node: &Node{config: NodeConfig{Name: "w", Log: slog.New(slog.NewTextHandler(&log, nil))}}, refs: make(map[string][]uint64)}
	s.failed(&wire.Answer{Round: 7, Covered: []int{1, 2}, Err: fault.Failedf(nil, "the disk is full")})
	if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, "round=7") || !strings.Contains(got, "the disk is full") || !strings.Contains(got, "job=job-x") {
		t.Errorf("got %q, want a line that names the job, the round and the cause", got)
	}
	log.Reset()
	s.failed(&wire.Answer{Err: context.Canceled})
	if log.Len() > 0 {
		t.Errorf("got %q of a task that was given up, want nothing", log.String())
	}
}
