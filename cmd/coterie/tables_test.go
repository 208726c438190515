package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/dataset/rfm"
	"github.com/coterie-project/coterie/dataset/synth"
)

// till is a few lines of a shop, with one line for each reason to leave.
const till = `InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID
1,a,2,2011-12-01 08:26:00,2.50,17
1,b,1,2011-12-01 08:26:00,0.10,17
2,a,1,2011-12-05 10:00:00,4.00,9
3,a,1,2011-12-05 10:00:00,4.00,
C4,a,-1,2011-12-06 10:00:00,4.00,9
5,a,0,2011-12-06 10:00:00,4.00,9
6,a,1,2011-12-06 10:00:00,0,9
7,a,3,2011-12-09 12:00:00,1.00,17
8,a,3,2010-01-01 12:00:00,1.00,17
`

func TestRFMMakesOneRowPerCustomerAndCountsTheRest(t *testing.T) {
	folder := t.TempDir()
	in, out := filepath.Join(folder, "till.csv"), filepath.Join(folder, "customers.csv")
	write(t, in, till)
	got := coterie("rfm", in, "-o", out, "--window", "365d", "--json", "--quiet")
	want := outcome{stdout: `{"rows_read":9,"rows_used":4,"customers":2,"as_of":"2011-12-10",` +
		`"dropped":{"missing_customer":1,"cancelled":1,"nonpositive_quantity":1,"nonpositive_price":1,"outside_window":1},` +
		`"columns":{"customer":"CustomerID","invoice":"InvoiceNo","date":"InvoiceDate","quantity":"Quantity","price":"UnitPrice"}}` + "\n"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	rows := readCSV(t, out)
	header := strings.Split("customer_id,recency_days,frequency,monetary,first_purchase,last_purchase,tenure_days,items,"+
		"average_basket,r_score,f_score,m_score", ",")
	var short [][]string
	for _, row := range rows[1:] {
		short = append(short, row[:4])
	}
	if diff := cmp.Diff(header, rows[0]); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"9", "4", "1", "4"}, {"17", "0", "2", "8.1"}}, short); diff != "" {
		t.Errorf("customers (-want +got):\n%s", diff)
	}
}

func TestRFMSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	in, out := filepath.Join(folder, "till.csv"), filepath.Join(folder, "c.csv")
	write(t, in, till)
	damaged := filepath.Join(folder, "damaged.csv")
	write(t, damaged, strings.Replace(till, "4.00", "four", 1))
	cases := []struct {
		args []string
		code int
		want string
	}{
		{[]string{in}, 2, "coterie rfm needs -o"},
		{[]string{"-o", out}, 2, "coterie rfm needs TRANSACTIONS"},
		{[]string{in, "-o", filepath.Join(folder, "c.npy")}, 2, `.npy" has no known extension`},
		{[]string{in, "-o", "-", "--json"}, 2, "both want standard output"},
		{[]string{in, "-o", out, "--as-of", "1 Feb"}, 2, `--as-of: "1 Feb" is not a day`},
		{[]string{in, "-o", out, "--window", "-3d"}, 2, "--window -3d"},
		{[]string{in, "-o", out, "--returns", "keep"}, 2, `--returns: "keep" is none of drop, net`},
		{[]string{in, "-o", out, "--memory", "1MiB", "--threads", "2"}, 2, "--memory 1 MiB: with 2 threads it must be "},
		{[]string{in, "-o", out, "--memory", "much"}, 2, `--memory: "much" is not a size`},
		{[]string{in, "-o", out, "--spill", filepath.Join(folder, "none")}, 1, "there is no such folder"},
		{[]string{in, "-o", out, "--customer", "nobody"}, 3, `--customer: there is no column "nobody"`},
		{[]string{in, "-o", filepath.Join(folder, "no", "c.csv")}, 1, filepath.Join(folder, "no")},
		{[]string{filepath.Join(folder, "none.csv"), "-o", out}, 3, "none.csv"},
		{[]string{damaged, "-o", out}, 3, "damaged.csv: line 4, column UnitPrice"},
	}
	for _, c := range cases {
		got := coterie(append([]string{"rfm", "--quiet"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.want) || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("rfm %v: got %+v, want exit code %d and one line with %q", c.args, got, c.code, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("rfm %v left an output", c.args)
		}
	}
}

func TestRFMGivesTheSameBytesForAnyMemory(t *testing.T) {
	folder := t.TempDir()
	scratch := filepath.Join(folder, "scratch")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		t.Fatal(err)
	}
	least := strconv.FormatInt(rfm.LeastMemory(1), 10)
	const lines = "synth://transactions?rows=350000&customers=1000000"
	var tables [2][]byte
	for i, flags := range [][]string{{"--threads", "2"}, {"--threads", "1", "--memory", least, "--spill", scratch}} {
		out := filepath.Join(folder, "customers.parquet")
		got := coterie(append([]string{"rfm", lines, "-o", out, "--json", "--quiet"}, flags...)...)
		var document rfmDocument
		if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || got.code != 0 || (document.Spilled > 0) != (i == 1) {
			t.Fatalf("rfm %v: got %+v (%v), want spilled bytes with the least memory alone", flags, got, err)
		}
		var err error
		if tables[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(tables[0], tables[1]) {
		t.Error("the tables differ")
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("the spill folder holds %v (%v), want nothing", left, err)
	}
}

func TestRFMWithoutAPrefixKnowsNoCancellations(t *testing.T) {
	folder := t.TempDir()
	in, out := filepath.Join(folder, "till.csv"), filepath.Join(folder, "c.csv")
	write(t, in, till)
	got := coterie("rfm", in, "-o", out, "--cancelled-prefix", "", "--quiet", "--json")
	if !strings.Contains(got.stdout, `"cancelled":0,"nonpositive_quantity":2`) {
		t.Errorf("got %+v, want the cancelled line among those without a quantity", got)
	}
}

func TestSynthGivesTheSameRowsForAnyNumberOfThreads(t *testing.T) {
	folder := t.TempDir()
	for _, kind := range synth.Kinds() {
		for _, format := range []string{".csv", ".parquet"} {
			var first []byte
			for _, threads := range []string{"1", "2", "7"} {
				out := filepath.Join(folder, kind+threads+format)
				got := coterie("synth", kind, "-n", "20000", "--seed", "5", "-o", out, "--threads", threads, "--json", "--quiet")
				var document synthDocument
				if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || got.code != 0 || document.Rows != 20000 {
					t.Fatalf("%s: got %+v (%v), want 20000 rows", kind, got, err)
				}
				data, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = data
				}
				if string(data) != string(first) {
					t.Errorf("%s%s: %s threads give another file", kind, format, threads)
				}
				if format == ".csv" {
					if rows := readCSV(t, out); len(rows) != 20001 || len(rows[0]) != document.Columns {
						t.Errorf("%s: %d rows × %d columns in the file, want 20001 × %d", kind, len(rows), len(rows[0]), document.Columns)
					}
				}
			}
		}
	}
}

func TestSynthSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	out := filepath.Join(folder, "x.csv")
	cases := []struct {
		args []string
		want string
	}{
		{[]string{"-n", "5", "-o", out}, "coterie synth needs KIND: customers, transactions, blobs, uniform, load"},
		{[]string{"blob", "-n", "5", "-o", out}, `(did you mean "blobs"?)`},
		{[]string{"people", "-n", "5", "-o", out}, "customers, transactions, blobs, uniform, load"},
		{[]string{"blobs", "-o", out}, "coterie synth needs -n"},
		{[]string{"blobs", "-n", "5"}, "coterie synth needs -o"},
		{[]string{"blobs", "-n", "0", "-o", out}, `-n: "0" must be at least 1`},
		{[]string{"blobs", "-n", "1e3.5", "-o", out}, `-n: "1e3.5" is not a whole number`},
		{[]string{"blobs", "-n", "5", "-d", "0", "-o", out}, `-d: "0" must lie between 1 and`},
		{[]string{"blobs", "-n", "5", "--spread", "0", "-o", out}, `--spread: "0" must be more than 0`},
		{[]string{"customers", "-n", "5", "--centers", "3", "-o", out}, "--centers: customers has no such option"},
		{[]string{"customers", "-n", "5", "--customers", "3", "-o", out}, "--customers: customers has no such option"},
		{[]string{"transactions", "-n", "5", "--customers", "0", "-o", out}, `--customers: "0" must be at least 1`},
		{[]string{"customers", "-n", "5", "-o", filepath.Join(folder, "x.npy")}, "numbers only"},
		{[]string{"blobs", "-n", "5", "-o", "-", "--json"}, "both want standard output"},
		{[]string{"blobs", "-n", "5", "-o", filepath.Join(folder, "x.txt")}, "no known extension"},
	}
	for _, c := range cases {
		got := coterie(append([]string{"synth"}, c.args...)...)
		if got.code != 2 || !strings.Contains(got.stderr, c.want) || got.stdout != "" {
			t.Errorf("synth %v: got %+v, want exit code 2 and %q", c.args, got, c.want)
		}
	}
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestAnNpyOfMadeRowsSaysWhereIdAndGroupAre: the file holds no names, and a fit takes every column.
func TestAnNpyOfMadeRowsSaysWhereIdAndGroupAre(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.npy")
	got := coterie("synth", "blobs", "-n", "5", "-d", "2", "-o", file, "--json")
	if want := "id becomes x0 and true_segment becomes x3 "; got.code != 0 || !strings.Contains(got.stderr, want) {
		t.Errorf("got %+v, want %q on standard error", got, want)
	}
	if got := coterie("synth", "blobs", "-n", "5", "-d", "2", "-o", file, "--quiet"); got.code != 0 || got.stderr != "" {
		t.Errorf("--quiet: got %+v, want nothing on standard error", got)
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
