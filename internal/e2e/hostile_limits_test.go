//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// The bounds of what the strangers do.
const (
	garbage = 64 << 10 // bytes to a connection
	idle    = 300      // connections that say nothing
	packets = 500      // of junk to the gossip
	// growth is how many bytes a coordinator may take more while they do it: 300 connections of some 64 KiB, messages
	// of 8 MiB that are read before they are refused, and what the collector has not collected.
	growth = 64 << 20
)

// resident is how many bytes of memory a process takes; 0 for one that has gone.
func (d *daemon) resident() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(value)[0])
			return n << 10
		}
	}
	return 0
}

// watched looks at the memory of a process again and again; most ends that and gives the most it has taken.
func (d *daemon) watched(t *testing.T) (most func() int) {
	peak, stop := make(chan int, 1), make(chan struct{})
	end := sync.OnceFunc(func() { close(stop) })
	t.Cleanup(end)
	go func() {
		bytes := 0
		for {
			select {
			case <-stop:
				peak <- bytes
				return
			case <-time.After(50 * time.Millisecond):
				bytes = max(bytes, d.resident())
			}
		}
	}()
	return func() int {
		end()
		return <-peak
	}
}

// stranger is somebody who speaks to the ports without being asked.
type stranger struct {
	*testing.T
	random *rand.Rand
}

func (s *stranger) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(s.random.Uint32())
	}
	return b
}

// shouts writes garbage to a port, also behind what looks like the beginning of a conversation.
func (s *stranger) shouts(address string) {
	s.Helper()
	for _, opening := range []string{"", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00"} {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			s.Errorf("%s does not answer: %v", address, err)
			return
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write(append([]byte(opening), s.bytes(garbage)...)) // the other side hangs up in the middle of it
		conn.Close()
	}
}

// waits opens connections that say nothing, and returns once all of them have been hung up.
func (s *stranger) waits(address string) {
	s.Helper()
	var open []net.Conn
	for range idle {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			s.Errorf("%s does not answer the %d. time: %v", address, len(open)+1, err)
			return
		}
		defer conn.Close()
		open = append(open, conn)
	}
	for i, conn := range open {
		conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			s.Errorf("%s has kept a connection (%d of %d) that says nothing", address, i+1, idle)
			return
		}
	}
}

// calls makes calls that no program of ours makes. Each must fail with a reason.
func (s *stranger) calls(address string, job jobView, epoch uint64) {
	s.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(s.Context(), 30*time.Second)
	defer cancel()
	answer := func(head *pb.AnswerHead, data []byte) error {
		stream, err := pb.NewBulkClient(conn).Answer(ctx)
		if err == nil {
			err = stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Head{Head: head}})
		}
		if err == nil && data != nil {
			err = stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Data{Data: data}})
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		_, err = stream.CloseAndRecv()
		return err
	}
	jobs, control := pb.NewJobsClient(conn), pb.NewControlClient(conn)
	submit := func(size uint64, data []byte) error {
		stream, err := jobs.Submit(ctx)
		if err == nil {
			err = stream.Send(&pb.SubmitPart{Part: &pb.SubmitPart_Head{Head: &pb.SubmitHead{Size: size}}})
		}
		if err == nil && data != nil {
			err = stream.Send(&pb.SubmitPart{Part: &pb.SubmitPart_Data{Data: data}})
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		_, err = stream.CloseAndRecv()
		return err
	}
	for name, call := range map[string]func() error{
		"an unknown method": func() error { return conn.Invoke(ctx, "/coterie.v1.Jobs/Burn", &pb.ListRequest{}, &pb.ListReply{}) },
		"an unknown service": func() error {
			return conn.Invoke(ctx, "/"+strings.Repeat("x", 5000)+"/y", &pb.ListRequest{}, &pb.ListReply{})
		},
		"a message of 64 MiB": func() error {
			_, err := jobs.Show(ctx, &pb.ShowRequest{Job: strings.Repeat("j", 64<<20)})
			return err
		},
		"a header of 1 MiB": func() error {
			_, err := jobs.List(metadata.AppendToOutgoingContext(ctx, "junk", strings.Repeat("j", 1<<20)), &pb.ListRequest{})
			return err
		},
		"a job of garbage":    func() error { return submit(4096, s.bytes(4096)) },
		"a job of an exabyte": func() error { return submit(1<<60, nil) },
		"an answer for a job that does not exist": func() error {
			return answer(&pb.AnswerHead{Ref: &pb.TaskRef{Job: "job-nobody", Epoch: epoch, Round: 1}, Size: 100}, s.bytes(100))
		},
		"an answer of an exabyte": func() error {
			return answer(&pb.AnswerHead{Ref: &pb.TaskRef{Job: job.ID, Epoch: epoch, Round: 1}, Size: 1 << 60}, nil)
		},
		"an answer without a head": func() error { return answer(nil, s.bytes(100)) },
		"a worker without a name": func() error {
			stream, err := control.Join(ctx)
			if err == nil {
				err = stream.Send(&pb.WorkerNote{Note: &pb.WorkerNote_Beat{Beat: &pb.Beat{MemoryUsed: 1 << 63}}})
			}
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		},
		"ids of a job that does not exist": func() error {
			stream, err := pb.NewExchangeClient(conn).IDs(ctx, &pb.IDsRequest{Job: "job-nobody", Epoch: 1 << 63, Partitions: []uint32{1 << 31}, Of: 1 << 31})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		},
		"data outside of the data roots": func() error {
			_, err := pb.NewExchangeClient(conn).Describe(ctx, &pb.DescribeRequest{Files: []string{"/etc/passwd", "/../etc/passwd"}})
			return err
		},
	} {
		switch code := status.Code(call()); code {
		case codes.OK, codes.DeadlineExceeded, codes.Canceled:
			s.Errorf("%s at %s: got %v, want a refusal", name, address, code)
		case codes.Internal:
			// What the library says of a header that is too long; a handler that panics says so in the log.
			if name != "a header of 1 MiB" {
				s.Errorf("%s at %s: got %v, want a refusal that is meant", name, address, code)
			}
		}
	}
}

// keepsOthersOut says for the round under way that a large answer comes, takes all the room there is for answers, and
// then says nothing. It returns once the coordinator has given it up.
func (s *stranger) keepsOthersOut(head *daemon, job jobView, epoch uint64) {
	s.Helper()
	conn, err := grpc.NewClient(head.rpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(s.Context(), 60*time.Second)
	defer cancel()
	const rounds = 400 // which of them is under way, a stranger does not know: it tries them all
	ends := make(chan error, rounds)
	try := func(round uint64) {
		stream, err := pb.NewBulkClient(conn).Answer(ctx)
		if err == nil {
			err = stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Head{Head: &pb.AnswerHead{Size: 60 << 30,
				Ref: &pb.TaskRef{Job: job.ID, Epoch: epoch, Round: round}}}})
		}
		if err == nil {
			err = stream.RecvMsg(new(pb.Receipt))
		}
		ends <- err
	}
	for range 5 { // a round may begin just when it would have been its turn
		for round := range uint64(rounds) {
			go try(round + 1)
		}
		took, givenUp := false, 0
		for range rounds {
			for waiting := true; waiting; {
				select {
				case err := <-ends:
					waiting = false
					if status.Code(err) == codes.DeadlineExceeded && ctx.Err() == nil {
						givenUp++
					}
				case <-time.After(100 * time.Millisecond):
					took = took || metric(s.T, head, "answer_bytes") >= 1<<30
				}
			}
		}
		if took && givenUp > 0 {
			return
		}
	}
	s.Error("no answer took all the room, said nothing and was given up")
}

// gossips sends junk to a gossip port, by UDP and TCP.
func (s *stranger) gossips(address string) {
	s.Helper()
	conn, err := net.Dial("udp", address)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	for range packets {
		packet := s.bytes(1 + s.random.IntN(1400))
		packet[0] = byte(s.random.IntN(16)) // the kinds of messages that there are
		_, _ = conn.Write(packet)           // what the kernel drops, the kernel drops
	}
	s.shouts(address)
}

// Strangers do their worst at all ports while a job runs. Without TLS nothing but the protocol stands in their way.
func TestStrangersAtThePortsDoNotHarmAJob(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a job and strangers for half a minute: not with -short")
	}
	head := leadOnLoopback(t)
	// The job must last longer than all strangers do.
	snail := []string{fmt.Sprintf("COTERIE_FAILPOINT=iterate:1:sleep=%v", withDetector(time.Second))}
	slow := []*daemon{localWorker(t, "w1", head, snail), localWorker(t, "w2", head, snail)}
	fit := beginFit(t, nil, append([]string{"--cluster", head.rpc}, longJob...)...)
	until(t, 20*time.Second, "the fit iterates", func() bool { return look(t, nil, head.rpc).job().Iteration >= 2 })
	job, epoch := look(t, nil, head.rpc).job(), uint64(metric(t, head, "epoch"))
	before := head.resident()
	most := head.watched(t)
	t.Run("at", func(t *testing.T) {
		for i, d := range []*daemon{head, slow[0]} {
			s := func(t *testing.T, n uint64) *stranger {
				return &stranger{t, rand.New(rand.NewPCG(uint64(i), n))}
			}
			t.Run(fmt.Sprintf("%s garbage", d.name), func(t *testing.T) { t.Parallel(); s(t, 1).shouts(d.rpc) })
			t.Run(fmt.Sprintf("%s silence", d.name), func(t *testing.T) { t.Parallel(); s(t, 2).waits(d.rpc) })
			t.Run(fmt.Sprintf("%s calls", d.name), func(t *testing.T) { t.Parallel(); s(t, 3).calls(d.rpc, job, epoch) })
			t.Run(fmt.Sprintf("%s gossip", d.name), func(t *testing.T) { t.Parallel(); s(t, 4).gossips(d.gossip) })
		}
	})
	(&stranger{t, nil}).keepsOthersOut(head, job, epoch)
	peak := most()
	if most := withShadow(growth); before == 0 || peak-before > most {
		t.Errorf("the coordinator took %d MiB before and %d MiB under attack, want at most %d MiB more", before>>20, peak>>20, most>>20)
	}
	t.Logf("the coordinator took %d MiB before and %d MiB under attack", before>>20, peak>>20)
	if metric(t, head, "gossip_refused_total") == 0 {
		t.Error("no gossip was refused: the junk did not arrive")
	}
	if j := look(t, nil, head.rpc).job(); j.State != "running" {
		t.Fatalf("got %+v, want the job under way: the strangers came too late", j)
	}
	fast := localWorker(t, "fast", head, nil)
	for _, d := range slow {
		if d.gone() {
			t.Errorf("%s has gone", d.name)
		}
		d.kill()
	}
	if got, want := fit.digest(), digestHere(t, longJob...); got != want {
		t.Errorf("got digest %s, want that of one process, %s", got, want)
	}
	for _, d := range append(slow, head, fast) {
		if log := d.log.String(); strings.Contains(log, "panic") {
			t.Errorf("a handler of %s panicked: %s", d.name, log)
		}
	}
}
