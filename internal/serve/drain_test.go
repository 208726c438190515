package serve

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/coterie-project/coterie/feature"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestTheServerFinishesWhatIsUnderWay(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, nil)
	// Over both protocols a request is there in part when the end comes.
	web, err := net.Dial("tcp", r.site.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	const body = `{"values": {"age": 21}}`
	fmt.Fprintf(web, "POST /v1/lookup HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:10])
	until(t, "the request over HTTP", func() bool { return len(r.ones) == 1 })
	watch, err := healthpb.NewHealthClient(r.conn).Watch(t.Context(), &healthpb.HealthCheckRequest{Service: coteriev1.Lookup_ServiceDesc.ServiceName})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("health: got %v, %v", got, err)
	}
	call, err := r.conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, coteriev1.Lookup_Find_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	// What comes after it on the same connection is answered, so it has arrived.
	if _, err := coteriev1.NewLookupClient(r.conn).Model(t.Context(), &coteriev1.ModelRequest{}); err != nil {
		t.Fatal(err)
	}
	r.stop()
	until(t, "the drain", r.draining.Load)
	for { // it is told, or cut off after that
		if got, err := watch.Recv(); err != nil || got.Status == healthpb.HealthCheckResponse_NOT_SERVING {
			break
		}
	}
	select {
	case err := <-r.done:
		t.Fatalf("it ended with %v while requests were under way", err)
	default:
	}
	fmt.Fprint(web, body[10:])
	reply, err := http.ReadResponse(bufio.NewReader(web), nil)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Errorf("HTTP: got %v, %v, want an answer", reply, err)
	}
	got := new(coteriev1.FindReply)
	if err := call.SendMsg(&coteriev1.FindRequest{Numbers: map[string]float64{"age": 21}}); err != nil {
		t.Error(err)
	}
	call.CloseSend()
	if err := call.RecvMsg(got); err != nil || got.Segment != 0 || got.Digest == "" {
		t.Errorf("gRPC: got %v, %v, want an answer", got, err)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
	if conn, err := net.Dial("tcp", r.site.Addr().String()); err == nil {
		conn.Close()
		t.Error("connections are taken still")
	}
}

func TestWhatTakesTooLongIsCutOff(t *testing.T) {
	slow := usual
	slow.body = time.Hour // so that nothing but the grace ends it
	r := start(t, shop(feature.Mean, false), slow, func(r *running) { r.grace = 20 * time.Millisecond })
	web, err := net.Dial("tcp", r.site.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	fmt.Fprint(web, "POST /v1/lookup HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
	until(t, "the request", func() bool { return len(r.ones) == 1 })
	if _, err := r.conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, coteriev1.Lookup_Find_FullMethodName); err != nil {
		t.Fatal(err)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
}

func TestReadinessEndsWithTheDrain(t *testing.T) {
	r := start(t, shop(feature.Mean, false), usual, nil)
	if status, answer := r.call(t, "/readyz", ""); status != http.StatusOK || answer != "ok\n" {
		t.Errorf("got %d, %q", status, answer)
	}
	r.draining.Store(true)
	if status, answer := r.call(t, "/readyz", ""); status != http.StatusServiceUnavailable || answer != "the server is stopping\n" {
		t.Errorf("got %d, %q, want 503", status, answer)
	}
	if status, _ := r.call(t, "/healthz", ""); status != http.StatusOK {
		t.Errorf("/healthz: got %d, want the process alive", status)
	}
}

func TestALookThatDoesNotEndHoldsUpTheEndForTheGraceAlone(t *testing.T) {
	stuck, looks := make(chan struct{}), make(chan struct{})
	r := start(t, shop(feature.Mean, false), usual, func(r *running) {
		r.grace = 10 * time.Millisecond
		r.holder.now = func() time.Time {
			close(looks)
			<-stuck
			return time.Now()
		}
	})
	r.reload <- syscall.SIGHUP
	<-looks
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(r.log.String(), "the look at the model file was cut off") {
		t.Errorf("the log does not say so: %s", r.log.String())
	}
	r.holder.now = time.Now
	close(stuck)
}
