package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
)

func TestAWorkerWithARootThatIsOfNoUseIsNotReady(t *testing.T) {
	m := &objecttest.Memory{}
	t.Cleanup(object.Use(m))
	failing := func(is error, problem string) func(n object.Name) error {
		return func(n object.Name) error { return object.Failure(fault.Input, n, is, problem, "look") }
	}
	for name, c := range map[string]struct {
		fail   func(n object.Name) error
		code   int
		says   string // in the error
		warned bool
	}{
		"empty":             {func(object.Name) error { return nil }, 0, "", false},
		"listing denied":    {failing(object.ErrDenied, "access is denied"), 0, "", false},
		"store away":        {failing(object.ErrAway, "cannot be reached"), 0, "", true},
		"no such bucket":    {failing(object.ErrNotFound, "the bucket s3://nope does not exist"), 1, "--data-root s3://nope: s3://nope/: the bucket", false},
		"wrong credentials": {failing(object.ErrIdentity, "the credentials are not valid"), 1, "the credentials are not valid", false},
		"in another region": {failing(nil, "the bucket lies in another region"), 1, "another region", false},
	} {
		m.Fault = func(_ string, n object.Name) error { return c.fail(n) }
		var log bytes.Buffer
		err := checkObjectRoots(t.Context(), []string{"/data", "s3://nope"}, slog.New(slog.NewTextHandler(&log, nil)))
		if fault.Code(err) != c.code || c.code != 0 && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want code %d and %q", name, err, c.code, c.says)
		}
		if warned := strings.Contains(log.String(), "level=WARN"); warned != c.warned {
			t.Errorf("%s: it logs %q", name, log.String())
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := checkObjectRoots(ended, []string{"s3://nope"}, slog.Default()); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: got %v", err)
	}
	m.Fault = failingAt("List", failing(object.ErrNotFound, "the bucket s3://nope does not exist"))
	if got := coterie("worker", "--join", "127.0.0.1:1", "--data-root", "s3://nope"); got.code != 1 || strings.Contains(got.stderr+got.stdout, "ready") {
		t.Errorf("got %+v, want it refused before it is ready", got)
	}
}

func failingAt(method string, fail func(n object.Name) error) func(string, object.Name) error {
	return func(called string, n object.Name) error {
		if called == method {
			return fail(n)
		}
		return nil
	}
}
