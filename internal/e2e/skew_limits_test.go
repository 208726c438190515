//go:build unix

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/coterie-project/coterie/internal/secure"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// skewed builds the program as a later version might be: with another arithmetic. The source stays as it is, the
// compiler is given a changed copy of one file.
func skewed(t *testing.T) string {
	t.Helper()
	source, err := filepath.Abs("../../kmeans/assign.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `Arithmetic = "`+kmeans.Arithmetic+`"`, `Arithmetic = "of-tomorrow"`, 1)
	if changed == string(text) {
		t.Fatalf("%s does not say what the arithmetic is", source)
	}
	folder := t.TempDir()
	replacement, overlay, binary := filepath.Join(folder, "assign.go"), filepath.Join(folder, "overlay.json"), filepath.Join(folder, "coterie")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {source: replacement}})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{replacement: []byte(changed), overlay: list} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", binary, "../../cmd/coterie").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

// greet says Hello to a coordinator as a worker would, and gives how that ended.
func greet(t *testing.T, address string, hello *pb.Hello) error {
	t.Helper()
	conn, err := grpc.NewClient(address, secure.DialOptions(nil, secure.Coordinator, secure.Limits{})...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := pb.NewControlClient(conn).Join(ctx)
	if err == nil {
		err = stream.Send(&pb.WorkerNote{Note: &pb.WorkerNote_Hello{Hello: hello}})
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	return err
}

// Workers of another version knock while a job runs.
func TestAWorkerOfAnotherVersionIsRefusedAndBothAreNamed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds the program twice: not with -short")
	}
	tomorrow := skewed(t)
	head := leadOnLoopback(t)
	slow := localWorker(t, "slow", head, slowRounds)
	fit := beginFit(t, nil, append([]string{"--cluster", head.rpc}, longJob...)...)
	until(t, 20*time.Second, "the fit iterates", func() bool { return look(t, nil, head.rpc).job().Iteration >= 2 })

	stranger := serveFrom(t, "worker of tomorrow", nil, nil, tomorrow, "worker", "--join", head.gossip, "--name", "tomorrow", "--memory", "1GiB")
	names := []string{"arithmetic of-tomorrow", "arithmetic " + kmeans.Arithmetic + ")", "use the same version on all machines"}
	until(t, 20*time.Second, "the worker is told of both versions", func() bool {
		for _, part := range names {
			if !strings.Contains(stranger.log.String(), part) {
				return false
			}
		}
		return true
	})
	if n := metric(t, head, `workers_refused_total{reason="version"}`); n < 1 {
		t.Errorf("got %v workers refused for their version, want one at least", n)
	}
	before := metric(t, head, `workers_refused_total{reason="version"}`)
	err := greet(t, head.rpc, &pb.Hello{Protocol: wire.Protocol + 1, Version: "v9.9.9", Arithmetic: kmeans.Arithmetic, Name: "later", Boot: "b", Address: "127.0.0.1:1"})
	theirs, ours := fmt.Sprintf("v9.9.9 (protocol %d)", wire.Protocol+1), fmt.Sprintf("(protocol %d)", wire.Protocol)
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || !strings.Contains(s.Message(), theirs) || !strings.Contains(s.Message(), ours) {
		t.Errorf("got %v, want a refusal that names both protocols", err)
	}
	if n := metric(t, head, `workers_refused_total{reason="version"}`); n <= before {
		t.Errorf("got %v workers refused for their version, want more than %v", n, before)
	}

	v := look(t, nil, head.rpc)
	if len(v.Workers) != 1 || v.job().State != "running" || v.job().Reassigned != 0 {
		t.Errorf("got %+v, want the one worker and the job under way", v)
	}
	localWorker(t, "fast", head, nil)
	slow.kill()
	if got, want := fit.digest(), digestHere(t, longJob...); got != want {
		t.Errorf("got digest %s, want that of one process, %s", got, want)
	}
}
