package secure

import (
	"maps"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestCallsThatFailAreCountedByTheirCode(t *testing.T) {
	ca := newForge(t)
	var f Failures
	l := Limits{Message: leastMessage, Rate: 1e-9, Burst: 2}
	d := open(t, ca.identity(t, Coordinator), l, f.Option())
	client := dial(t, d.address, DialOptions(ca.identity(t, Client), Coordinator, Limits{})...)
	worker := dial(t, d.address, raw(ca.pool(), ca.leaf(t, []Role{Worker})))
	listJobs(t, worker)                                                                                                // not its role
	listJobs(t, client)                                                                                                // the handlers here implement nothing
	coteriev1.NewJobsClient(client).Cancel(brief(t), &coteriev1.CancelRequest{Job: strings.Repeat("j", leastMessage)}) // too large
	coteriev1.NewJobsClient(client).Cancel(brief(t), &coteriev1.CancelRequest{})                                       // its last token
	coteriev1.NewJobsClient(client).Cancel(brief(t), &coteriev1.CancelRequest{})                                       // too often
	want := map[codes.Code]int64{codes.PermissionDenied: 1, codes.Unimplemented: 2, codes.ResourceExhausted: 2}
	got := make(map[codes.Code]int64)
	for deadline := time.Now().Add(patience); !maps.Equal(got, want) && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		clear(got) // a call is counted just after its answer has gone
		f.Each(func(code codes.Code, n int64) { got[code] = n })
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
