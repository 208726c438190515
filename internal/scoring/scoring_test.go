package scoring

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/lookup"
	"github.com/coterie-project/coterie/model"
)

// shop is a model of two numbers, an order and two texts under a missing policy; names and levels are as hostile as they come.
type shop struct {
	name      string
	missing   feature.Missing
	normalise bool
	k         int
}

var shops = []shop{
	{"fail", feature.Fail, false, 5}, {"drop", feature.Drop, false, 1}, {"mean", feature.Mean, false, 40}, {"indicator", feature.Indicator, false, 7},
	{"cosine", feature.Median, true, 5}, {"cosine, drop", feature.Drop, true, 3},
}

// The columns of the shops.
var columns = [][2]string{{`age "in years"`, "DOUBLE"}, {"spend", "DOUBLE"}, {"it's <education> & more", "VARCHAR"}, {"gender", "VARCHAR"}, {"country", "VARCHAR"}}

func (s shop) model() *model.Model {
	grid := func(shift float64) feature.Grid { return feature.Grid{Shift: shift, Exponent: -30} }
	t := &feature.Transform{Scale: feature.Standard, Missing: s.missing, Normalize: s.normalise,
		Numeric: []feature.NumericColumn{
			{Name: columns[0][0], Center: 40.1, Spread: 12.3, Grid: grid(0.25)},
			{Name: columns[1][0], Log1p: true, Center: -3, Spread: 1.7, Weight: 2, Grid: grid(-0.1)},
			{Name: columns[2][0], Order: []string{"school", "it's", "doctor"}, Center: 1, Spread: 0.5, Grid: grid(0)},
		},
		Categorical: []feature.CategoricalColumn{
			{Name: columns[3][0], Levels: []feature.Level{{Value: `f'"\`, Grid: grid(0.3)}, {Value: "m", Grid: grid(0)}}},
			{Name: columns[4][0], Weight: 0.5, Folded: []string{"ES", "IT"},
				Levels: []feature.Level{{Value: "FR", Grid: grid(0)}, {Value: "missing", Grid: grid(0)}, {Value: "other", Grid: grid(0)}}},
		}}
	if s.missing != feature.Fail && s.missing != feature.Drop {
		for j, fill := range []float64{41, 19, 2} {
			t.Numeric[j].Fill = &fill
		}
	}
	if s.missing == feature.Indicator {
		g := grid(0.1)
		t.Numeric[0].Indicator, t.Categorical[0].Missing = &g, &g
	}
	m := &model.Model{K: s.k, Metric: model.Euclidean, Transform: t, Counts: make([]int64, s.k), Segments: model.NewSegments(s.k)}
	if s.normalise {
		m.Metric = model.Cosine
	}
	m.Segments[0].Name = "A\nSELECT 1; -- <&'\""
	random, d := rand.New(rand.NewPCG(1, uint64(s.k))), m.Width()
	for range s.k {
		centroid, length := make([]float64, d), 0.0
		for j := range centroid {
			centroid[j] = random.NormFloat64()
			length += centroid[j] * centroid[j]
		}
		for j, g := range t.Grids() {
			if s.normalise { // of length 1, as a fit leaves them
				centroid[j] /= math.Sqrt(length)
			}
			m.Centroids = append(m.Centroids, float32(centroid[j]-g.Shift))
		}
	}
	return m
}

// rows are customers of the shops; nil is missing.
func rows() [][]any {
	random := rand.New(rand.NewPCG(7, 7))
	texts := func(list ...any) any { return list[random.IntN(len(list))] }
	var all [][]any
	for range 200 {
		row := []any{40 + 15*random.NormFloat64(), math.Floor(random.ExpFloat64() * 300), texts("school", "it's", "doctor", "doctor"),
			texts(`f'"\`, "m", "unseen"), texts("FR", "ES", "IT", "other", "missing", "XX")}
		if j := random.IntN(10); j < len(row) {
			row[j] = nil
		}
		all = append(all, row)
	}
	// What assign refuses: out of bounds, not in the order.
	return append(all, []any{1.0, -1.0, "school", "m", "FR"}, []any{1e150, 1.0, "school", "m", "FR"}, []any{1.0, 1.0, "college", "m", "FR"})
}

// placed is what a row came to; segment −1: none.
type placed struct {
	segment, second  int
	distance, margin float64
}

// assigned is where the engine puts a row.
func assigned(t *testing.T, f *lookup.Finder, row []any) placed {
	t.Helper()
	none := placed{segment: -1}
	table := f.NewTable()
	if err := table.Add(); err != nil {
		t.Fatal(err)
	}
	for j, value := range row {
		c, err := f.Column(columns[j][0])
		if err != nil {
			t.Fatal(err)
		}
		switch v := value.(type) {
		case float64:
			table.SetNumber(c, 0, v)
		case string:
			if table.SetText(c, 0, v) != nil {
				return none
			}
		}
	}
	a, err := f.Find(table)
	if err != nil || a.Segment[0] == lookup.None {
		return none
	}
	p := placed{int(a.Segment[0]), int(a.Second[0]), float64(a.Distance[0]), math.Inf(1)}
	if a.Second[0] != lookup.None {
		p.margin = float64(a.SecondDistance[0]) - p.distance
	}
	return p
}

// same holds what another system says against the engine: the same segment, unless the row lies midway, and the same distance
// to six digits.
func same(t *testing.T, what string, want placed, segment int, distance float64) {
	t.Helper()
	midway := want.margin < 1e-6*(1+want.distance) && segment == want.second
	if segment != want.segment && !midway || segment >= 0 && math.Abs(distance-want.distance) > 2e-6*(1+want.distance) {
		t.Errorf("%s: got segment %d at %v, want %d at %v", what, segment, distance, want.segment, want.distance)
	}
}

// TestTheDocumentScoresAsTheEngineDoes computes from the JSON alone, by what its definition says.
func TestTheDocumentScoresAsTheEngineDoes(t *testing.T) {
	for _, s := range shops {
		m := s.model()
		var text bytes.Buffer
		if err := New(m).JSON(&text); err != nil {
			t.Fatal(err)
		}
		var d Document
		if err := json.Unmarshal(text.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		finder, none := lookup.New(m), 0
		for i, row := range rows() {
			segment, distance := score(&d, row)
			if segment < 0 {
				none++
			}
			same(t, fmt.Sprintf("%s, row %d, %v", s.name, i, row), assigned(t, finder, row), segment, distance)
		}
		if refuses := s.missing == feature.Fail || s.missing == feature.Drop; refuses != (none > 50) || none < 3 {
			t.Errorf("%s: %d rows have no segment", s.name, none)
		}
	}
}

// score is what a reader of the document would write.
func score(d *Document, row []any) (segment int, distance float64) {
	value := make(map[string]any)
	missing := make(map[string]bool)
	for j, f := range d.Features {
		v := row[j]
		if f.Kind == KindOrder && v != nil {
			at := slices.Index(f.Order, v.(string))
			if at < 0 {
				return -1, 0
			}
			v = float64(at)
		}
		missing[f.Name] = v == nil
		switch {
		case v == nil && f.Required:
			return -1, 0
		case v == nil && f.Fill != nil:
			v = *f.Fill
		}
		if x, number := v.(float64); number && f.Kind == KindNumber && (math.Abs(x) > f.Most || f.Above != nil && x <= *f.Above) {
			return -1, 0
		}
		value[f.Name] = v
	}
	point, length := make([]float64, len(d.Coordinates)), 0.0
	for j, c := range d.Coordinates {
		switch c.Kind {
		case KindNumber:
			x := value[c.Feature].(float64)
			if c.Log1p {
				x = math.Log1p(x)
			}
			point[j] = (x - c.Center) / c.Spread * c.Weight
		case KindMissing:
			if missing[c.Feature] {
				point[j] = c.Weight
			}
		case KindLevel:
			if text, ok := value[c.Feature].(string); ok && slices.Contains(c.Texts, text) || missing[c.Feature] && c.Missing {
				point[j] = c.Weight
			}
		}
		length += point[j] * point[j]
	}
	least := math.Inf(1)
	for i, s := range d.Segments {
		sum := 0.0
		for j, x := range point {
			if d.Normalise {
				x /= math.Sqrt(length)
			}
			sum += (x - s.Centroid[j]) * (x - s.Centroid[j])
		}
		if sum < least {
			segment, least = i, sum
		}
	}
	if d.Distance == model.Cosine {
		return segment, least / 2
	}
	return segment, math.Sqrt(least)
}

// foreign scores all rows of all shops by another program.
func foreign(t *testing.T, kind string, write func(d *Document, w io.Writer) error) {
	t.Helper()
	python := os.Getenv("COTERIE_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import "+kind).CombinedOutput(); err != nil {
		t.Skipf("%s cannot import %s (pip install %s; COTERIE_PYTHON names another Python): %v %.200s", python, kind, kind, err, out)
	}
	type document struct {
		Model   string      `json:"model"`
		Columns [][2]string `json:"columns"`
		Rows    [][]any     `json:"rows"`
	}
	asked := map[string]any{"kind": kind}
	var cases []document
	for _, s := range shops {
		var text bytes.Buffer
		if err := write(New(s.model()), &text); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, document{text.String(), columns, rows()})
	}
	asked["cases"] = cases
	input, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	var said, complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "score.py"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &said, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %.2000s", err, complaints.String())
	}
	var answers [][][2]*float64
	if err := json.Unmarshal(said.Bytes(), &answers); err != nil {
		t.Fatalf("%v: %.200s", err, said.String())
	}
	for c, s := range shops {
		finder := lookup.New(s.model())
		for i, row := range rows() {
			segment, distance := -1, 0.0
			if a := answers[c][i]; a[0] != nil {
				segment, distance = int(*a[0]), *a[1]
			}
			same(t, fmt.Sprintf("%s, row %d, %v", s.name, i, row), assigned(t, finder, row), segment, distance)
		}
	}
}

// TestDuckDBScoresAsTheEngineDoes runs the queries. What DuckDB takes of the other dialects it takes here, too.
func TestDuckDBScoresAsTheEngineDoes(t *testing.T) {
	for _, dialect := range []Dialect{DuckDB, ANSI} {
		foreign(t, "duckdb", func(d *Document, w io.Writer) error {
			return d.SQL(w, SQLOptions{Dialect: dialect, Table: "main.customers", ID: "customer_id"})
		})
	}
}

func TestAPMMLEvaluatorScoresAsTheEngineDoes(t *testing.T) {
	foreign(t, "pypmml", (*Document).PMML)
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestTextsAreAsTheyWere holds the texts of all forms.
func TestTextsAreAsTheyWere(t *testing.T) {
	d := New(shop{"", feature.Indicator, false, 2}.model())
	cosine := New(shop{"", feature.Drop, true, 2}.model())
	sql := func(d *Document, dialect Dialect) func(io.Writer) error {
		return func(w io.Writer) error {
			return d.SQL(w, SQLOptions{Dialect: dialect, Table: "shop.customers", ID: `the "id"`})
		}
	}
	for name, write := range map[string]func(io.Writer) error{
		"ansi.sql": sql(d, ANSI), "duckdb.sql": sql(d, DuckDB), "postgres.sql": sql(d, Postgres), "bigquery.sql": sql(d, BigQuery),
		"cosine.sql": sql(cosine, Postgres), "model.pmml": d.PMML, "cosine.pmml": cosine.PMML, "model.json": d.JSON,
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: got\n%s\nwant the file, %v", name, got.Bytes(), err)
		}
		if strings.HasSuffix(name, ".pmml") {
			if err := xml.Unmarshal(got.Bytes(), new(struct{})); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestNamesAndTextsAreQuotedForEachDialect(t *testing.T) {
	const hostile = "a\"b'c`d\\e\nf"
	for _, c := range []struct {
		dialect    Dialect
		name, text string
	}{
		{ANSI, "\"a\"\"b'c`d\\e\nf\"", "'a\"b''c`d\\e\nf'"},
		{Postgres, "\"a\"\"b'c`d\\e\nf\"", "'a\"b''c`d\\e\nf'"},
		{BigQuery, "`a\"b'c\\`d\\\\e\\x0af`", `'a"b\'c` + "`" + `d\\e\x0af'`},
	} {
		if got := c.dialect.name(hostile); got != c.name {
			t.Errorf("%s: got the name %s, want %s", c.dialect, got, c.name)
		}
		if got := c.dialect.text(hostile); got != c.text {
			t.Errorf("%s: got the text %s, want %s", c.dialect, got, c.text)
		}
	}
}

func TestTablesAreNamedPartByPart(t *testing.T) {
	for _, c := range []struct{ table, want string }{ // empty: refused
		{"customers", `"customers"`}, {"shop.customers", `"shop"."customers"`}, {`"my.table"`, `"my.table"`}, {`a."b""c.d".e`, `"a"."b""c.d"."e"`},
		{"x; DROP TABLE y", `"x; DROP TABLE y"`}, {"", ""}, {".", ""}, {"a.", ""}, {"a..b", ""}, {`"a`, ""}, {`"a"b`, ""}, {`a"b`, ""}, {`a"b.c`, ""}, {`""`, ""}, {"a\x00", ""},
	} {
		got, err := ANSI.tableName(c.table)
		if got != c.want || (err == nil) != (c.want != "") || err != nil && fault.Code(err) != 2 {
			t.Errorf("%q: got %s, %v, want %s", c.table, got, err, c.want)
		}
	}
}

func TestNumbersAreFloatsToTheBit(t *testing.T) {
	for x, want := range map[float64]string{0: "0e0", 1: "1e0", -2.5: "(-2.5e0)", 1e-7: "1e-7", 0x1p480: "3.1217485503159922e144", 1e10: "1e10", 1e-10: "1e-10", 0.1: "1e-1"} {
		if got := number(x); got != want {
			t.Errorf("%v: got %s, want %s", x, got, want)
		}
	}
}

func TestPostgreSQLIsToldNotToCompileLargeQueries(t *testing.T) {
	for k, want := range map[int]bool{jitTerms / 8: false, jitTerms/8 + 1: true} {
		d := New(shop{"", feature.Drop, false, k}.model())
		for _, dialect := range []Dialect{Postgres, ANSI} {
			var text bytes.Buffer
			if err := d.SQL(&text, SQLOptions{Dialect: dialect, Table: "t", ID: "id"}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(text.String(), "SET jit = off"); got != (want && dialect == Postgres) {
				t.Errorf("%s, %d × %d: got %v", dialect, k, len(d.Coordinates), got)
			}
		}
	}
}

func TestSumsStayShallow(t *testing.T) {
	terms := make([]string, MaxColumns)
	for i := range terms {
		terms[i] = "x"
	}
	deepest, depth := 0, 0
	for _, c := range sum(terms) {
		switch c {
		case '(':
			depth++
			deepest = max(deepest, depth)
		case ')':
			depth--
		}
	}
	if got := strings.Count(sum(terms), "x"); deepest > 3 || depth != 0 || got != MaxColumns {
		t.Errorf("got %d terms %d deep, want %d at most 3 deep", got, deepest, MaxColumns)
	}
}

func TestModelsThatAFormCannotHoldAreRefused(t *testing.T) {
	wide := func(k int) *Document {
		d := New(shop{"", feature.Fail, false, 1}.model())
		for len(d.Segments) < k {
			d.Segments = append(d.Segments, d.Segments[0])
		}
		return d
	}
	sql := func(dialect Dialect, id string) func(*Document) error {
		return func(d *Document) error {
			return d.SQL(io.Discard, SQLOptions{Dialect: dialect, Table: "t", ID: id})
		}
	}
	// broad has so many coordinates.
	broad := func(k, coordinates int) *Document {
		d := wide(k)
		for len(d.Coordinates) < coordinates {
			d.Coordinates = append(d.Coordinates, d.Coordinates[0])
		}
		for i := range d.Segments {
			d.Segments[i].Centroid = make([]float64, len(d.Coordinates))
		}
		return d
	}
	hostile := wide(1)
	hostile.Features[0].Name = "a\x00b"
	pmml := func(d *Document) error { return d.PMML(io.Discard) }
	for _, c := range []struct {
		name  string
		d     *Document
		write func(*Document) error
		want  string // empty: it is written
	}{
		{"as many segments as a query has columns", wide(MaxColumns), sql(Postgres, "id"), ""},
		{"one more", wide(MaxColumns + 1), sql(Postgres, "id"), "too much for a query"},
		{"as many coordinates as a query has columns", broad(2, MaxColumns), sql(DuckDB, "id"), ""},
		{"one coordinate more", broad(2, MaxColumns+1), sql(DuckDB, "id"), "too much for a query"},
		{"as many terms as a query has", broad(MaxTerms/1024, 1024), sql(Postgres, "id"), ""},
		{"more terms", broad(MaxTerms/1024+1, 1024), sql(Postgres, "id"), "too much for a query"},
		{"a query that is too long for BigQuery", broad(MaxTerms/1024, 1024), sql(BigQuery, "id"), "at most 1048576"},
		{"no id", wide(1), sql(ANSI, ""), "--id"},
		{"a NUL in a name, in SQL", hostile, sql(ANSI, "id"), `"a\x00b"`},
		{"a NUL in a name, in PMML", hostile, pmml, `"a\x00b"`},
		{"many segments in PMML", wide(MaxColumns + 1), pmml, ""},
	} {
		err := c.write(c.d)
		var ours *fault.Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v", c.name, err)
		case c.want != "" && (!errors.As(err, &ours) || ours.Kind != fault.Usage || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}
