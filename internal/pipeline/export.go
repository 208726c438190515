package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/where"
	"github.com/coterie-project/coterie/model"
)

// ExportRequest asks for a list of customers.
type ExportRequest struct {
	Model    string
	Labels   string   // as assign wrote them with the model
	Segments []string // numbers, ids or names; nil: all
	Where    string   // a rule of package where over the columns of Data and segment, distance, from_segment; "": none
	Data     []string // the customers' table; nil: none
	ID       string   // column of Data; "": found by its name
	Columns  []string // of Data, to be in the list; nil: the model's features
	// FromLabels are those of an earlier month: only who was in another segment then is listed, or, with FromSegments, who was
	// in one of these. FromModel is their model; without it segments are the same if their numbers are.
	FromLabels, FromModel string
	FromSegments          []string
	// Formulas is what becomes of texts that a spreadsheet would run: KeepFormulas, also if empty, or QuoteFormulas.
	Formulas string
	Output   string
	Engine   Engine // Stdin and Reporter count
}

// ExportOutcome is what was listed.
type ExportOutcome struct {
	Rows     int64            `json:"rows"`
	Segments []ListedSegment  `json:"segments"` // that were asked for, by number
	Columns  []string         `json:"columns"`
	Formulas int64            `json:"formulas,omitempty"` // texts, names of columns included, that a spreadsheet would run, or that are quoted
	Joined   *JoinedCustomers `json:"joined,omitempty"`   // with data
	Output   string           `json:"output"`
}

// ListedSegment is a segment in a list.
type ListedSegment struct {
	Segment int    `json:"segment"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Rows    int64  `json:"rows"` // listed
	Of      int64  `json:"of"`   // that the labels have, and the data where it is given

	came int64 // that have moved as asked
}

// JoinedCustomers says how labels and data went together.
type JoinedCustomers struct {
	Both       int64 `json:"both"`
	WithoutRow int64 `json:"without_row"`   // in the labels alone
	Unlabelled int64 `json:"without_label"` // in the data alone
}

// Export writes the customers that are asked for, in the order of the data, or of the labels where there is no data; the file
// appears whole or not at all. Labels and data are walked side by side as long as their ids are the same; from the first
// difference on the rest of the labels is held in memory, indexBytes for each. Earlier labels are held too. Errors are Usage for
// a segment that the model lacks and a rule that cannot be read, Input for labels of another model, columns that are not there, an
// id that is there twice, tables without a common customer, and a list or a segment of it that would be empty.
func Export(ctx context.Context, r *ExportRequest) (*ExportOutcome, error) {
	l := &lister{r: r}
	defer l.close()
	if err := l.open(ctx); err != nil {
		return nil, err
	}
	if err := l.run(ctx); err != nil {
		return nil, err
	}
	return l.finish()
}

// labelColumns are the columns that a rule finds in the labels rather than in the data.
var labelColumns = []string{"segment", "distance", "from_segment"}

// lister is the work of one Export.
type lister struct {
	r       *ExportRequest
	m, old  *model.Model // old: nil where it is not known
	labels  *labelReader
	earlier *labelIndex // nil: nobody asks where customers were
	data    dataset.Source
	dataID  int // column of data; −1: row numbers
	fields  []dataset.Field
	rest    *labelIndex // what is left of the labels once they and the data have parted

	filter *where.Filter // nil: no rule
	rule   *where.Rule
	from   []int // position in fields of a column of the rule; −1−i: labelColumns[i]

	wanted, wantedFrom []bool // by segment; nil: all
	columns            []listColumn
	out                *listFile
	outcome            *ExportOutcome
	listed             []ListedSegment // by segment
	joined             JoinedCustomers

	segments, before []int32   // of the rows of a block; −1: none
	distances        []float64 // of the rows of a block
}

func (l *lister) close() {
	if l.labels != nil {
		l.labels.close()
	}
	if l.data != nil {
		l.data.Close()
	}
	if l.out != nil {
		l.out.abort()
	}
}

// open reads the models and finds segments and columns.
func (l *lister) open(ctx context.Context) (err error) {
	if l.r.Where != "" {
		if l.filter, err = where.Parse(l.r.Where); err != nil {
			return fault.Usagef("--where: %v", err)
		}
	}
	if l.m, err = model.ReadFile(l.r.Model); err != nil {
		return err
	}
	if l.wanted, err = pick("--segment", l.r.Segments, l.m, l.r.Model, l.m.K); err != nil {
		return err
	}
	if l.old, err = readModel(l.r.FromModel); err != nil {
		return err
	}
	if l.wantedFrom, err = pick("--from-segment", l.r.FromSegments, l.old, l.r.FromModel, model.MaxSegments); err != nil {
		return err
	}
	for _, s := range l.m.Segments {
		l.listed = append(l.listed, ListedSegment{Segment: s.Index, ID: s.ID, Name: s.Name})
	}
	if l.labels, err = openLabels(ctx, l.r.Labels, l.r.Engine.Stdin, l.m, l.r.Model, true); err != nil {
		return err
	}
	if len(l.r.Data) > 0 {
		if l.data, err = open.Sources(ctx, l.r.Data, open.Options{Stdin: l.r.Engine.Stdin}); err != nil {
			return err
		}
	}
	if err := l.choose(); err != nil {
		return err
	}
	return l.bind()
}

// pick finds the segments that are named by their number, their id or their name, in this order. Without a model only a number
// below limit will do.
func pick(flag string, named []string, m *model.Model, file string, limit int) ([]bool, error) {
	if named == nil {
		return nil, nil
	}
	chosen := make([]bool, limit)
	for _, n := range named {
		at, err := strconv.Atoi(n)
		if err != nil || at < 0 || at >= limit || strconv.Itoa(at) != n {
			at = -1
		}
		if m == nil && at < 0 {
			return nil, fault.Usagef("%s: %q is not the number of a segment", flag, n).Do("names and ids need the model of the earlier labels: --from-model")
		}
		if m != nil {
			if at, err = segmentOf(m, n); err != nil {
				return nil, fault.Usagef("%s: %q %v", flag, n, err).Do("%s has %s", file, segmentList(m))
			}
		}
		chosen[at] = true
	}
	return chosen, nil
}

// segmentOf is the segment that goes by this number, id or name.
func segmentOf(m *model.Model, n string) (int, error) {
	if at, err := strconv.Atoi(n); err == nil && at >= 0 && at < m.K && strconv.Itoa(at) == n {
		return at, nil
	}
	if at := slices.IndexFunc(m.Segments, func(s model.Segment) bool { return s.ID == n }); at >= 0 {
		return at, nil
	}
	found := -1
	for i, s := range m.Segments {
		switch {
		case !strings.EqualFold(s.Name, n):
		case found >= 0:
			return 0, fmt.Errorf("is the name of the segments %d and %d: give a number", found, i)
		default:
			found = i
		}
	}
	if found < 0 {
		return 0, fmt.Errorf("is no segment of the model")
	}
	return found, nil
}

// segmentList is the segments of a model in words, the first few of many.
func segmentList(m *model.Model) string {
	var list []string
	for _, s := range m.Segments {
		list = append(list, fmt.Sprintf("%d (%s, %s)", s.Index, s.ID, s.Name))
	}
	return shorten(list)
}

// run walks the tables.
func (l *lister) run(ctx context.Context) error {
	reporter := l.r.Engine.Reporter
	total := l.labels.source.Rows()
	if l.data != nil {
		total += l.data.Rows()
	}
	if l.r.FromLabels != "" {
		earlier, err := openLabels(ctx, l.r.FromLabels, l.r.Engine.Stdin, l.old, l.r.FromModel, false)
		if err != nil {
			return err
		}
		defer earlier.close()
		total += earlier.source.Rows()
		reporter.Phase("read", total)
		if l.earlier, err = indexed(ctx, earlier, reporter.Add); err != nil {
			return err
		}
	} else {
		reporter.Phase("read", total)
	}
	if l.data == nil {
		return l.walkLabels(ctx)
	}
	return l.walkData(ctx)
}

// finish refuses an empty list, and makes the file appear.
func (l *lister) finish() (*ExportOutcome, error) {
	o := &ExportOutcome{Segments: []ListedSegment{}, Output: l.r.Output}
	for i, s := range l.listed {
		if l.wanted == nil || l.wanted[i] {
			o.Rows += s.Rows
			o.Segments = append(o.Segments, s)
		}
	}
	for _, c := range l.columns {
		o.Columns = append(o.Columns, c.name)
	}
	if l.data != nil {
		o.Joined = &l.joined
		if l.joined.Both == 0 {
			return nil, fault.Inputf(fault.In(l.r.Labels), "none of its customers is in %s", strings.Join(l.r.Data, ", ")).
				Do("is --id the right column? ids are compared as they are written, zeros in front included")
		}
	}
	if err := l.empty(o); err != nil {
		return nil, err
	}
	o.Formulas = l.out.found
	return o, l.out.commit()
}

// empty is why nobody is in the list, or in a segment that was asked for.
func (l *lister) empty(o *ExportOutcome) error {
	var all ListedSegment
	who := "the list would be empty: of its customers"
	for _, s := range o.Segments {
		all.Rows, all.Of, all.came = all.Rows+s.Rows, all.Of+s.Of, all.came+s.came
	}
	if l.wanted != nil {
		for _, s := range o.Segments {
			if s.Rows == 0 {
				all, who = s, fmt.Sprintf("segment %d, %s, would be empty: of its customers", s.Segment, s.Name)
				break
			}
		}
	}
	err := fault.Inputf(fault.In(l.r.Labels), "%s", "")
	switch {
	case all.Rows > 0:
		return nil
	case all.Of == 0:
		err.Problem = strings.TrimSuffix(who, ": of its customers") + ": no customer is labelled so"
		if l.data != nil {
			err.Problem += " and in the data"
		}
		err.Remedy = "leave it out of --segment"
		if l.wanted == nil {
			err.Remedy = "give the labels that were written with this model"
		}
	case all.came == 0 && l.wantedFrom != nil:
		err.Problem, err.Remedy = fmt.Sprintf("%s none of the %d was in %s", who, all.Of, strings.Join(l.r.FromSegments, ", ")), "choose other segments with --from-segment"
	case all.came == 0:
		err.Problem, err.Remedy = fmt.Sprintf("%s none of the %d was in another segment in %s", who, all.Of, l.r.FromLabels), "leave out --from-labels to list who stayed"
	default:
		err.Problem, err.Remedy = fmt.Sprintf("%s none of the %d meets %q", who, all.came, l.r.Where), "change the rule of --where"
	}
	err.Remedy += "; nothing was written"
	return err
}

// isMatrix says whether the source is an .npy file, whose columns have no names.
func isMatrix(s dataset.Source) bool { return strings.HasSuffix(strings.ToLower(firstName(s)), ".npy") }
