//go:build unix

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// small is a fit that is over at once, where it can be done at all.
var small = []string{"fit", "synth://uniform?rows=20000&seed=5&d=8", "-k", "4", "--max-iter", "3", "--quiet"}

// says checks how a command ended.
func says(t *testing.T, what string, o outcome, code int, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(o.err, w) {
			t.Errorf("%s: got %q, want it to say %q", what, o.err, w)
		}
	}
	if o.code != code {
		t.Errorf("%s: got exit code %d (%s), want %d", what, o.code, o.err, code)
	}
}

// withModel adds where the model goes.
func withModel(t *testing.T, args []string, more ...string) []string {
	t.Helper()
	return append(append([]string{}, args...), append(more, "-o", filepath.Join(t.TempDir(), "m.json"))...)
}

func TestACoordinatorThatIsNotThereIsSaidSo(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for what, address := range map[string]string{"nobody listens": nobody, "nobody answers": silent.Addr().String()} {
		for _, args := range [][]string{withModel(t, small), {"status"}} {
			t.Run(what+", "+args[0], func(t *testing.T) {
				t.Parallel()
				o := coterie(t, nil, append(args, "--cluster", address)...)
				says(t, what, o, 5, address)
				if o.took > soon {
					t.Errorf("took %v, want about ten seconds", o.took)
				}
			})
		}
	}
}

func TestWhatAClusterCannotDoEndsWithTheReason(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "", 2)
	fit := func(data string, flags ...string) outcome {
		t.Helper()
		args := withModel(t, []string{"fit", data, "-k", "4", "--max-iter", "3", "--quiet"}, flags...)
		return coterie(t, nil, append(args, "--cluster", c.head.rpc)...)
	}
	const made = "synth://uniform?rows=20000&seed=5&d=8"
	says(t, "three workers of two", fit(made, "--min-workers", "3", "--worker-wait", "2s"), 5, "2/3 workers", "--min-workers")
	says(t, "an unknown job", coterie(t, nil, "jobs", "show", "job-none", "--cluster", c.head.rpc), 1, "job-none")
	says(t, "an unknown job", coterie(t, nil, "jobs", "cancel", "job-none", "--cluster", c.head.rpc), 1, "job-none")
	says(t, "an unknown job", coterie(t, nil, "jobs", "resume", "job-none", "--cluster", c.head.rpc), 1, "job-none")

	local := filepath.Join(t.TempDir(), "local.csv")
	if err := os.WriteFile(local, []byte("id,x,y\n1,2,3\n2,3,4\n3,9,9\n4,1,1\n5,7,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, "--detach with data that lies here", fit(local, "--detach"), 2, "--detach", local)
	says(t, "--detach with labels that lie here", fit(made, "--detach", "--labels", "labels.csv"), 2, "--detach")
	says(t, "--detach with a relative path", coterie(t, inFolder(filepath.Dir(local), "/dev/null"),
		withModel(t, []string{"fit", "local.csv", "-k", "2", "--detach", "--cluster", c.head.rpc})...), 2, "--detach")

	missing := filepath.Join(c.root, "none.csv")
	says(t, "a file that is not there", fit(missing), 3, missing)
	says(t, "k above the rows", coterie(t, nil, withModel(t, []string{"fit", "synth://uniform?rows=10&seed=1&d=2", "-k", "20", "--cluster", c.head.rpc})...), 3, "k")
	says(t, "a fit", fit(made), 0)
}

func TestNoWorkersAtAllIsSaidSo(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "", 0)
	o := coterie(t, nil, append(withModel(t, small), "--cluster", c.head.rpc, "--worker-wait", "2s")...)
	says(t, "no workers", o, 5, "0/1 workers")
}

// A worker has 64 MiB for partitions, and the rows take several times that.
func TestTooLittleMemoryInAllWorkersIsSaidWithWhatWouldDo(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "", 0)
	for _, name := range []string{"w1", "w2"} {
		c.worker(name, "", "--memory", "64MiB")
	}
	c.present(2)
	o := coterie(t, nil, withModel(t, []string{"fit", "synth://uniform?rows=3000000&seed=5&d=32", "-k", "4", "--max-iter", "2", "--quiet", "--cluster", c.head.rpc})...)
	says(t, "too little memory", o, 5, "iB")
}

// Two workers have different folders: what one of them lacks is said, and who lacks it.
func TestAFileThatOneWorkerLacksNamesTheWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	t.Parallel()
	c := newCluster(t, "", 0)
	c.worker("with", "")
	c.worker("without", "", "--data-root", t.TempDir())
	c.present(2)
	path := filepath.Join(c.root, "people.csv")
	copyFile(t, peopleFile(t), path)
	o := coterie(t, nil, withModel(t, []string{"fit", path, "-k", "4", "--max-iter", "3", "--quiet", "--duplicates", "first", "--missing", "drop",
		"--bad-rows", "quarantine", "--cluster", c.head.rpc, "--min-workers", "2"})...)
	says(t, "a file that one lacks", o, 3, "without", path)
}

// The file grows when all workers have opened it and are about to read.
func TestAFileThatChangesDuringAJobIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short")
	}
	t.Parallel()
	c := newCluster(t, "", 0)
	readers := []*daemon{c.worker("w1", "keys:1:stop"), c.worker("w2", "keys:1:stop")}
	c.present(2)
	path := filepath.Join(c.root, "people.csv")
	copyFile(t, peopleFile(t), path)
	run := task{"fit", path, "-k", "4", "--max-iter", "3", "--duplicates", "first", "--missing", "drop", "--bad-rows", "quarantine"}.
		begin(t, nil, "", "--cluster", c.head.rpc, "--min-workers", "2")
	until(t, soon, "both workers have opened the file", func() bool { return stopped(t, readers[0]) && stopped(t, readers[1]) })
	if j := c.show(c.job()); j.State != "running" || j.Phase != "read" {
		t.Fatalf("the job is %s in %s, want it reading", j.State, j.Phase)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintln(file, "7")
	if closeErr := file.Close(); err != nil || closeErr != nil {
		t.Fatal(err, closeErr)
	}
	for _, w := range readers {
		w.signal(t, syscall.SIGCONT)
	}
	o := outcome{code: run.code(), err: run.log.String()}
	says(t, "a file that changes", o, 3, "changed", path)
}
