package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/dataset/table"
)

// A shop of eight customers. Three of them spend much; of 5 the visits are not known, of b the country.
const (
	shopTable = "customer_id,monetary,visits,country\n1,10,1,FR\n2,500,9,FR\n3,12,2,UK\n007,520,8,UK\nb,11,1,\n5,14,,FR\n6,490,9,\"O'Land, N\"\n8,9,1,UK\n"
	// Labels of all of them, and those of the month before: 1 has come, 2 and 3 were elsewhere.
	shopLabels  = "id,segment,distance\n1,0,0.5\n2,1,1.5\n3,0,0.25\n007,1,1\nb,0,0.75\n5,0,2\n6,1,3\n8,0,0.125\n"
	shopEarlier = "id,segment,distance\n8,0,1\n6,1,1\n5,0,1\nb,0,1\n007,1,1\n3,1,1\n2,0,1\n"
	// The same customers as the table, in another order, and with strangers: 9 and 10 are in the table alone.
	shopShuffled = "visits,country,customer_id,monetary\n9,FR,2,500\n1,FR,1,10\n1,UK,9,9\n8,UK,007,520\n1,,b,11\n9,\"O'Land, N\",6,490\n,FR,5,14\n1,FR,10,4\n2,UK,3,12\n"
)

// enterShop writes the tables and a model of two segments.
func enterShop(t *testing.T) {
	t.Helper()
	enterWith(t, map[string]string{"customers.csv": shopTable, "labels.csv": shopLabels, "earlier.csv": shopEarlier, "shuffled.csv": shopShuffled,
		"starts.csv": "monetary\n10\n500\n", "old.csv": "the list of last month\n"})
	if got := coterie("fit", "customers.csv", "-k", "2", "--features", "monetary", "--init", "starts.csv", "-o", "model.json", "--quiet", "--json"); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	write(t, "before.json", text(t, "model.json"))
}

// shopNames are the names that the fit has given to the segments 0 and 1.
func shopNames(t *testing.T) (names [2]string) {
	t.Helper()
	var document struct {
		Segments []struct{ Name string } `json:"segments"`
	}
	if err := json.Unmarshal([]byte(text(t, "model.json")), &document); err != nil || len(document.Segments) != 2 {
		t.Fatalf("got %v, %v", document, err)
	}
	return [2]string{document.Segments[0].Name, document.Segments[1].Name}
}

var exportShop = []string{"export", "--model", "model.json", "--labels", "labels.csv", "-o", "list.csv", "--quiet"}

// ids are the first column of a list.
func ids(t *testing.T, file string) string {
	t.Helper()
	var list []string
	for i, line := range strings.Split(strings.TrimSuffix(text(t, file), "\n"), "\n") {
		id, _, _ := strings.Cut(line, ",")
		if i > 0 {
			list = append(list, id)
		}
	}
	return strings.Join(list, " ")
}

func TestExportListsWhoIsAskedFor(t *testing.T) {
	enterShop(t)
	name := shopNames(t)
	data, shuffled := []string{"--data", "customers.csv"}, []string{"--data", "shuffled.csv"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "1 2 3 007 b 5 6 8"},
		{[]string{"--segment", "1"}, "2 007 6"},
		{[]string{"--segment", "s2"}, "2 007 6"},
		{[]string{"--segment", strings.ToUpper(name[1])}, "2 007 6"},
		{[]string{"--segment", "1", "--segment", "s1"}, "1 2 3 007 b 5 6 8"},
		{[]string{"--where", "distance <= 0.5"}, "1 3 8"},
		{[]string{"--where", "segment = 1 and distance > 1"}, "2 6"},
		{with(data, "--where", "monetary > 500"), "007"},
		{with(data, "--where", "visits < 9"), "1 3 007 b 8"},
		{with(data, "--where", "not visits < 9"), "2 6"},
		{with(data, "--where", "visits is missing or country is missing"), "b 5"},
		{with(data, "--where", "country in ('FR', 'O''Land, N') and distance < 2"), "1 2"},
		{with(data, "--where", "monetary >= 490 and segment = 1 and visits = 9", "--segment", "1"), "2 6"},
		{with(data, "--where", "customer_id != '1'", "--segment", "0"), "3 b 5 8"},
		// Rows come in the order of the data.
		{shuffled, "2 1 007 b 6 5 3"},
		{with(shuffled, "--where", "country = 'UK'"), "007 3"},
		{[]string{"--from-labels", "earlier.csv"}, "2 3"},
		{[]string{"--from-labels", "earlier.csv", "--segment", "1"}, "2"},
		{[]string{"--from-labels", "earlier.csv", "--from-segment", "1"}, "3 007 6"},
		{[]string{"--from-labels", "earlier.csv", "--from-segment", name[1], "--from-model", "before.json"}, "3 007 6"},
		{[]string{"--from-labels", "earlier.csv", "--from-model", "before.json"}, "2 3"},
		{[]string{"--from-labels", "earlier.csv", "--where", "from_segment = 1 and distance < 1"}, "3"},
		{with(shuffled, "--from-labels", "earlier.csv", "--where", "monetary < 100"), "3"},
	} {
		got := coterie(with(exportShop, with(c.args, "--json")...)...)
		if got.code != 0 || ids(t, "list.csv") != c.want {
			t.Errorf("%q: got %+v and %s, want %s", c.args, got, ids(t, "list.csv"), c.want)
		}
	}
}

func TestAListHasLabelsNamesAndColumns(t *testing.T) {
	enterShop(t)
	name := shopNames(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "id,segment,name,distance\n2,1,BIG,1.5\n007,1,BIG,1\n6,1,BIG,3\n"},
		{[]string{"--data", "customers.csv"}, "id,segment,name,distance,monetary\n2,1,BIG,1.5,500\n007,1,BIG,1,520\n6,1,BIG,3,490\n"},
		{[]string{"--data", "customers.csv", "--columns", "country,visits"},
			"id,segment,name,distance,country,visits\n2,1,BIG,1.5,FR,9\n007,1,BIG,1,UK,8\n6,1,BIG,3,\"O'Land, N\",9\n"},
		{[]string{"--from-labels", "earlier.csv", "--from-segment", "0,1", "--from-model", "before.json"},
			"id,segment,name,distance,from_segment,from_name\n2,1,BIG,1.5,0,SMALL\n007,1,BIG,1,1,BIG\n6,1,BIG,3,1,BIG\n"},
	} {
		got := coterie(with(exportShop, with(c.args, "--segment", "1")...)...)
		want := strings.NewReplacer("BIG", name[1], "SMALL", name[0]).Replace(c.want)
		if diff := cmp.Diff(want, text(t, "list.csv")); got.code != 0 || diff != "" {
			t.Errorf("%q: got %+v (-want +got):\n%s", c.args, got, diff)
		}
	}
}

func TestExportSaysWhoIsInTheList(t *testing.T) {
	enterShop(t)
	name := shopNames(t)
	args := []string{"export", "--model", "model.json", "--labels", "labels.csv", "--data", "shuffled.csv", "--where", "visits > 1", "-o", "list.csv"}
	want := strings.NewReplacer("BIG", name[1], "SMALL", name[0]).Replace("4 customers\n        3  of 3 in segment 1, BIG\n        1  of 4 in segment 0, SMALL\n" +
		"columns id, segment, name, distance, monetary\nlist    list.csv\n")
	const told = "coterie: customers left out: 1 only in the labels, 2 only in the data\n"
	if diff := cmp.Diff(outcome{0, want, told}, coterie(args...), cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = strings.NewReplacer("BIG", name[1]).Replace(`{"rows":3,"segments":[{"segment":1,"id":"s2","name":"BIG","rows":3,"of":3}],` +
		`"columns":["id","segment","name","distance","monetary"],"joined":{"both":7,"without_row":1,"without_label":2},"output":"list.csv"}` + "\n")
	if got := coterie(with(args, "--segment", "1", "--json", "--quiet")...); got.code != 0 || got.stdout != want {
		t.Errorf("got %+v, want %s", got, want)
	}
}

// TestAListDoesNotDependOnFormats reads and writes Parquet, where ids are integers and times are times, and CSV.
func TestAListDoesNotDependOnFormats(t *testing.T) {
	enterShop(t)
	const n = 20_000 // more than a block, and than the file takes at a time
	id, segment, distance, when, bought, word := make([]int64, n), make([]int32, n), make([]float32, n), make([]int64, n), make([]float64, n), make([]string, n)
	for i := range n {
		id[i], segment[i], distance[i], when[i], bought[i] = int64(i*7919%n), int32(i%2), float32(i)/8, int64(i)*3_600_000_000, float64(i)/4
		word[i] = []string{"a", "", "c"}[i%3]
		if i%5 == 0 {
			when[i] = table.NoTime
		}
	}
	labels := []table.Column{{Name: "id", Type: table.Int64}, {Name: "segment", Type: table.Int32}, {Name: "distance", Type: table.Float32}}
	people := []table.Column{{Name: "customer_id", Type: table.Int64}, {Name: "last", Type: table.Time, Nullable: true}, {Name: "bought", Type: table.Float64},
		{Name: "word", Type: table.Text, Nullable: true}}
	for _, ext := range []string{".csv", ".parquet"} {
		writeTable(t, "l"+ext, n, labels, id, segment, distance)
		writeTable(t, "c"+ext, n, people, id, when, bought, word)
	}
	writeTable(t, "l.npy", n, labels, id, segment, distance)
	slices.Reverse(id)
	slices.Reverse(segment)
	slices.Reverse(distance)
	writeTable(t, "back.parquet", n, labels, id, segment, distance)
	var want string
	for _, l := range []string{"l.csv", "l.parquet", "l.npy", "back.parquet"} {
		for _, c := range []string{"c.parquet", "c.csv"} {
			for _, out := range []string{"list.csv", "list.parquet"} {
				got := coterie("export", "--model", "model.json", "--labels", l, "--data", c, "--columns", "last,bought,word", "-o", out, "--json", "--quiet",
					"--where", "bought >= 1 and (last > '1970-02' or word = 'c')")
				if got.code != 0 {
					t.Fatalf("%s, %s: got %+v", l, c, got)
				}
				if out != "list.csv" { // as a table, written once more
					again := coterie("export", "--model", "model.json", "--labels", "list.parquet", "--data", "list.parquet", "--id", "id", "--columns", "last,bought,word", "-o", "list.csv", "--quiet")
					if again.code != 0 {
						t.Fatalf("%s, %s: got %+v", l, c, again)
					}
				}
				list := text(t, "list.csv")
				if want == "" {
					want = list
				}
				if list != want {
					t.Errorf("%s, %s, %s: got another list: %.300s\nwant %.300s", l, c, out, list, want)
				}
			}
		}
	}
	if lines := strings.Count(want, "\n"); lines < n/2 || lines == n {
		t.Errorf("got %d lines of %d customers", lines, n)
	}
}

func TestExportRefusesWhatItCannotDo(t *testing.T) {
	enterShop(t)
	write(t, "twice.csv", shopLabels+"3,0,1\n")
	write(t, "third.csv", "id,segment,distance\n1,0,1\n2,2,1\n")
	write(t, "half.csv", "id,segment,distance\n1,0.5,1\n")
	write(t, "lack.csv", "id,segment,distance\n1,0,1\n,1,1\n")
	write(t, "strangers.csv", "customer_id,monetary\n91,1\n92,2\n")
	write(t, "double.csv", shopShuffled+"1,FR,1,10\n")
	write(t, "named.csv", "customer_id,name\n1,Ann\n")
	write(t, "none.csv", "id,segment,distance\n1,0,1\n2,0,1\n")
	data := []string{"--data", "customers.csv"}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--segment", "2"}, 2, `--segment: "2" is no segment of the model (model.json has 0 (s1, `},
		{[]string{"--segment", "Lost souls"}, 2, `--segment: "Lost souls" is no segment`},
		{[]string{"--where", "monetary > 5"}, 3, `labels.csv: there is no column "monetary" for --where (labels have segment and distance; name the customers' table with --data)`},
		{with(data, "--where", "monetari > 5"), 3, `customers.csv: there is no column "monetari" (did you mean "monetary"?)`},
		{with(data, "--where", "monetary > > 5"), 2, "--where: at character 12, monetary > ^> 5: a column, a number or a 'text' is expected here"},
		{with(data, "--where", "monetary = 'x'"), 2, "--where: at character 12, monetary = ^'x': monetary holds numbers, and this is a text"},
		{with(data, "--where", "from_segment = 1"), 2, `--where: "from_segment" without --from-labels (name the earlier labels)`},
		{with(data, "--where", "monetary > 1000"), 3, `labels.csv: the list would be empty: of its customers none of the 8 meets "monetary > 1000" (change the rule of --where; nothing was written)`},
		{with(data, "--where", "monetary > 100", "--segment", "0,1"), 3, `would be empty: of its customers none of the 5 meets "monetary > 100"`},
		{[]string{"--from-labels", "labels.csv"}, 3, "the list would be empty: of its customers none of the 8 was in another segment in labels.csv (leave out --from-labels"},
		{[]string{"--labels", "none.csv", "--segment", "1"}, 3, "would be empty: no customer is labelled so (leave it out of --segment; nothing was written)"},
		{[]string{"--from-labels", "none.csv", "--from-segment", "1"}, 3, "the list would be empty: of its customers none of the 8 was in 1 (choose other segments"},
		{[]string{"--from-labels", "earlier.csv", "--from-segment", "s1"}, 2, `--from-segment: "s1" is not the number of a segment (names and ids need the model of the earlier labels: --from-model)`},
		{[]string{"--labels", "third.csv"}, 3, "third.csv: line 3, column segment: the segment 2 is not one of the 2 that model.json has (give the labels that were written with this model)"},
		{[]string{"--labels", "half.csv"}, 3, "half.csv: line 2, column segment: 0.5 is not the number of a segment, 0 to 1"},
		{[]string{"--labels", "lack.csv"}, 3, "lack.csv: line 3, column id: lacks the customer's id"},
		{[]string{"--labels", "twice.csv", "--data", "shuffled.csv"}, 3, `twice.csv: line 10: the id "3" is there twice, first in twice.csv: line 4`},
		{[]string{"--labels", "starts.csv"}, 3, `starts.csv: there is no column "id"`},
		{[]string{"--data", "double.csv"}, 3, `double.csv: line 11: the id "1" is there a second time (remove one of the two)`},
		{[]string{"--data", "strangers.csv"}, 3, "labels.csv: none of its customers is in strangers.csv (is --id the right column?"},
		{[]string{"--data", "customers.csv", "--id", "costumer_id"}, 3, `customers.csv: there is no column "costumer_id" (did you mean "customer_id"?)`},
		{[]string{"--data", "named.csv", "--columns", "name"}, 2, `--columns: "name" is the name of a column that the list has already (leave it out, or rename it in the data)`},
		{[]string{"--columns", "monetary"}, 2, "--columns: there is no --data (leave it out)"},
		{[]string{"--from-segment", "1"}, 2, "--from-segment: there is no --from-labels (leave it out)"},
		{[]string{"--dialect", "duckdb"}, 2, "--dialect: is for --as sql (leave it out)"},
		{[]string{"--as", "sql"}, 2, "--labels: a model has no customers to list (--as sql)"},
		{[]string{"--data", "-", "--from-labels", "-"}, 2, "standard input (-) is named twice"},
		{[]string{"--data", "old.csv", "-o", "old.csv"}, 2, `-o: "old.csv" is also read by this command`},
		{[]string{"-o", "old.npy"}, 2, `-o: "old.npy" has no known extension`},
		{[]string{"-o", "-", "--json"}, 2, `--json and an output of "-" both want standard output`},
		{[]string{"--model", "labels.csv"}, 3, "labels.csv"},
		{[]string{"--moved", "x"}, 2, "unknown flag --moved"},
	} {
		before := listing(t)
		got := coterie(with([]string{"export", "--model", "model.json", "--labels", "labels.csv", "-o", "old.csv", "--quiet"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%q: got %+v, want exit %d and %s", c.args, got, c.code, c.want)
		}
		if diff := cmp.Diff(before, listing(t)); diff != "" {
			t.Errorf("%q: files have changed: %s", c.args, diff)
		}
	}
	if got := coterie("export", "--model", "model.json", "-o", "x.csv"); got.code != 2 || !strings.Contains(got.stderr, "neither --labels nor --as") {
		t.Errorf("got %+v", got)
	}
}

func TestExportWritesTheModelInThreeForms(t *testing.T) {
	enterShop(t)
	for _, c := range []struct {
		args  []string
		file  string
		holds []string
		says  string
	}{
		{[]string{"--as", "sql"}, "m.sql", []string{`"customer_id" AS id`, `FROM "customers"`, "WITH input AS ("},
			"a query for ansi that gives id, segment and distance of every row of customers\nreads   customer_id, monetary\nsql     m.sql\n"},
		{[]string{"--as", "sql", "--dialect", "postgres", "--table", "shop.people", "--id", "no"}, "m.sql", []string{`"no" AS id`, `FROM "shop"."people"`, "WITH input AS MATERIALIZED ("},
			"a query for postgres that gives id, segment and distance of every row of shop.people\nreads   no, monetary\nsql     m.sql\n"},
		{[]string{"--as", "pmml"}, "m.pmml", []string{`version="4.4"`, `<DataField name="monetary"`}, "the model as PMML 4.4, with the outputs segment and distance\nreads   monetary\npmml    m.pmml\n"},
		{[]string{"--as", "pmml"}, "m.xml", []string{"<PMML"}, "the model as PMML 4.4, with the outputs segment and distance\nreads   monetary\npmml    m.xml\n"},
		{[]string{"--as", "json"}, "m.json", []string{`"format": "coterie scoring document"`}, "the model as a scoring document: features, coordinates, centroids\nreads   monetary\njson    m.json\n"},
	} {
		got := coterie(with([]string{"export", "--model", "model.json", "-o", c.file}, c.args...)...)
		if got != (outcome{0, c.says, ""}) {
			t.Errorf("%q: got %+v", c.args, got)
		}
		written := text(t, c.file)
		for _, part := range c.holds {
			if !strings.Contains(written, part) {
				t.Errorf("%q: %s is not in %s", c.args, part, written)
			}
		}
		if direct := coterie(with([]string{"export", "--model", "model.json", "-o", "-"}, c.args...)...); direct.stdout != written {
			t.Errorf("%q: standard output got something else: %s", c.args, direct.stdout)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--as", "sql", "-o", "m.json"}, `-o: "m.json" has no known extension (use one of .sql)`},
		{[]string{"--as", "cobol", "-o", "m.json"}, `--as: "cobol" is none of sql, pmml, json`},
		{[]string{"--as", "sql", "--dialect", "tsql", "-o", "m.sql"}, `--dialect: "tsql" is none of ansi, duckdb, postgres, bigquery`},
		{[]string{"--as", "sql", "--table", "a..b", "-o", "m.sql"}, `--table: "a..b" is not the name of a table`},
		{[]string{"--as", "json", "--table", "a", "-o", "m.json"}, "--table: is for --as sql (leave it out)"},
	} {
		if got := coterie(with([]string{"export", "--model", "model.json"}, c.args...)...); got.code != 2 || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%q: got %+v, want %s", c.args, got, c.want)
		}
	}
	leftovers, err := filepath.Glob(".coterie-*")
	if err != nil || len(leftovers) > 0 {
		t.Errorf("left over: %v, %v", leftovers, err)
	}
}
