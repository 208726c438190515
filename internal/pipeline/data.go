package pipeline

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/wire"
)

// Data says what to read and how; empty fields take the defaults that the command line documents.
type Data struct {
	Files       []string
	ID          string
	Features    []string
	Weight      string
	Categorical []string
	Log1p       []string
	Weights     []feature.Weight // in any order
	Fold        *feature.Fold
	Orders      []feature.Order // of columns of text that are numeric features, in any order
	Scale       string
	Missing     string
	BadRows     string
	BadRowsOut  string
	Duplicates  string
}

// Engine sizes the embedded cluster and says who listens.
type Engine struct {
	Workers int // at least 1
	Threads int // of the whole process; 0: all cores
	// Memory is the most that the process may take, in bytes; 0: three quarters of what there is. Rows that find no room are
	// spilled to the folder Spill; empty: the temporary one, if it lies on a disk.
	Memory   int64
	Spill    string
	Stdin    io.Reader
	Reporter progress.Reporter
	// Silent means that nobody reads the Reporter, so that nothing is computed just for it.
	Silent bool
	// Cluster is where the job runs instead; nil: in this process.
	Cluster *Cluster

	// Of a load test; nil: nobody measures, and nobody waits for the id of a job on a cluster.
	meter     *loadMeter
	submitted func(id string)
}

// garbagePercent is how much garbage may lie beside what is held before it is collected. What is held is the matrix, so
// the usual 100 % would double the memory; there is little to walk, so that collecting sooner costs nearly nothing.
const garbagePercent = 15

// CollectOften sets how much garbage may lie about in a process that holds partitions, unless the environment does.
func CollectOften() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}

// threads is the number of threads to use, and makes the runtime keep to it.
func (e *Engine) threads() int {
	CollectOften()
	return e.cores()
}

// cores is threads for a command that holds no partitions.
func (e *Engine) cores() int {
	if e.Threads > 0 {
		runtime.GOMAXPROCS(e.Threads)
		return e.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// notFeatures are numeric columns that describe a customer's group rather than the customer.
var notFeatures = []string{"true_segment", "segment", "r_score", "f_score", "m_score"}

// idNames are the columns that are taken for the id, in order of preference, in any case.
var idNames = []string{"customer_id", "customerid", "id"}

func openData(ctx context.Context, d *Data, e *Engine) (dataset.Source, error) {
	source, err := open.Sources(ctx, d.Files, open.Options{Stdin: e.Stdin, SpoolDir: e.Spill})
	if err != nil {
		return nil, err
	}
	return openOrdered(source, d.Orders)
}

// input finds the columns in the schema and checks the choices.
func (d *Data) input(schema *dataset.Schema, file string) (*wire.Input, error) {
	in := &wire.Input{ID: d.ID, Weight: d.Weight, BadRows: wire.BadRows(or(d.BadRows, "fail")),
		Duplicates: wire.DuplicateIDs(or(d.Duplicates, "fail"))}
	if in.ID == "" {
		in.ID = findID(schema)
	}
	in.Spec = &feature.Spec{Numeric: d.Features, Log1p: d.Log1p, Categorical: d.Categorical,
		Scale: feature.Scale(or(d.Scale, "standard")), Missing: feature.Missing(or(d.Missing, "fail")), Fold: d.Fold}
	named := slices.Concat([]string{d.ID, d.Weight}, d.Features, d.Categorical)
	for _, o := range d.Orders {
		named = append(named, o.Column)
	}
	if err := mustHave(schema, file, named...); err != nil {
		return nil, err
	}
	if d.Features == nil {
		in.Spec.Numeric = defaultFeatures(schema, in)
	}
	if len(in.Spec.Numeric)+len(in.Spec.Categorical) == 0 {
		return nil, fault.Inputf(fault.In(file), "no numeric column to cluster on").
			Do("name the columns with --features or --categorical; there are %s", strings.Join(names(schema), ", "))
	}
	for _, name := range d.Log1p {
		if !slices.Contains(in.Spec.Numeric, name) {
			return nil, fault.Usagef("--log1p: %q is not one of the features", name).
				Do("the features are %s", strings.Join(in.Spec.Numeric, ", "))
		}
	}
	if err := errors.Join(d.weigh(in.Spec), d.order(in.Spec)); err != nil {
		return nil, err
	}
	return in, in.Spec.Validate()
}

// weigh gives the spec the weights in the order of its columns. A weight of 1 is none.
func (d *Data) weigh(spec *feature.Spec) error {
	columns := slices.Concat(spec.Numeric, spec.Categorical)
	factors := make(map[string]float64, len(d.Weights))
	for _, w := range d.Weights {
		if !slices.Contains(columns, w.Column) {
			return fault.Usagef("--feature-weight: %q is not one of the features", w.Column).Do("the features are %s", strings.Join(columns, ", "))
		}
		factors[w.Column] = w.Factor
	}
	for _, name := range columns {
		if w, given := factors[name]; given && w != 1 {
			spec.Weights = append(spec.Weights, feature.Weight{Column: name, Factor: w})
		}
	}
	return nil
}

func or(value, preset string) string {
	if value == "" {
		return preset
	}
	return value
}

func findID(schema *dataset.Schema) string {
	for _, want := range idNames {
		for _, c := range schema.Columns {
			if strings.EqualFold(c.Name, want) && c.Unusable == "" {
				return c.Name
			}
		}
	}
	return ""
}

// defaultFeatures are all numeric columns that can describe a customer, in file order.
func defaultFeatures(schema *dataset.Schema, in *wire.Input) []string {
	var features []string
	for _, c := range schema.Columns {
		skip := c.Kind != dataset.Number || c.Partition || c.Unusable != "" || c.Name == in.ID || c.Name == in.Weight ||
			slices.Contains(in.Spec.Categorical, c.Name) || slices.Contains(notFeatures, c.Name)
		if !skip {
			features = append(features, c.Name)
		}
	}
	return features
}

func names(schema *dataset.Schema) []string {
	var list []string
	for _, c := range schema.Columns {
		list = append(list, c.Name)
	}
	return list
}

// mustHave checks that the columns are there and usable, and offers the nearest name for one that is not.
func mustHave(schema *dataset.Schema, file string, columns ...string) error {
	for _, name := range columns {
		if name == "" {
			continue
		}
		at := fault.In(file)
		i := schema.Index(name)
		if i >= 0 && schema.Columns[i].Unusable != "" {
			at.Column = name
			return fault.Inputf(at, "%s", schema.Columns[i].Unusable)
		}
		if i >= 0 {
			continue
		}
		err := fault.Inputf(at, "there is no column %q", name)
		if near := fault.Nearest(name, names(schema)); near != "" {
			return err.Do("did you mean %q?", near)
		}
		return err.Do("there are %s", shorten(names(schema)))
	}
	return nil
}

// shorten lists names, the first few of many.
func shorten(list []string) string {
	const most = 20
	if len(list) > most {
		return strings.Join(list[:most], ", ") + ", …"
	}
	return strings.Join(list, ", ")
}

// firstName is the file that messages about the whole input name.
func firstName(s dataset.Source) string {
	if list := s.Names(); len(list) > 0 {
		return list[0]
	}
	return ""
}
