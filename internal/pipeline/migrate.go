package pipeline

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/moves"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

// MigrateRequest asks who has moved from one month's segments to another's.
type MigrateRequest struct {
	From, To           string // labels as assign writes them: a file, a folder or a glob
	FromModel, ToModel string // the models that they are of; "": not known
	Data               string // a table of the customers with what they are worth; "": none
	ID, Value          string // columns of Data; "": found by their names
	Movers             string // where the movers go; "": nowhere
	Engine             Engine // Threads, Stdin and Reporter count
}

// MigrateOutcome is who has moved.
type MigrateOutcome struct {
	*segment.Migration
	Value    string `json:"value_column,omitempty"`  // that values come from; "": none
	Unvalued int64  `json:"without_value,omitempty"` // customers of whom the table says nothing
}

// flowsTold is how many of the largest flows are told in words.
const flowsTold = 5

// Migrate joins two months' labels by the customers' ids, matches their segments and writes the movers, all of them or
// nothing. Each table is read once, and a customer takes moves.RowBytes in each of them, and moves.MoverBytes + moves.SortBytes
// where movers are wanted. Errors are those of package moves; Input, too, for labels without a common customer, and for
// months in the wrong order.
func Migrate(ctx context.Context, r *MigrateRequest) (*MigrateOutcome, error) {
	m := &migration{r: r}
	defer m.close()
	if err := m.open(ctx); err != nil {
		return nil, err
	}
	if err := m.join(ctx); err != nil {
		return nil, err
	}
	m.describe()
	if r.Movers == "" {
		return m.outcome, nil
	}
	return m.outcome, m.writeMovers(ctx)
}

// migration is the work of one Migrate.
type migration struct {
	r        *MigrateRequest
	from, to moves.Labels
	values   *moves.Values
	old, now *model.Model // nil: not given
	joined   *moves.Joined
	outcome  *MigrateOutcome
	sources  []dataset.Source
}

func (m *migration) close() {
	for _, s := range m.sources {
		s.Close()
	}
}

// open reads the models and finds the columns.
func (m *migration) open(ctx context.Context) (err error) {
	if m.old, err = readModel(m.r.FromModel); err != nil {
		return err
	}
	if m.now, err = readModel(m.r.ToModel); err != nil {
		return err
	}
	if m.old != nil && m.now != nil && descends(m.old, m.now) {
		return fault.Inputf(fault.In(m.r.FromModel), "goes on from %s: the months are in the wrong order", m.r.ToModel).
			Do("swap --from with --to, and --from-model with --to-model")
	}
	if err := m.openLabels(ctx, &m.from, m.r.From, m.old, m.r.FromModel); err != nil {
		return err
	}
	if err := m.openLabels(ctx, &m.to, m.r.To, m.now, m.r.ToModel); err != nil {
		return err
	}
	if err := m.openValues(ctx); err != nil {
		return err
	}
	return enoughMemory(m.bytes(), spill.Whole())
}

func readModel(path string) (*model.Model, error) {
	if path == "" {
		return nil, nil
	}
	return model.ReadFile(path)
}

// descends says whether m was fitted from an older model, or from one that was.
func descends(m, older *model.Model) bool {
	digest := older.Digest()
	return m.Digest() != digest && slices.ContainsFunc(m.Parents, func(p model.Parent) bool { return p.Digest == digest })
}

func (m *migration) source(ctx context.Context, path string) (dataset.Source, error) {
	s, err := open.Sources(ctx, []string{path}, open.Options{Stdin: m.r.Engine.Stdin})
	if err != nil {
		return nil, err
	}
	m.sources = append(m.sources, s)
	return s, nil
}

func (m *migration) openLabels(ctx context.Context, l *moves.Labels, path string, of *model.Model, whose string) error {
	source, err := m.source(ctx, path)
	if err != nil {
		return err
	}
	*l = moves.Labels{Source: source}
	return findLabels(l, path, of, whose)
}

// findLabels finds the columns of labels. of is the model that they are of, and whose its file; nil: it is not known.
func findLabels(l *moves.Labels, path string, of *model.Model, whose string) error {
	if err := ofThisModel(l.Source, path, of, whose); err != nil {
		return err
	}
	if of != nil {
		l.Segments, l.Whose = of.K, whose
	}
	schema := l.Source.Schema()
	if matrix := strings.HasSuffix(strings.ToLower(firstName(l.Source)), ".npy"); matrix {
		if len(schema.Columns) < 3 {
			return fault.Inputf(fault.In(path), "has %d columns, and labels have three: id, segment and distance", len(schema.Columns)).
				Do("give the labels as assign wrote them")
		}
		l.ID, l.Segment = 0, 1
		return nil
	}
	if err := mustHave(schema, path, "id", "segment"); err != nil {
		return err
	}
	l.ID, l.Segment = schema.Index("id"), schema.Index("segment")
	return nil
}

// openValues finds the columns of the table of customers.
func (m *migration) openValues(ctx context.Context) error {
	path := m.r.Data
	if path == "" {
		return nil
	}
	source, err := m.source(ctx, path)
	if err != nil {
		return err
	}
	schema := source.Schema()
	id, value := or(m.r.ID, findID(schema)), m.r.Value
	if id == "" {
		return fault.Inputf(fault.In(path), "no column looks like the customers' id").Do("name it with --id; there are %s", shorten(names(schema)))
	}
	if value == "" {
		var numeric []string
		for _, c := range schema.Columns {
			if c.Kind == dataset.Number && c.Unusable == "" && c.Name != id {
				numeric = append(numeric, c.Name)
			}
		}
		if value = segment.DefaultValue(numeric); value == "" {
			return fault.Inputf(fault.In(path), "no column of numbers is called monetary").Do("name the column with the value of a customer with --value; there are %s", shorten(numeric))
		}
	}
	if err := mustHave(schema, path, id, value); err != nil {
		return err
	}
	at := schema.Index(value)
	if schema.Columns[at].Kind != dataset.Number {
		return fault.Inputf(fault.Place{File: path, Row: fault.NoRow, Column: value}, "holds no numbers").Do("name the column with the value of a customer with --value")
	}
	m.values = &moves.Values{Source: source, ID: schema.Index(id), Value: at}
	m.outcome = &MigrateOutcome{Value: value}
	return nil
}

// bytes is the memory that the work takes.
func (m *migration) bytes() int64 {
	values := int64(0)
	if m.values != nil {
		values = m.values.Source.Rows()
	}
	return migrateBytes(m.from.Source.Rows(), m.to.Source.Rows(), values, m.r.Movers != "")
}

// migrateBytes is the memory that migrate takes for tables of so many rows whose ids are integers; texts come on top.
// First the tables lie there, scattered; then the customers that both have, and once more those who have moved. That all
// have moved is the worst case.
func migrateBytes(from, to, values int64, movers bool) int64 {
	need := (from+to)*moves.RowBytes + values*moves.ValueBytes
	if movers {
		one := int64(moves.MoverBytes + moves.SortBytes)
		if values > 0 {
			one += 8
		}
		need = max(need, min(from, to)*one)
	}
	return need + need*garbagePercent/100 + capacity.WorkerOverhead
}

// monthsBytes is migrateBytes for two months of so many customers, with all that can be asked for.
func monthsBytes(rows int64) int64 { return migrateBytes(rows, rows, rows, true) }

// enoughMemory refuses what this machine cannot hold. memory 0: it is not known.
func enoughMemory(need, memory int64) error {
	if memory == 0 || need <= memory {
		return nil
	}
	return fault.Failedf(nil, "to join the tables takes %.1f GB of memory, and there are %.1f GB here", float64(need)/1e9, float64(memory)/1e9).
		Do("use a machine with more memory")
}

// join reads the tables.
func (m *migration) join(ctx context.Context) error {
	e := &m.r.Engine
	rows := m.from.Source.Rows() + m.to.Source.Rows()
	if m.values != nil {
		rows += m.values.Source.Rows()
	}
	e.Reporter.Phase("read", rows)
	joined, err := moves.Join(ctx, &m.from, &m.to, m.values,
		moves.Options{Threads: e.threads(), Movers: m.r.Movers != "" || m.values != nil, Read: e.Reporter.Add})
	if err != nil {
		return err
	}
	m.joined = joined
	if m.outcome == nil {
		m.outcome = &MigrateOutcome{}
	}
	m.outcome.Migration = m.matched()
	if m.outcome.Shared() == 0 {
		return fault.Inputf(fault.In(m.r.To), "none of its customers is in %s", m.r.From).
			Do("give two months of the same customers; ids are compared as they are written, zeros in front included")
	}
	if m.values != nil && joined.Valued == 0 {
		return fault.Inputf(fault.In(m.r.Data), "none of the customers that the labels name is there").
			Do("is --id the right column? ids are compared as they are written, zeros in front included")
	}
	m.outcome.Unvalued = joined.Unvalued
	return nil
}

// matched is what was counted, and which segments belong together.
func (m *migration) matched() *segment.Migration {
	j := m.joined
	g := &segment.Migration{From: flowsOf(m.old, j.From), To: flowsOf(m.now, j.To), Matrix: make([][]int64, j.From), Arrived: j.Arrived, Left: j.Left}
	for i := range g.Matrix {
		g.Matrix[i] = j.Matrix[i*j.To : (i+1)*j.To : (i+1)*j.To]
		g.From[i].Rows = j.Left[i]
		for k, n := range g.Matrix[i] {
			g.From[i].Rows += n
			g.To[k].Rows += n
		}
	}
	for k, n := range j.Arrived {
		g.To[k].Rows += n
	}
	// Ids of models that have nothing to do with each other are equal by chance.
	if m.old != nil && m.now != nil && (m.old.Digest() == m.now.Digest() || descends(m.now, m.old)) {
		g.MatchIDs()
	} else {
		g.MatchCustomers()
	}
	return g
}

// flowsOf is the segments of a model, or of labels without one.
func flowsOf(m *model.Model, k int) []segment.Flow {
	flows := make([]segment.Flow, k)
	for i := range flows {
		flows[i] = segment.Flow{Segment: i, Name: fmt.Sprintf("Segment %d", i)}
		if m != nil {
			flows[i].ID, flows[i].Name = m.Segments[i].ID, m.Segments[i].Name
		}
	}
	return flows
}

// describe finds out what segments are worth, and the largest flows.
func (m *migration) describe() {
	g, j := m.outcome.Migration, m.joined
	if m.values != nil {
		g.SetWorth(means(j.FromWorth), means(j.ToWorth))
	} else {
		g.SetWorth(centroidsWorth(m.old, j.From), centroidsWorth(m.now, j.To))
	}
	g.SetFlows(flowsTold)
	if m.values == nil {
		return
	}
	flows := make([]int32, len(j.Matrix))
	for cell := range flows {
		flows[cell] = -1
	}
	for n, f := range g.Flows {
		flows[f.From*j.To+f.To] = int32(n)
	}
	for n, w := range j.Worths(flows, len(g.Flows)) {
		g.Flows[n].Value = sumOf(&w)
	}
	changes, kinds := m.changes(), []*segment.Total{changeDown: g.Down, changeSame: g.Level, changeUp: g.Up}
	for n, w := range j.Worths(changes, changesTold) {
		if n < len(kinds) && kinds[n] != nil {
			kinds[n].Value = sumOf(&w)
		}
	}
}

func sumOf(w *moves.Worth) *float64 {
	if sum := w.Sum.Float64(); w.N > 0 && !math.IsInf(sum, 0) {
		return &sum
	}
	return nil
}

func means(worth []moves.Worth) []float64 {
	list := make([]float64, len(worth))
	for i := range worth {
		list[i] = math.NaN()
		if mean, ok := worth[i].Mean(); ok && !math.IsInf(mean, 0) {
			list[i] = mean
		}
	}
	return list
}

// centroidsWorth is what a model alone knows of what a customer of each of k segments is worth.
func centroidsWorth(m *model.Model, k int) []float64 {
	worth, at := make([]float64, k), -1
	if m != nil && m.Metric == model.Euclidean {
		numeric, _ := m.Transform.Columns()
		at = slices.Index(numeric, segment.DefaultValue(numeric))
	}
	for i := range worth {
		worth[i] = math.NaN()
		if at >= 0 {
			worth[i] = m.CentroidInput(i)[at]
		}
	}
	return worth
}
