//go:build unix

package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/object"
)

// The months of the shop, and what happens to the cluster in them.
var months = []struct {
	name  string
	fault func(*shop) func() // begins before the month, and returns what is to be done while it is made
}{
	{"2025-07", nil},
	{"2025-08", nil},
	{"2025-09", (*shop).workerFalls},
	{"2025-10", (*shop).coordinatorFalls},
	{"2025-11", (*shop).rolls},
	{"2025-12", nil},
}

// shop is a company that makes its segments month by month on a cluster, with its till lines and the coordinator's state in
// an object store.
type shop struct {
	*cluster
	objects *objects
	folder  string
	run     *running // the month under way
}

// Six months of coterie run over till lines in an object store: a worker is killed in the third, the coordinator in the
// fourth, and all are restarted in turn in the fifth. What comes out is, byte for byte, what one process comes to.
func TestMonthsInProduction(t *testing.T) {
	o := newObjects(t)
	customers := 800_000 // of whom most have bought in the end: three partitions
	if testing.Short() {
		customers = 20_000
	}
	s := newShop(t, o)
	alone := filepath.Join(t.TempDir(), "alone.yaml")
	writePipeline(t, alone, "")
	together := filepath.Join(s.folder, "together.yaml")
	store := o.store(o.url)
	till := newTill(customers)
	for i, m := range months {
		till.month(t, store, m.name, i)
		writePipeline(t, together, s.head.rpc)
		meanwhile := func() {}
		if m.fault != nil {
			meanwhile = m.fault(s)
		}
		s.run = s.month(together, m.name)
		meanwhile()
		s.made(s.run)
		s.made(s.month(alone, m.name))
		s.compare(m.name, filepath.Dir(together), filepath.Dir(alone), i > 0)
	}
}

// newShop starts a coordinator whose state is in the object store, and three workers.
func newShop(t *testing.T, o *objects) *shop {
	t.Helper()
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
	c := &cluster{T: t, root: t.TempDir(), workers: make(map[string]*daemon), state: object.Scheme + "box/state", env: o.environment(o.url)}
	c.lead("", ownAddress(t), ownAddress(t), ownAddress(t))
	for _, name := range []string{"w1", "w2", "w3"} {
		c.worker(name, slowly)
	}
	c.present(3)
	return &shop{cluster: c, objects: o, folder: c.root}
}

// writePipeline writes the pipeline file of a shop; without a cluster everything happens in one process.
func writePipeline(t *testing.T, path, cluster string) {
	t.Helper()
	where := ""
	if cluster != "" {
		where = "\n  cluster: " + cluster + "\n  min-workers: 2"
	}
	text := `
output: segments
rfm:
  transactions: s3://box/till/
  window: 120d
fit:
  clusters: 4
  features: [recency_days, frequency, monetary, tenure_days, items, average_basket]
  log1p: [frequency, monetary, items, average_basket]
  runs: 3
  max-iter: 12
  gate: [min-size=0.1%]` + where + `
assign:
  detail: true
profile:
migrate:
export:
  - output: best.csv
    where: monetary > 300
`
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// month begins coterie run.
func (s *shop) month(file, name string) *running {
	s.Helper()
	return &running{t: s.T, daemon: launch(s.T, "run "+name, nil, s.env, coteriePath(s.T), "run", file, "--month", name, "--progress", "json")}
}

// made waits for the end of a month, which must be a good one.
func (s *shop) made(r *running) {
	s.Helper()
	select {
	case <-r.ended:
	case <-time.After(5 * time.Minute): // of millions of till lines, on machines of which others want something too
		s.Fatalf("%s has not ended: %s", r.name, tail(r.log.String()))
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		s.Fatalf("%s: exit code %d: %s", r.name, code, tail(r.log.String()))
	}
}

// iterating waits until a job is in the middle of its iterations.
func (s *shop) iterating() {
	s.Helper()
	until(s.T, soon, "a fit iterates", func() bool {
		if s.run.gone() {
			s.Fatalf("the month has ended: the fault would come too late: %s", tail(s.run.log.String()))
		}
		for _, j := range s.look().Jobs {
			if j.State == "running" && j.Phase == "iterate" && j.Iteration >= 2 {
				return true
			}
		}
		return false
	})
}

// workerFalls kills a worker that holds partitions, while their rows are iterated over.
func (s *shop) workerFalls() func() {
	return func() {
		holder := ""
		until(s.T, soon, "a worker says that it holds partitions", func() bool {
			s.iterating()
			for _, w := range s.look().Workers {
				if w.Partitions > 0 {
					holder = w.Name
				}
			}
			return holder != ""
		})
		s.workers[holder].kill()
		delete(s.workers, holder)
		s.worker(holder+"b", slowly)
	}
}

func (s *shop) coordinatorFalls() func() {
	s.head.signal(s.T, syscall.SIGTERM)
	s.head.status(s.T)
	s.restart("merge:6")
	s.present(3)
	return func() {
		s.head.falls(s.T, s.run)
		s.restart("")
	}
}

// rolls restarts every worker in order, as an update of a StatefulSet does, and then the coordinator. The workers before
// the update are very slow, so that the fit outlasts it.
func (s *shop) rolls() func() {
	names := slices.Sorted(maps.Keys(s.workers))
	for _, name := range names {
		s.replace(name, verySlowly)
	}
	return func() {
		for _, name := range names {
			s.iterating()
			s.replace(name, slowly)
		}
		s.iterating()
		s.head.signal(s.T, syscall.SIGTERM)
		s.head.status(s.T)
		s.restart("")
	}
}

// replace has a worker leave in order, and starts it again.
func (s *shop) replace(name, point string) {
	s.Helper()
	s.workers[name].signal(s.T, syscall.SIGTERM)
	if code := s.workers[name].status(s.T).ExitStatus(); code != 0 {
		s.Fatalf("%s: exit code %d after SIGTERM", name, code)
	}
	s.worker(name, point)
	s.present(3)
}

// compare holds a month's files against each other, but for what says where and when it was made.
func (s *shop) compare(month, got, want string, second bool) {
	s.Helper()
	names := []string{"customers.parquet", "labels.parquet", "profile.json", "best.csv"}
	if second {
		names = append(names, "migration.json", "movers.parquet")
	}
	for _, name := range names {
		a, err := os.ReadFile(filepath.Join(got, "segments", month, name))
		if err != nil {
			s.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(want, "segments", month, name))
		if err != nil {
			s.Fatal(err)
		}
		a, b = bytes.ReplaceAll(a, []byte(got), nil), bytes.ReplaceAll(b, []byte(want), nil) // paths
		if !bytes.Equal(a, b) {
			s.Errorf("%s: %s has other bytes than in one process (%d and %d)", month, name, len(a), len(b))
		}
	}
	digest := func(folder string) string {
		var m struct{ Digest string }
		data, err := os.ReadFile(filepath.Join(folder, "segments", month, "model.json"))
		if err != nil {
			s.Fatal(err)
		}
		decode(s.T, string(data), &m)
		return m.Digest
	}
	if a, b := digest(got), digest(want); a != b || a == "" {
		s.Errorf("%s: got the digest %s, want %s", month, a, b)
	}
}

// till makes the lines that a shop's till writes.
type till struct {
	customers int
	rate      []float64 // purchases a month, by customer
	from      []int     // the first month
	until     []int
}

func newTill(customers int) *till {
	l := &till{customers: customers}
	r := rand.New(rand.NewPCG(7, 7))
	for range customers {
		l.rate = append(l.rate, []float64{0.3, 1, 4, 9}[r.IntN(4)])
		l.from = append(l.from, max(0, r.IntN(9)-3))
		l.until = append(l.until, 2+r.IntN(8))
	}
	return l
}

// month writes the lines of a month to two files under its date.
func (l *till) month(t *testing.T, to object.Store, name string, number int) {
	t.Helper()
	const day = 86_400_000_000 // in microseconds
	r := rand.New(rand.NewPCG(uint64(number), 1))
	first := int64(1_751_328_000_000_000) + int64(number)*31*day // 2025-07-01; months of 31 days are near enough
	for half := range 2 {
		var id, invoice []string
		var when, quantity []int64
		var price []float64
		for c := half; c < l.customers; c += 2 {
			if number < l.from[c] || number > l.until[c] {
				continue
			}
			for n := range int(l.rate[c] * 2 * r.Float64()) {
				id = append(id, fmt.Sprintf("c%06d", c))
				invoice = append(invoice, fmt.Sprintf("%d-%d-%d", number, c, n/2))
				when = append(when, first+r.Int64N(28*day))
				quantity = append(quantity, 1+r.Int64N(9))
				price = append(price, float64(50+r.IntN(2000))/100)
			}
		}
		path := filepath.Join(t.TempDir(), "till.parquet")
		w, err := table.Create(path, []table.Column{{Name: "customer_id", Type: table.Text}, {Name: "invoice", Type: table.Text},
			{Name: "date", Type: table.Time}, {Name: "quantity", Type: table.Int64}, {Name: "price", Type: table.Float64}}, table.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(&table.Batch{Rows: len(id), Columns: []any{id, invoice, when, quantity, price}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("till/dt=%s-01/part-%d.parquet", name, half)
		if _, err := to.Put(t.Context(), object.Name{Bucket: "box", Key: key}, data, object.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
}
