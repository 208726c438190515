package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/model"
)

// Two months of seven customers. Two have left, two have come; c and the customer 4 have moved.
const (
	september = "id,segment,distance\n1,0,1\n2,0,1\n3,0,1\nc,1,1\n4,1,1\n5,1,1\n6,2,1\n"
	october   = "id,segment,distance\n8,1,1\n6,2,1\nc,2,1\n2,0,1\n1,0,1\n4,0,1\n9,1,1\n5,1,1\n"
	// What they are worth; of 5 nothing is known.
	worth = "customer_id,monetary\nc,400\n4,50.5\n1,10\n2,20\n6,900\n8,70\n9,80\n"
)

// months are the files that most of the cases read.
func months(more map[string]string) map[string]string {
	files := map[string]string{"sep.csv": september, "oct.csv": october, "worth.csv": worth}
	for name, text := range more {
		files[name] = text
	}
	return files
}

func enterWith(t *testing.T, files map[string]string) {
	t.Helper()
	enter(t)
	for name, text := range files {
		write(t, name, text)
	}
}

var migrateMonths = []string{"migrate", "--from", "sep.csv", "--to", "oct.csv"}

func with(args []string, more ...string) []string { return append(slices.Clone(args), more...) }

func TestMigrateSaysWhoMoved(t *testing.T) {
	enterWith(t, months(nil))
	got := coterie(with(migrateMonths, "--data", "worth.csv")...)
	const want = `Of 7 customers 6 (86 %) are still here: 4 (67 %) in their segment, 2 (33 %) in another one. 1 left, and 2 came.
1 moved down (worth 50), 1 moved up (worth 400).
was ↓   is →  Segment 0  Segment 1  Segment 2  left  before   stay
──────────────────────────────────────────────────────────────────
Segment 0             2          0          0     1       3   67 %
Segment 1             1          1          1     0       3   33 %
Segment 2             0          0          1     0       1  100 %
──────────────────────────────────────────────────────────────────
arrived               0          2          0
now                   3          3          2     1       7   57 %
the largest moves
        1  33 % of Segment 1, now Segment 0 (down, worth 50)
        1  33 % of Segment 1, now Segment 2 (up, worth 400)
names   come with --from-model and --to-model
next    -o moves.html draws it, -o movers.csv lists the customers who moved
`
	const told = "coterie: 2 of the customers have no monetary in worth.csv\n"
	if diff := cmp.Diff(outcome{0, want, told}, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var doc map[string]json.RawMessage
	got = coterie(with(migrateMonths, "--json")...)
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for key, want := range map[string]string{"matrix": "[[2,0,0],[1,1,1],[0,0,1]]", "arrived": "[0,2,0]", "left": "[1,0,0]", "moved": "2", "match": "[0,1,2]",
		"from_segments": `[{"segment":0,"id":"","name":"Segment 0","rows":3},{"segment":1,"id":"","name":"Segment 1","rows":3},{"segment":2,"id":"","name":"Segment 2","rows":1}]`} {
		if string(doc[key]) != want {
			t.Errorf("%s: got %s, want %s", key, doc[key], want)
		}
	}
}

func TestMoversAreListedDowngradesFirst(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"with values", []string{"--data", "worth.csv"}, "id,from_segment,to_segment,from_name,to_name,value,change\n" +
			"4,1,0,Segment 1,Segment 0,50.5,down\nc,1,2,Segment 1,Segment 2,400,up\n"},
		{"without values", nil, "id,from_segment,to_segment,from_name,to_name,change\n4,1,0,Segment 1,Segment 0,\nc,1,2,Segment 1,Segment 2,\n"},
	} {
		enterWith(t, months(nil))
		if got := coterie(with(migrateMonths, with(c.args, "-o", "movers.csv", "--json", "--quiet")...)...); got.code != 0 || text(t, "movers.csv") != c.want {
			t.Errorf("%s: got %+v and %s", c.name, got, text(t, "movers.csv"))
		}
	}
}

// TestMigrateDoesNotDependOnFormatsPartsOrThreads joins labels of several formats, in other orders and in parts.
func TestMigrateDoesNotDependOnFormatsPartsOrThreads(t *testing.T) {
	enter(t)
	const n = 2000
	for m, name := range []string{"sep", "oct"} {
		ids, segments, distances := make([]int64, n), make([]int32, n), make([]float32, n)
		var csvText strings.Builder
		csvText.WriteString("id,segment,distance\n")
		for i := range n {
			ids[i] = int64((i*7919 + m*300) % 2300)
			segments[i] = int32(ids[i]+int64(m)*(ids[i]%3)) % 5
			fmt.Fprintf(&csvText, "%d,%d,0\n", ids[i], segments[i])
		}
		columns := []table.Column{{Name: "id", Type: table.Int64}, {Name: "segment", Type: table.Int32}, {Name: "distance", Type: table.Float32}}
		writeTable(t, name+".parquet", n, columns, ids, segments, distances)
		writeTable(t, name+".npy", n, columns, ids, segments, distances)
		write(t, name+".csv", csvText.String())
		if err := os.Mkdir(name, 0o777); err != nil {
			t.Fatal(err)
		}
		for part := range 2 {
			slices.Reverse(ids[part*n/2 : (part+1)*n/2])
			slices.Reverse(segments[part*n/2 : (part+1)*n/2])
			writeTable(t, filepath.Join(name, fmt.Sprintf("part-%d.parquet", part)), n/2, columns, ids[part*n/2:(part+1)*n/2], segments[part*n/2:(part+1)*n/2], distances[:n/2])
		}
	}
	var want, wantMovers string
	for _, from := range []string{"sep.csv", "sep.parquet", "sep.npy", "sep"} {
		for _, to := range []string{"oct.csv", "oct.parquet", "oct.npy", "oct"} {
			for _, threads := range []string{"1", "3"} {
				got := coterie("migrate", "--from", from, "--to", to, "--threads", threads, "-o", "movers.csv", "--json", "--quiet")
				if got.code != 0 {
					t.Fatalf("%s, %s: got %+v", from, to, got)
				}
				movers := text(t, "movers.csv")
				if want == "" {
					want, wantMovers = got.stdout, movers
				}
				if got.stdout != want || movers != wantMovers {
					t.Errorf("%s, %s, %s threads: got %s, want %s; movers equal: %v", from, to, threads, got.stdout, want, movers == wantMovers)
				}
			}
		}
	}
	if strings.Count(wantMovers, "\n") < 500 {
		t.Errorf("only %d lines of movers", strings.Count(wantMovers, "\n"))
	}
}

// modelWith writes m.json of fitted under another name, changed.
func modelWith(t *testing.T, name string, change func(*model.Model)) {
	t.Helper()
	write(t, name, fitted(t))
	m, err := model.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	change(m)
	if err := model.WriteFile(name, m); err != nil {
		t.Fatal(err)
	}
}

// models are a model old.json, and new.json that was fitted from it: its segments have changed places.
func models(t *testing.T) {
	t.Helper()
	var digest string
	modelWith(t, "old.json", func(m *model.Model) {
		m.Segments[0].Name, m.Segments[1].Name = "Loyal", "Lost"
		digest = m.Digest()
	})
	modelWith(t, "new.json", func(m *model.Model) {
		m.Inertia++
		m.Counts[0], m.Counts[1] = m.Counts[1]+1, m.Counts[0]-1
		m.Parents = []model.Parent{{Digest: digest}}
		m.Segments = []model.Segment{{Index: 0, ID: "s2", Name: "Gone"}, {Index: 1, ID: "s1", Name: "Loyal"}}
	})
}

func TestSegmentsOfModelsBelongTogetherByTheirIDs(t *testing.T) {
	enter(t)
	models(t)
	write(t, "sep.csv", "id,segment\n1,0\n2,0\n3,1\n4,1\n")
	write(t, "oct.csv", "id,segment\n1,0\n2,0\n3,0\n4,1\n")
	var doc struct {
		Match   []int                       `json:"match"`
		Moved   int64                       `json:"moved"`
		By      string                      `json:"matched_by"`
		Segment []struct{ ID, Name string } `json:"to_segments"`
	}
	for _, c := range []struct {
		args  []string
		by    string
		match []int
		moved int64
	}{
		{[]string{"--from-model", "old.json", "--to-model", "new.json"}, "ids", []int{1, 0}, 3},
		{[]string{"--from-model", "old.json", "--to-model", "old.json"}, "ids", []int{0, 1}, 1},
		{[]string{"--from-model", "old.json"}, "customers", []int{0, 1}, 1},
		{[]string{"--to-model", "new.json"}, "customers", []int{0, 1}, 1},
	} {
		command(t, &doc, with(migrateMonths, c.args...)...)
		if !slices.Equal(doc.Match, c.match) || doc.Moved != c.moved || doc.By != c.by {
			t.Errorf("%v: got %+v, want %+v", c.args, doc, c)
		}
	}
	if doc.Segment[0].ID != "s2" || doc.Segment[0].Name != "Gone" {
		t.Errorf("got %+v, want the model's names", doc.Segment)
	}
	got := coterie(with(migrateMonths, "--from-model", "old.json", "--to-model", "new.json", "-o", "page.html")...)
	if page := text(t, "page.html"); got.code != 0 || !strings.Contains(got.stdout, "page    page.html\n") || !strings.Contains(page, ">Gone<") {
		t.Errorf("got %+v and a page of %d bytes", got, len(page))
	}
}

func TestMonthsThatDoNotFit(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(september), "\n")
	runBad(t, []badInput{
		{name: "nobody in common", files: months(map[string]string{"oct.csv": "id,segment\n01,0\n02,0\n"}), args: migrateMonths,
			say: []string{"oct.csv: ", "none of its customers is in sep.csv", "zeros in front"}},
		{name: "the same id twice", files: months(map[string]string{"oct.csv": october + "4,2,1\n"}), args: migrateMonths,
			say: []string{"oct.csv: line 10, column id: ", `"4"`, "line 7"}},
		{name: "twice in two files", files: map[string]string{"oct.csv": october}, setup: func(t *testing.T) {
			folder(t, "sep")
			write(t, "sep/a.csv", strings.Join(lines[:4], "\n"))
			write(t, "sep/b.csv", strings.Join([]string{lines[0], "3,1,1", lines[5]}, "\n"))
		}, args: []string{"migrate", "--from", "sep", "--to", "oct.csv"}, say: []string{"sep/b.csv: line 2, column id: ", `"3"`, "sep/a.csv: line 4"}},
		{name: "no segment", files: months(map[string]string{"oct.csv": "id,segment\n1,0\n2,\n"}), args: migrateMonths,
			say: []string{"oct.csv: line 3, column segment: ", "lacks a segment"}},
		{name: "a segment that is a name", files: months(map[string]string{"oct.csv": "id,segment\n1,Lost\n2,Lost\n"}), args: migrateMonths,
			say: []string{"oct.csv: line 2, column segment: ", `"Lost"`}},
		{name: "no id", files: months(map[string]string{"sep.csv": "id,segment\n1,0\n,1\n"}), args: migrateMonths, say: []string{"sep.csv: line 3, column id: ", "id"}},
		{name: "customers instead of labels", files: months(nil), args: []string{"migrate", "--from", "sep.csv", "--to", "worth.csv"},
			say: []string{"worth.csv: ", `"id"`}},
		{name: "labels of another model", files: months(nil), setup: models, args: with(migrateMonths, "--to-model", "new.json"),
			say: []string{"oct.csv: line 3, column segment: ", "2", "new.json", "written with this model"}},
		{name: "months in the wrong order", files: months(nil), setup: models, args: with(migrateMonths, "--from-model", "new.json", "--to-model", "old.json"),
			say: []string{"new.json: ", "old.json", "wrong order", "swap --from with --to"}},
		{name: "a damaged model", files: months(map[string]string{"m.json": "{"}), args: with(migrateMonths, "--to-model", "m.json"), say: []string{"m.json: "}},
		{name: "no labels", files: months(nil), args: []string{"migrate", "--from", "none.csv", "--to", "oct.csv"}, say: []string{"none.csv: ", "does not exist"}},
		{name: "labels without rows", files: months(map[string]string{"sep.csv": "id,segment\n"}), args: migrateMonths, say: []string{"sep.csv: ", "no rows"}},
		{name: "values of others", files: months(map[string]string{"worth.csv": "id,monetary\n77,1\n78,2\n"}), args: with(migrateMonths, "--data", "worth.csv"),
			say: []string{"worth.csv: ", "none of the customers", "--id"}},
		{name: "values twice", files: months(map[string]string{"worth.csv": worth + "c,1\n"}), args: with(migrateMonths, "--data", "worth.csv"),
			say: []string{"worth.csv: line 9, column customer_id: ", `"c"`, "line 2"}},
		{name: "no value column", files: months(map[string]string{"worth.csv": "id,spent\n1,1\n"}), args: with(migrateMonths, "--data", "worth.csv"),
			say: []string{"worth.csv: ", "monetary", "--value", "spent"}},
		{name: "another value column", files: months(nil), args: with(migrateMonths, "--data", "worth.csv", "--value", "monetry"),
			say: []string{"worth.csv: ", "monetry", `"monetary"`}},
		{name: "a value column of text", files: months(map[string]string{"worth.csv": "id,monetary\n1,much\n2,little\n"}), args: with(migrateMonths, "--data", "worth.csv", "--value", "monetary"),
			say: []string{"worth.csv: column monetary: ", "no numbers"}},
		{name: "no id column", files: months(map[string]string{"worth.csv": "who,monetary\n1,1\n2,3\n"}), args: with(migrateMonths, "--data", "worth.csv"),
			say: []string{"worth.csv: ", "--id", "who"}},
		{name: "--value alone", code: 2, files: months(nil), args: with(migrateMonths, "--value", "x"), say: []string{"--value: ", `"x"`, "--data"}},
		{name: "--id alone", code: 2, files: months(nil), args: with(migrateMonths, "--id", "x"), say: []string{"--id: ", `"x"`, "--data"}},
		{name: "an output of another kind", code: 2, files: months(nil), args: with(migrateMonths, "-o", "x.npy"), say: []string{"-o: ", `"x.npy"`, ".html"}},
		{name: "an output that is read", code: 2, files: months(nil), args: with(migrateMonths, "-o", "sep.csv"), say: []string{"-o: ", `"sep.csv"`}},
		{name: "two results on standard output", code: 2, files: months(nil), args: with(migrateMonths, "-o", "-", "--json"), say: []string{"--json"}},
		{name: "no folder for the output", code: 1, files: months(nil), args: with(migrateMonths, "-o", "none/x.html"), say: []string{"-o none/x.html: ", "mkdir"}},
		{name: "standard input twice", code: 2, files: months(nil), args: []string{"migrate", "--from", "-", "--to", "oct.csv", "--data", "-"}, say: []string{"standard input (-) is named twice"}},
		{name: "only one month", code: 2, files: months(nil), args: []string{"migrate", "--to", "oct.csv"}, say: []string{"coterie migrate needs --from"}},
	})
}

func TestAnIDThatIsSetForAllCommandsDoesNoHarm(t *testing.T) {
	enterWith(t, months(nil))
	if got := runWith(context.Background(), []string{"COTERIE_ID=customer_id"}, migrateMonths...); got.code != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestAnInterruptedMigrateWritesNothing(t *testing.T) {
	enterWith(t, months(nil))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	before := listing(t)
	if got := runWith(ctx, nil, with(migrateMonths, "-o", "movers.csv")...); got.code != 130 {
		t.Errorf("got %+v, want exit code 130", got)
	}
	if diff := cmp.Diff(before, listing(t)); diff != "" {
		t.Errorf("the folder has changed (-before +after):\n%s", diff)
	}
}

// labelsOf reads labels by customer.
func labelsOf(t *testing.T, file string) map[string]int {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text(t, file))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	segments := make(map[string]int)
	for _, r := range records[1:] {
		if segments[r[0]], err = strconv.Atoi(r[1]); err != nil {
			t.Fatal(err)
		}
	}
	return segments
}

// mostStayed tries all ways to match new segments with old ones.
func mostStayed(matrix [][]int64, row int, taken []bool) (most int64) {
	if row == len(matrix) {
		return 0
	}
	most = mostStayed(matrix, row+1, taken)
	for j, n := range matrix[row] {
		if !taken[j] {
			taken[j] = true
			most = max(most, n+mostStayed(matrix, row+1, taken))
			taken[j] = false
		}
	}
	return most
}

// TestTwoHalfYearsOfTheRealRetailer takes two half-years as two months, and computes the migration once more with maps. It
// needs the UCI Online Retail transactions as CSV in COTERIE_RETAIL.
func TestTwoHalfYearsOfTheRealRetailer(t *testing.T) {
	data := os.Getenv("COTERIE_RETAIL")
	if data == "" {
		t.Skip("COTERIE_RETAIL does not name the UCI Online Retail transactions")
	}
	enter(t)
	const features = "recency_days,frequency,monetary"
	var ignored map[string]any
	for _, half := range []struct{ name, asOf string }{{"one", "2011-06-10"}, {"two", "2011-12-10"}} {
		command(t, &ignored, "rfm", data, "--as-of", half.asOf, "--window", "183d", "-o", half.name+".parquet")
		command(t, &ignored, "fit", half.name+".parquet", "-k", "4", "--features", features, "--log1p", features, "-o", half.name+".json", "--labels", half.name+".csv")
	}
	command(t, &ignored, "assign", "two.parquet", "--model", "two.json", "-o", "labels.parquet")
	var doc struct {
		Matrix        [][]int64 `json:"matrix"`
		Arrived, Left []int64
		Match         []int
		Moved         int64
	}
	command(t, &doc, "migrate", "--from", "one.csv", "--to", "labels.parquet", "--from-model", "one.json", "--to-model", "two.json",
		"--data", "two.parquet", "-o", "movers.csv")

	old, now := labelsOf(t, "one.csv"), labelsOf(t, "two.csv")
	want := doc
	want.Matrix, want.Arrived, want.Left = [][]int64{{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}, make([]int64, 4), make([]int64, 4)
	shared := int64(0)
	for id, i := range old {
		if j, both := now[id]; both {
			want.Matrix[i][j]++
			shared++
		} else {
			want.Left[i]++
		}
	}
	for id, j := range now {
		if _, both := old[id]; !both {
			want.Arrived[j]++
		}
	}
	want.Moved = shared - mostStayed(want.Matrix, 0, make([]bool, 4))
	if diff := cmp.Diff(want, doc); diff != "" {
		t.Errorf("(-maps +coterie):\n%s", diff)
	}
	records, err := csv.NewReader(strings.NewReader(text(t, "movers.csv"))).ReadAll()
	if err != nil || int64(len(records)-1) != doc.Moved {
		t.Fatalf("%d movers are listed, %v; want %d", len(records)-1, err, doc.Moved)
	}
	lastValue, lastChange := math.Inf(1), "down"
	for _, r := range records[1:] {
		i, j := old[r[0]], now[r[0]]
		value, err := strconv.ParseFloat(r[5], 64)
		if r[1] != strconv.Itoa(i) || r[2] != strconv.Itoa(j) || doc.Match[j] == i || err != nil {
			t.Fatalf("got %v, want a move from %d to %d", r, i, j)
		}
		if r[6] != lastChange {
			lastValue = math.Inf(1)
		}
		if r[6] < lastChange || value > lastValue {
			t.Fatalf("%v comes after one that went %s with %v", r, lastChange, lastValue)
		}
		lastValue, lastChange = value, r[6]
	}
}
