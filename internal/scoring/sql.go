package scoring

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
)

// Bounds of a query. It computes the distances to all segments as columns of one row, so that no table is joined and nothing is
// grouped; databases allow that up to some size.
const (
	// MaxColumns bounds segments and coordinates: PostgreSQL has at most 1,664 columns in a result.
	MaxColumns = 1600
	// MaxTerms bounds the differences, segments × coordinates: the text takes about 60 bytes for each, and BigQuery reads 1 MB.
	MaxTerms = 1 << 17
	// BigQueryBytes is how long a query BigQuery takes.
	BigQueryBytes = 1 << 20
	// jitTerms is how many of them PostgreSQL may well compile: 50 segments × 20 columns take it no time, and 300 × 20 minutes.
	jitTerms = 1 << 10
	// group is how many terms are added without parentheses. Sums of sums keep expressions shallow: DuckDB's may be nested 1,000
	// deep.
	group = 32
)

// SQLOptions say where the rows are.
type SQLOptions struct {
	Dialect Dialect
	Table   string // customers, or shop.customers
	ID      string // its column with the id
}

// SQL writes a query that gives id, segment and distance of every row of a table with the input columns; segment and distance
// are NULL where Document says that a row has none. Errors are Usage for a name that is none, and for a model that is too
// large for a query.
func (d *Document) SQL(w io.Writer, o SQLOptions) error {
	table, err := o.Dialect.tableName(o.Table)
	if err != nil {
		return err
	}
	if o.ID == "" || strings.ContainsRune(o.ID, 0) {
		return fault.Usagef("--id: %q is not the name of a column", o.ID)
	}
	terms := len(d.Segments) * len(d.Coordinates)
	if len(d.Segments) > MaxColumns || len(d.Coordinates) > MaxColumns || terms > MaxTerms {
		return fault.Usagef("--as: sql would take %d segments × %d columns, which is too much for a query", len(d.Segments), len(d.Coordinates)).
			Do("use --as json or --as pmml, or coterie assign")
	}
	for _, f := range d.Features {
		for _, s := range append([]string{f.Name}, f.Order...) {
			if strings.ContainsRune(s, 0) {
				return fault.Usagef("--as: sql has no way to write %q", s).Do("use --as json")
			}
		}
	}
	counted := &counter{w: w}
	q := &query{d: d, o: o, w: bufio.NewWriter(counted)}
	q.comment()
	q.inputs(table)
	q.scaled()
	q.normalised()
	q.distances()
	q.nearest()
	if err := q.w.Flush(); err != nil {
		return err
	}
	if o.Dialect == BigQuery && counted.n > BigQueryBytes {
		return fault.Usagef("--dialect: the query for %s has %d bytes, and at most %d are taken", o.Dialect, counted.n, BigQueryBytes).
			Do("use --as json or --as pmml, or coterie assign")
	}
	return nil
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return c.w.Write(p)
}

// query is a query on its way; errors of its writer are told by Flush.
type query struct {
	d *Document
	o SQLOptions
	w *bufio.Writer
}

func (q *query) printf(format string, args ...any) { fmt.Fprintf(q.w, format, args...) }

// lines writes expressions of a SELECT, one a line.
func (q *query) lines(expressions []string) {
	q.printf("%s\n", strings.Join(expressions, ",\n    "))
}

// plain is a text that stays within its comment.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}

func (q *query) comment() {
	q.printf("-- The segment of every row of a table, by the model with the digest\n-- %s.\n", q.d.Digest)
	q.printf("-- It computes in double precision where coterie assign rounds to single: rows that lie midway between two segments to\n")
	q.printf("-- the seventh digit may get the other one. Rows that coterie assign would refuse or drop have no segment.\n")
	if q.o.Dialect == Postgres && len(q.d.Segments)*len(q.d.Coordinates) > jitTerms {
		q.printf("-- SET jit = off; comes first: to compile a query of this size takes longer than to run it.\n")
	}
	for i, s := range q.d.Segments {
		if i == 100 {
			q.printf("--   and %d more\n", len(q.d.Segments)-i)
			break
		}
		q.printf("--   %d %s (%s)\n", i, plain(s.Name), plain(s.ID))
	}
}

// inputs reads the features: x0, x1, …, filled in and NULL where they cannot be used, and m0, m1, … that say what was missing.
func (q *query) inputs(table string) {
	dialect := q.o.Dialect
	list := []string{dialect.name(q.o.ID) + " AS id"}
	for i, f := range q.d.Features {
		column := dialect.name(f.Name)
		missing := column + " IS NULL"
		switch f.Kind {
		case KindText:
			list = append(list, fmt.Sprintf("%s AS x%d", dialect.string(column), i))
			continue
		case KindNumber:
			list = append(list, fmt.Sprintf("%s AS x%d", q.bounded(dialect.double(column), &f), i))
			missing += " OR " + dialect.isNaN(dialect.double(column))
		case KindOrder:
			missing += " OR " + dialect.string(column) + " = ''"
			list = append(list, fmt.Sprintf("%s AS x%d", q.ranked(column, missing, &f), i))
		}
		if q.indicated(i) {
			list = append(list, fmt.Sprintf("CASE WHEN %s THEN 1 ELSE 0 END AS m%d", missing, i))
		}
	}
	q.printf("WITH %s\n  SELECT\n    ", dialect.with("input"))
	q.lines(list)
	q.printf("  FROM %s\n),\n", table)
}

// indicated says whether a coordinate is made of the lack of a number.
func (q *query) indicated(feature int) bool {
	for _, c := range q.d.Coordinates {
		if c.feature == feature && c.Kind == KindMissing {
			return true
		}
	}
	return false
}

// bounded is a number within its bounds, filled in where it is missing; else NULL.
func (q *query) bounded(x string, f *Feature) string {
	within := fmt.Sprintf("%s BETWEEN %s AND %s", x, number(-f.Most), number(f.Most))
	if f.Above != nil {
		within = fmt.Sprintf("%s > %s AND %s <= %s", x, number(*f.Above), x, number(f.Most))
	}
	fill := ""
	if f.Fill != nil {
		fill = fmt.Sprintf("WHEN %s IS NULL OR %s THEN %s ", x, q.o.Dialect.isNaN(x), number(*f.Fill))
	}
	return fmt.Sprintf("CASE %sWHEN %s THEN %s END", fill, within, x)
}

// ranked is the position of a text in its order.
func (q *query) ranked(column, missing string, f *Feature) string {
	var b strings.Builder
	b.WriteString("CASE")
	if f.Fill != nil {
		fmt.Fprintf(&b, " WHEN %s THEN %s", missing, number(*f.Fill))
	}
	for i, text := range f.Order {
		fmt.Fprintf(&b, " WHEN %s = %s THEN %s", q.o.Dialect.string(column), q.o.Dialect.text(text), number(float64(i)))
	}
	return b.String() + " END"
}

// scaled makes the coordinates c0, c1, ….
func (q *query) scaled() {
	list := []string{"id"}
	for i := range q.d.Coordinates {
		list = append(list, fmt.Sprintf("%s AS c%d", q.coordinate(&q.d.Coordinates[i]), i))
	}
	q.printf("%s\n  SELECT\n    ", q.o.Dialect.with("scaled"))
	q.lines(list)
	q.printf("  FROM input\n),\n")
}

func (q *query) coordinate(c *Coordinate) string {
	x := fmt.Sprintf("x%d", c.feature)
	required, text := q.d.Features[c.feature].Required, q.d.Features[c.feature].Kind == KindText
	zero, weight := number(0), number(c.Weight)
	switch {
	case c.Kind == KindNumber:
		if c.Log1p {
			x = "LN(1 + " + x + ")"
		}
		if c.Center != 0 || c.Spread != 1 {
			x = fmt.Sprintf("(%s - %s) / %s", x, number(c.Center), number(c.Spread))
		}
		if c.Weight != 1 {
			x = fmt.Sprintf("(%s) * %s", x, weight)
		}
		return x
	case c.Kind == KindMissing && !text:
		return fmt.Sprintf("CASE WHEN m%d = 1 THEN %s ELSE %s END", c.feature, weight, zero)
	case c.Kind == KindMissing:
		return fmt.Sprintf("CASE WHEN %s IS NULL THEN %s ELSE %s END", x, weight, zero)
	}
	var texts []string
	for _, t := range c.Texts {
		texts = append(texts, q.o.Dialect.text(t))
	}
	is := fmt.Sprintf("%s IN (%s)", x, strings.Join(texts, ", "))
	switch {
	case required:
		return fmt.Sprintf("CASE WHEN %s THEN %s WHEN %s IS NOT NULL THEN %s END", is, weight, x, zero)
	case c.Missing:
		is += fmt.Sprintf(" OR %s IS NULL", x)
	}
	return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", is, weight, zero)
}

// normalised brings rows to length 1, where the model does.
func (q *query) normalised() {
	if !q.d.Normalise {
		return
	}
	squares, list := make([]string, len(q.d.Coordinates)), []string{"id"}
	for i := range squares {
		squares[i] = fmt.Sprintf("c%d * c%d", i, i)
		list = append(list, fmt.Sprintf("c%d / NULLIF(length, 0) AS c%d", i, i))
	}
	q.printf("%s\n  SELECT scaled.*, SQRT(%s) AS length\n  FROM scaled\n),\n", q.o.Dialect.with("measured"), sum(squares))
	q.printf("%s\n  SELECT\n    ", q.o.Dialect.with("normalised"))
	q.lines(list)
	q.printf("  FROM measured\n),\n")
}

// distances are d0, d1, …: squared, or in DuckDB as they are.
func (q *query) distances() {
	from, list := "scaled", []string{"id"}
	if q.d.Normalise {
		from = "normalised"
	}
	if q.arrays() {
		q.arrayDistances(from)
		return
	}
	terms := make([]string, len(q.d.Coordinates))
	for i, s := range q.d.Segments {
		for j, x := range s.Centroid {
			difference := fmt.Sprintf("(c%d - %s)", j, number(x))
			terms[j] = difference + " * " + difference
		}
		list = append(list, fmt.Sprintf("%s AS d%d", sum(terms), i))
	}
	q.printf("%s\n  SELECT\n    ", q.o.Dialect.with("distances"))
	q.lines(list)
	q.printf("  FROM %s\n),\n", from)
}

// arrays says whether coordinates are gathered in an array. DuckDB has a function for the distance of two, and its optimiser
// takes a time for the sums that grows with the square of their number: 20 s for 300 segments of 20 columns, where this
// takes less than one.
func (q *query) arrays() bool { return q.o.Dialect == DuckDB }

// arrayDistances are distances by DuckDB's function. It refuses arrays that hold a NULL, and gives NULL for one that is.
func (q *query) arrayDistances(from string) {
	coordinates := make([]string, len(q.d.Coordinates))
	for i := range coordinates {
		coordinates[i] = fmt.Sprintf("c%d", i)
	}
	d := len(coordinates)
	q.printf("%s\n  SELECT id, CASE WHEN %s IS NOT NULL THEN [%s]::DOUBLE[%d] END AS point\n  FROM %s\n),\n", q.o.Dialect.with("points"),
		"("+sum(coordinates)+")", strings.Join(coordinates, ", "), d, from)
	list, numbers := []string{"id"}, make([]string, d)
	for i, s := range q.d.Segments {
		for j, x := range s.Centroid {
			numbers[j] = number(x)
		}
		list = append(list, fmt.Sprintf("array_distance(point, [%s]::DOUBLE[%d]) AS d%d", strings.Join(numbers, ", "), d, i))
	}
	q.printf("%s\n  SELECT\n    ", q.o.Dialect.with("distances"))
	q.lines(list)
	q.printf("  FROM points\n),\n")
}

// sum adds terms, some at a time.
func sum(terms []string) string {
	if len(terms) <= group {
		return strings.Join(terms, " + ")
	}
	var sums []string
	for first := 0; first < len(terms); first += group {
		sums = append(sums, "("+strings.Join(terms[first:min(first+group, len(terms))], " + ")+")")
	}
	return sum(sums)
}

// nearest finds the least of the distances.
func (q *query) nearest() {
	columns := make([]string, len(q.d.Segments))
	for i := range columns {
		columns[i] = fmt.Sprintf("d%d", i)
	}
	least := columns[0]
	if len(columns) > 1 {
		least = "LEAST(" + strings.Join(columns, ", ") + ")"
	}
	q.printf("%s\n  SELECT distances.*, %s AS least\n  FROM distances\n)\nSELECT\n  id,\n  CASE least", q.o.Dialect.with("nearest"), least)
	for i := range columns {
		q.printf(" WHEN d%d THEN %d", i, i)
	}
	distance := "SQRT(least)"
	switch {
	case q.arrays() && q.d.Normalise:
		distance = "least * least / 2"
	case q.arrays():
		distance = "least"
	case q.d.Normalise:
		distance = "least / 2"
	}
	q.printf(" END AS segment,\n  %s AS distance\nFROM nearest\n", distance)
}
