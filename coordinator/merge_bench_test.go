package coordinator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// The round whose answers are merged: one of the larger ones in practice.
const mergedK, mergedD = 1000, 100

// encodedAnswer is the Partial of a worker with some ten thousand rows of 39 bits in each cluster.
func encodedAnswer(tb testing.TB) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	s := kmeans.NewSums(mergedK, mergedD, false)
	for j := range s.Counts {
		s.Counts[j] = 5000 + r.Int64N(10_000)
		for t := range mergedD {
			s.Values[j*mergedD+t] = exact.FromInt64(int64(r.NormFloat64() * (1 << 36) * float64(s.Counts[j])))
		}
	}
	data, err := wire.EncodePartial(&wire.Partial{Sums: s, Moved: 12345}, wire.PackNone)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func mergedTask() *wire.Task {
	return &wire.Task{Epoch: 1, Kind: wire.Iterate, Centroids: kmeans.NewCentroids(mergedK, mergedD)}
}

// wordSink keeps the compiler from leaving the reading out.
var wordSink uint64

// BenchmarkMergeOf256 is what a coordinator does with the answers of 256 workers to one round, from encoded messages
// that lie apart in memory to merged sums. "read" is a plain loop over the same bytes, the floor under it.
func BenchmarkMergeOf256(b *testing.B) {
	const workers = 256
	message := encodedAnswer(b)
	messages := make([][]byte, workers)
	ids := make([]int, workers)
	for i := range messages {
		messages[i], ids[i] = bytes.Clone(message), i
	}
	task := mergedTask()
	task.Round = 1
	context := task.Context(workers)
	b.Run("merge", func(b *testing.B) {
		b.SetBytes(int64(workers * len(message)))
		b.ReportAllocs()
		for b.Loop() {
			ledger, merged := NewLedger(1, 1, ids), new(wire.Partial)
			for i, data := range messages {
				p, err := wire.DecodePartial(data, context)
				if err == nil {
					err = ledger.Book(&wire.Answer{Epoch: 1, Round: 1, Worker: "w", Covered: ids[i : i+1], Partial: p})
				}
				if err != nil {
					b.Fatal(err)
				}
				merged.Merge(p)
			}
			merged.Unpack()
			if !ledger.Full() || merged.Moved != workers*12345 {
				b.Fatalf("not all is merged: %d moved", merged.Moved)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(workers * len(message)))
		for b.Loop() {
			var a0, a1, a2, a3 uint64
			for _, w := range messages {
				for ; len(w) >= 32; w = w[32:] {
					a0 += binary.LittleEndian.Uint64(w)
					a1 += binary.LittleEndian.Uint64(w[8:])
					a2 += binary.LittleEndian.Uint64(w[16:])
					a3 += binary.LittleEndian.Uint64(w[24:])
				}
			}
			wordSink += a0 + a1 + a2 + a3
		}
	})
}

// BenchmarkAnswers is the same over real connections: that many workers, in a process of their own, answer at one
// moment, and there is room for 8 MiB of answers. "peak-MiB" is the most that lay on the heap at any moment, garbage
// included, less what lay there before.
func BenchmarkAnswers(b *testing.B) {
	for _, workers := range []int{64, 128, 256} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			h := newHall(b, workers)
			h.round() // connections and buffers are made
			runtime.GC()
			before := heapBytes()
			peak := watchHeap(b)
			b.SetBytes(int64(workers * h.size))
			for b.Loop() {
				h.round()
			}
			b.ReportMetric(float64(int64(peak())-int64(before))/(1<<20), "peak-MiB")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*workers), "µs/answer")
		})
	}
}

// hall is a coordinator's server with a job in an assignment, over and over, and workers that know one answer.
type hall struct {
	b       *testing.B
	run     *jobRun
	workers int
	size    int // of an answer
	rounds  uint64
	orders  io.Writer // to the workers
}

func newHall(b *testing.B, workers int) *hall {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	store, err := checkpoint.Open(b.TempDir(), checkpoint.Options{})
	must(err)
	b.Cleanup(func() { store.Close() })
	s, err := NewServer(ServerConfig{Store: store, Epoch: 1, AnswerMemory: 8 << 20}, nil, nil)
	must(err)
	r := &jobRun{id: "job-merge", server: s, spec: &pb.JobSpec{PartitionRows: make([]int64, workers)}, info: &pb.JobInfo{}, log: newEventLog()}
	s.jobs[r.id] = r
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	g := grpc.NewServer(secure.ServerOptions(nil, secure.Limits{Rate: 1e6, Burst: 1e6})...)
	s.Register(g)
	served := make(chan struct{})
	go func() {
		defer close(served)
		g.Serve(listener)
	}()
	b.Cleanup(func() {
		g.Stop()
		<-served
	})
	h := &hall{b: b, run: r, workers: workers, size: len(encodedAnswer(b))}
	command := exec.Command(os.Args[0], "-test.run=^TestWorkersOfTheHall$")
	command.Env = append(os.Environ(), fmt.Sprintf("COTERIE_HALL=%s %d", listener.Addr(), workers))
	command.Stderr = os.Stderr
	h.orders, err = command.StdinPipe()
	must(err)
	must(command.Start())
	b.Cleanup(func() {
		h.orders.(io.Closer).Close()
		command.Wait()
	})
	return h
}

// round has all workers answer at once, and returns when what they said is merged.
func (h *hall) round() {
	h.rounds++
	task := mergedTask()
	task.Round = h.rounds
	manifest := &partition.Manifest{Rows: int64(h.workers)}
	for i := range h.workers {
		manifest.Partitions = append(manifest.Partitions, partition.Partition{ID: i, First: int64(i), Rows: 1})
	}
	job, err := newJob(Config{Manifest: manifest, Workers: 1, Window: 1, Epoch: 1}, nil)
	if err != nil {
		h.b.Fatal(err)
	}
	job.begun, job.round, job.task, job.merged = true, h.rounds, *task, new(wire.Partial)
	job.ledger = NewLedger(1, h.rounds, job.everything())
	job.onMerge = func(p *wire.Partial) []Action {
		if p.Moved != int64(h.workers)*12345 {
			h.b.Errorf("%d moved", p.Moved)
		}
		return job.finish()
	}
	r, mail := h.run, newMailbox()
	r.mu.Lock()
	r.mail, r.epoch, r.round, r.kind, r.context = mail, 1, h.rounds, wire.Iterate, task.Context(h.workers)
	r.mu.Unlock()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	var pumped sync.WaitGroup
	pumped.Go(func() { mail.pump(ctx) })
	fmt.Fprintln(h.orders, h.rounds)
	err = Run(ctx, job, answersOnly{mail}, func(Action) {})
	stop()
	pumped.Wait()
	if err != nil {
		h.b.Fatal(err)
	}
}

// answersOnly is a Transport of a job whose tasks are known already.
type answersOnly struct{ mail *mailbox }

func (a answersOnly) Events() <-chan Event { return a.mail.out }
func (a answersOnly) Send(context.Context, string, *wire.Task) error {
	return errors.New("nothing is sent here")
}

// TestWorkersOfTheHall is the other process of BenchmarkAnswers: each worker has a connection of its own, as in life.
func TestWorkersOfTheHall(t *testing.T) {
	address, count, asked := strings.Cut(os.Getenv("COTERIE_HALL"), " ")
	if !asked {
		t.Skip("this is for BenchmarkAnswers")
	}
	workers, err := strconv.Atoi(count)
	if err != nil {
		t.Fatal(err)
	}
	data := encodedAnswer(t)
	clients := make([]pb.BulkClient, workers)
	for i := range clients {
		conn, err := grpc.NewClient(address, secure.DialOptions(nil, secure.Coordinator, secure.Limits{})...)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		clients[i] = pb.NewBulkClient(conn)
	}
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		round, err := strconv.ParseUint(orders.Text(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for i, client := range clients {
			wait.Go(func() {
				head := &pb.AnswerHead{Worker: fmt.Sprint("w", i), Covered: []uint32{uint32(i)}, Size: uint64(len(data)),
					Ref: &pb.TaskRef{Job: "job-merge", Epoch: 1, Round: round}}
				if err := answerAs(t.Context(), client, head, data); err != nil {
					t.Errorf("worker %d, round %d: %v", i, round, err)
				}
			})
		}
		wait.Wait()
	}
}

// answerAs sends an answer as a worker does.
func answerAs(ctx context.Context, client pb.BulkClient, head *pb.AnswerHead, data []byte) error {
	stream, err := client.Answer(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Head{Head: head}})
	if err == nil && len(data) > wire.UnaskedBytes {
		_, err = stream.Header()
	}
	for len(data) > 0 && err == nil {
		n := min(len(data), chunkBytes)
		err = stream.Send(&pb.AnswerPart{Part: &pb.AnswerPart_Data{Data: data[:n]}})
		data = data[n:]
	}
	_, closed := stream.CloseAndRecv()
	return closed
}

// heapBytes is what lies on the heap, garbage included.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// watchHeap looks at the heap each millisecond; peak ends that and gives the most that it saw.
func watchHeap(b *testing.B) (peak func() uint64) {
	most, stop, done := uint64(0), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for ticker := time.NewTicker(time.Millisecond); ; {
			most = max(most, heapBytes())
			select {
			case <-ticker.C:
			case <-stop:
				ticker.Stop()
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return most
	}
}
