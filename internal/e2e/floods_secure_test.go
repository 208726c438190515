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
	"strings"
	"syscall"
	"testing"
	"time"
)

// flood is what strangers without a certificate and without the key of the gossip do from machines of their own: other
// addresses of loopback.
type flood struct {
	*testing.T
	head *daemon
	idle int // connections to each port
}

// floodFDs is how many descriptors the coordinator may have open more while they do it: the room for strangers at its ports
// (of one address half of it, and two sit at each), 512, 512 and 2 × 64, and what comes and goes.
const floodFDs = 512 + 512 + 2*64 + 100

// descriptors is how many files a process has open.
func (d *daemon) descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// from dials from an address of loopback. An error is the port's answer too: it may be full.
func (f *flood) from(own byte, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, own)}}
	conn, err := d.Dial("tcp", address)
	if err == nil {
		conn.SetDeadline(time.Now().Add(60 * time.Second))
	}
	return conn, err
}

// sits opens connections that say no more than the beginning, and returns when the other side has hung up on all.
func (f *flood) sits(own byte, address, beginning string) {
	var open []net.Conn
	for range f.idle {
		conn, err := f.from(own, address)
		if err != nil {
			f.Errorf("%s does not answer: %v", address, err)
			break
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, beginning) // who was refused hears nothing
		open = append(open, conn)
	}
	for i, conn := range open {
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			f.Errorf("%s has kept a connection (%d of %d) after %q", address, i+1, len(open), beginning)
			return
		}
	}
}

// drips sends a byte now and then, for as long as the other side listens.
func (f *flood) drips(own byte, address, beginning, drop string) {
	conn, err := f.from(own, address)
	if err != nil {
		return // it is full, and says so
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, beginning); err != nil {
		return
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		_, _ = io.Copy(io.Discard, conn)
	}()
	for limit := time.After(60 * time.Second); ; {
		select {
		case <-heard:
			return
		case <-limit:
			f.Errorf("%s has listened for a minute to %q and %q", address, beginning, drop)
			conn.Close()
			<-heard
			return
		case <-time.After(100 * time.Millisecond):
			_, _ = io.WriteString(conn, drop)
		}
	}
}

// talks sends what is too much at once; the other side answers with a refusal or hangs up.
func (f *flood) talks(own byte, address, what string) {
	conn, err := f.from(own, address)
	if err != nil {
		return
	}
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, what) }()
	answer, _ := io.ReadAll(io.LimitReader(conn, 1<<20))
	if strings.HasPrefix(string(answer), "HTTP/1.1 2") {
		f.Errorf("%s took %.40q… of %d bytes: %.60q", address, what, len(what), answer)
	}
}

// gossips sends packets of all kinds to the gossip, also with the name of the cluster, but without its key.
func (f *flood) gossips(address string) {
	conn, err := net.Dial("udp", address)
	if err != nil {
		f.Error(err)
		return
	}
	defer conn.Close()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 20 * f.idle {
		packet := make([]byte, 1+random.IntN(4000))
		for j := range packet {
			packet[j] = byte(random.Uint32())
		}
		if i%2 == 0 {
			packet = append([]byte("\xf4\x0fcoterie/coterie"), packet...)
		}
		_, _ = conn.Write(packet) // what the kernel drops, the kernel drops
	}
}

// all lets them do it at once, and returns when the last one has given up.
func (f *flood) all() {
	var jobs []func()
	add := func(job func()) { jobs = append(jobs, job) }
	rpc, gossip, http := f.head.rpc, f.head.gossip, f.head.http
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // of TLS, cut short
	add(func() { f.sits(2, rpc, "") })
	add(func() { f.sits(3, rpc, hello) })
	add(func() { f.sits(4, http, "") })
	add(func() { f.sits(5, http, "GET /metrics HTTP/1.1\r\nX-A: ") })
	add(func() { f.sits(6, gossip, "") })
	add(func() { f.sits(7, gossip, "\xf4\x0fcoterie/coterie\x0a\x00\xff\xff\xff") })
	add(func() { f.gossips(gossip) })
	for range 10 {
		add(func() { f.drips(8, rpc, hello, "a") })
		add(func() { f.drips(8, http, "GET / HTTP/1.1\r\n", "a") })
		add(func() { f.drips(8, http, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", "a") })
		add(func() { f.talks(8, http, "GET / HTTP/1.1\r\nHost: a\r\nX-A: "+strings.Repeat("a", 1<<20)+"\r\n\r\n") })
		add(func() {
			f.talks(8, http, "GET /"+strings.Repeat("../", 1<<15)+"etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n")
		})
		add(func() {
			f.talks(8, http, "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 4000000\r\n\r\n"+strings.Repeat("a", 4000000))
		})
		add(func() {
			f.talks(8, rpc, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+strings.Repeat("\x00\x00\x00\x04\x00\x00\x00\x00\x00", 100000))
		})
		add(func() { f.talks(8, rpc, "\x16\x03\x01\xff\xff"+strings.Repeat("a", 1<<20)) })
	}
	ended := make(chan struct{})
	for _, job := range jobs {
		go func() {
			defer func() { ended <- struct{}{} }()
			job()
		}()
	}
	for range jobs {
		<-ended
	}
}

// Thousands of connections that say nothing, little or too much, and gossip without the key, while a job runs under TLS: the
// job comes to its digest, and who asks how it is gets an answer all the while.
func TestFloodsOfStrangersDoNotHarmAJob(t *testing.T) {
	if testing.Short() {
		t.Skip("a job and floods for some seconds: not with -short")
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < 8192 {
		t.Skipf("this process may open %d files, and the flood takes 8192", files.Cur)
	}
	t.Parallel()
	f := newFortress(t, 0)
	snail := "COTERIE_FAILPOINT=iterate:1:sleep=500ms" // so that all of the flood falls into the job
	slow := []*daemon{f.worker("w1", f.flags("worker"), snail), f.worker("w2", f.flags("worker"), snail)}
	until(t, 20*time.Second, "both workers are there", func() bool { return len(f.look().Workers) == 2 })
	fit := beginFit(t, nil, append(append([]string{"--cluster", f.head.rpc}, papers(f.pki, "client")...), longJob...)...)
	until(t, 20*time.Second, "the fit iterates", func() bool { return f.look().job().Iteration >= 2 })

	before, files0, began := f.head.resident(), f.head.descriptors(t), f.look().job().Iteration
	most := f.head.watched(t)
	ctx, over := context.WithCancel(t.Context())
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		defer over()
		(&flood{T: t, head: f.head, idle: 700}).all()
	}()
	looks, mostFiles := 0, 0
	for ; ctx.Err() == nil; looks++ { // friends ask, from another address, by TLS and over HTTP
		if v := f.look(); len(v.Workers) != 2 {
			t.Errorf("got %+v, want both workers all the time", v)
		}
		metric(t, f.head, "epoch")
		mostFiles = max(mostFiles, f.head.descriptors(t))
	}
	<-flooded
	peak := most()
	if most := withShadow(growth); peak-before > most {
		t.Errorf("the coordinator took %d MiB before and %d MiB under the flood, want at most %d MiB more", before>>20, peak>>20, most>>20)
	}
	if mostFiles-files0 > floodFDs {
		t.Errorf("it had %d files open before and %d under the flood, want at most %d more", files0, mostFiles, floodFDs)
	}
	for _, name := range []string{`connections_refused_total{api="grpc"}`, `connections_refused_total{api="http"}`, "gossip_refused_total", "peers_refused_total"} {
		if metric(t, f.head, name) == 0 {
			t.Errorf("%s is 0: nothing of the flood was counted there", name)
		}
	}
	v := f.look()
	if j := v.job(); j.State != "running" || j.Iteration <= began {
		t.Errorf("got %+v, want the job under way, further than iteration %d", j, began)
	}
	until(t, 30*time.Second, "the strangers' connections are closed", func() bool { return f.head.descriptors(t) <= files0+20 })
	t.Logf("%d looks; %d MiB before, %d at most; %d files before, %d at most; iterations %d to %d; refused: grpc %v, http %v, gossip %v, peers %v", looks,
		before>>20, peak>>20, files0, mostFiles, began, v.job().Iteration, metric(t, f.head, `connections_refused_total{api="grpc"}`),
		metric(t, f.head, `connections_refused_total{api="http"}`), metric(t, f.head, "gossip_refused_total"), metric(t, f.head, "peers_refused_total"))
	f.worker("fast", f.flags("worker")) // it does the rest
	for _, d := range slow {
		d.kill()
	}
	if got, want := fit.digest(), digestHere(t, longJob...); got != want {
		t.Errorf("got digest %s, want that of one process, %s", got, want)
	}
	if log := f.head.log.String(); strings.Contains(log, "panic") || len(log) > 1<<20 {
		t.Errorf("the log has %d bytes, or a panic: %s", len(log), tail(log))
	}
}
