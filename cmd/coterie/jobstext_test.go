package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// noon is when the pages of these tests are looked at.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) int64 { return noon.Add(-d).UnixMilli() }

// busy is a cluster in which much goes on.
func busy() *pb.StatusReply {
	return &pb.StatusReply{Version: "1.2.0", Epoch: 3,
		Workers: []*pb.WorkerInfo{
			{Name: "node1-40001", Address: "10.0.0.1:40001", State: "ready", Cores: 16, Threads: 16, Kernel: "avx512", Partitions: 1200, Memory: 64 << 30,
				MemoryUsed: 16 << 30, Version: "1.2.0"},
			{Name: "rack-3-node-17-of-frankfurt", Address: "10.0.0.2:40001", State: "suspect", Cores: 16, Threads: 4, Kernel: "avx2", SilentMillis: 12345,
				Version: "1.2.0"},
			{Name: "node3\x1b[2J", Address: "10.0.0.3:40001", State: "ready", Cores: 2, Threads: 2, Kernel: "portable", Memory: 1 << 30, Version: "1.1.0"},
		},
		Jobs: []*pb.JobInfo{
			{Id: "job-a", State: "done", Phase: "write", Iteration: 18, Name: "fit k=5 /data/customers.parquet", Rows: 1234567, Partitions: 12,
				SubmittedUnixMillis: before(3 * time.Hour), EndedUnixMillis: before(2 * time.Hour)},
			{Id: "job-b", State: "failed", Phase: "read", Name: "fit k=2 /data/bad.csv", Reason: "/data/bad.csv: line 3, column age: not a number: \"x\"",
				SubmittedUnixMillis: before(90 * time.Second), EndedUnixMillis: before(89 * time.Second)},
			{Id: "job-c", State: "running", Phase: "iterate", Iteration: 7, Run: 1, Inertia: 4859880.25, Rows: 9e9, Partitions: 1200, Reassigned: 12,
				Speculated: 3, Refused: 1, Name: "fit k=50 /data/a-folder-with-quite-a-long-name/for-the-month-of-november.parquet", SubmittedUnixMillis: before(75 * time.Second)},
			{Id: "job-d", State: "waiting", Reason: "1/3 workers", Name: "assign /data/customers.parquet", Rows: 1, Partitions: 1, SubmittedUnixMillis: before(0)},
		}}
}

const busyAtEighty = `coordinator 10.0.0.9:7600, version 1.2.0, epoch 3

worker     state    address                  cores  partitions            memory
────────────────────────────────────────────────────────────────────────────────
node1-40…  ready    10.0.0.1:40001     16 × avx512       1,200  25 % of 64.0 GiB
rack-3-n…  suspect  10.0.0.2:40001  4 of 16 × avx2           0               0 B
  not heard of for 12 s; its partitions go to others
node3�[2J  ready    10.0.0.3:40001    2 × portable           0    0 % of 1.0 GiB
  of version 1.1.0, the coordinator of 1.2.0

job    state    progress       since     what
────────────────────────────────────────────────────────────────────────────────
job-a  done     18 iterations  2 h ago   fit k=5 /data/customers.parquet
job-b  failed   read           89 s ago  fit k=2 /data/bad.csv
  /data/bad.csv: line 3, column age: not a number: "x"
job-c  running  iterate 7      75 s ago  fit k=50 /data/a-folder-with-quite-a-l…
job-d  waiting  not begun      just now  assign /data/customers.parquet
  1/3 workers
`

func TestStatusIsAPageForPeople(t *testing.T) {
	var b strings.Builder
	writeStatus(&b, busy(), "10.0.0.9:7600", noon, 80)
	if diff := cmp.Diff(busyAtEighty, b.String()); diff != "" {
		t.Errorf("80 cells wide (-want +got):\n%s", diff)
	}
	for _, width := range []int{20, 40, 79, 120} {
		b.Reset()
		writeStatus(&b, busy(), "node9:7600", noon, width)
		for _, line := range strings.Split(b.String(), "\n")[1:] {
			if cells.StringWidth(line) > width {
				t.Errorf("got %q, want at most %d cells", line, width)
			}
		}
	}
	b.Reset()
	writeStatus(&b, busy(), "10.0.0.9:7600", noon, 0)
	for _, whole := range []string{"rack-3-node-17-of-frankfurt", "for-the-month-of-november.parquet\n"} {
		if !strings.Contains(b.String(), whole) {
			t.Errorf("got %s, want nothing cut where there is no terminal: %q", b.String(), whole)
		}
	}
	b.Reset()
	writeStatus(&b, &pb.StatusReply{Version: "1.2.0", Epoch: 1}, "10.0.0.9:7600", noon, 80)
	want := "coordinator 10.0.0.9:7600, version 1.2.0, epoch 1\n\n" +
		"no workers yet: coterie worker --join HOST:PORT, with the gossip= address of the coordinator's ready line\n\n" +
		"no jobs yet: coterie fit DATA -k K -o model.json --cluster 10.0.0.9:7600\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("an empty cluster (-want +got):\n%s", diff)
	}
}

func TestAJobIsShownInWords(t *testing.T) {
	want := []string{`job        job-a
what       fit k=5 /data/customers.parquet
state      done
rows       1,234,567 in 12 partitions
phase      finished after 18 iterations
inertia    0
workers    none lost, none slow
submitted  2026-11-25 09:00:00 UTC, 3 h ago
ended      2026-11-25 10:00:00 UTC, 2 h ago; it took 60 min
next       coterie jobs show job-a --cluster 10.0.0.9:7600 -o model.json writes the model
`, `job        job-b
what       fit k=2 /data/bad.csv
state      failed: /data/bad.csv: line 3, column age: not a number: "x"
rows       0 in 0 partitions
phase      stopped in read
workers    none lost, none slow
submitted  2026-11-25 11:58:30 UTC, 90 s ago
ended      2026-11-25 11:58:31 UTC, 89 s ago; it took 1.0 s
next       coterie jobs resume job-b --cluster 10.0.0.9:7600 goes on from the last checkpoint
`, `job        job-c
what       fit k=50 /data/a-folder-with-quite-a-long-name/for-the-month-of-november.parquet
state      running
rows       9,000,000,000 in 1,200 partitions
phase      iterate, iteration 7 of run 2
inertia    4.85988e+06
workers    12 partitions of lost workers went to others; 3 partitions of slow workers also went to others; 1 answer not counted, being late or a second one
submitted  2026-11-25 11:58:45 UTC, 75 s ago
`, `job        job-d
what       assign /data/customers.parquet
state      waiting: 1/3 workers
rows       1 in 1 partition
workers    none lost, none slow
submitted  2026-11-25 12:00:00 UTC, just now
`}
	for i, j := range busy().Jobs {
		var b strings.Builder
		reply := &pb.ShowReply{Info: j, Fit: strings.HasPrefix(j.Name, "fit")}
		writeJob(&b, j, jobNext(reply, "10.0.0.9:7600"), noon)
		if diff := cmp.Diff(want[i], b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", j.Id, diff)
		}
	}
}

func TestWorkersThatAreNotWellSayWhy(t *testing.T) {
	for state, want := range map[string]string{"ready": "", "suspect": "not heard of for 3.0 s", "rpc-unreachable": "gossip sees it, but it has not called for 3.0 s",
		"draining": "it finishes what it is at, and leaves"} {
		got := workerNote(&pb.WorkerInfo{State: state, SilentMillis: 3000, Version: "1"}, "1")
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", state, got, want)
		}
	}
}

func TestTimeSpansHaveOneUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Hour: "less than 0.1 s", 99 * time.Millisecond: "less than 0.1 s", 100 * time.Millisecond: "0.1 s",
		9999 * time.Millisecond: "9.9 s", 10 * time.Second: "10 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min", 119 * time.Minute: "119 min",
		2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 d", 1000 * time.Hour: "41 d"} {
		if got := lasting(d); got != want {
			t.Errorf("lasting(%v): got %q, want %q", d, got, want)
		}
	}
	// The clock of the coordinator may be ahead of this one.
	for d, want := range map[time.Duration]string{-time.Hour: "just now", 999 * time.Millisecond: "just now", time.Second: "1 s ago", 9999 * time.Millisecond: "9 s ago",
		3 * time.Hour: "3 h ago"} {
		if got := ago(noon.Add(-d), noon); got != want {
			t.Errorf("ago of %v: got %q, want %q", d, got, want)
		}
	}
}
