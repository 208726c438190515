package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// retailFits are fits of the real retailer's customers from given starts, with tolerance 0, as scikit-learn 1.9 does
// them in float64: inertia, starts in the units of the input, sizes.
var retailFits = []struct {
	inertia float64
	starts  [][3]float64
	sizes   []int64
}{
	{6485.680503, [][3]float64{{66, 1, 449.12}, {49, 8, 1980.56}}, []int64{2685, 1653}},
	{4877.116653, [][3]float64{{81, 2, 1890.94}, {3, 20, 17159.52}, {29, 1, 373.24}}, []int64{1674, 736, 1928}},
	{3962.294016, [][3]float64{{17, 1, 164.23}, {72, 2, 801.51}, {8, 14, 8910.82}, {73, 1, 152.2}}, []int64{813, 1188, 707, 1630}},
	{3330.160453, [][3]float64{{301, 1, 530.15}, {16, 4, 2534.64}, {2, 5, 987.1}, {42, 5, 2048.07}, {3, 1, 312.62}}, []int64{1258, 923, 273, 1059, 825}},
	{2875.160508, [][3]float64{{23, 3, 1073.3}, {3, 16, 2094.88}, {71, 2, 518.28}, {33, 3, 1483.14}, {17, 12, 4199.85}, {9, 13, 1591.45}}, []int64{829, 264, 1000, 1002, 658, 585}},
}

// command runs the program and decodes what --json printed.
func command(t *testing.T, document any, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := newApp(strings.NewReader(""), &out, &errs, os.Environ()).run(t.Context(), append(args, "--json", "--quiet")); code != 0 {
		t.Fatalf("coterie %s: exit %d: %s", strings.Join(args, " "), code, errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), document); err != nil {
		t.Fatal(err)
	}
}

// TestTheRealRetailersCustomers needs the UCI Online Retail transactions as CSV in COTERIE_RETAIL.
func TestTheRealRetailersCustomers(t *testing.T) {
	data := os.Getenv("COTERIE_RETAIL")
	if data == "" {
		t.Skip("COTERIE_RETAIL does not name the UCI Online Retail transactions")
	}
	folder := t.TempDir()
	customers, model := filepath.Join(folder, "customers.parquet"), filepath.Join(folder, "model.json")
	var made struct {
		Customers int64            `json:"customers"`
		Used      int64            `json:"rows_used"`
		Dropped   map[string]int64 `json:"dropped"`
	}
	command(t, &made, "rfm", data, "--as-of", "2011-12-10", "-o", customers)
	if made.Customers != 4338 || made.Used != 397884 || made.Dropped["missing_customer"] != 135080 || made.Dropped["cancelled"] != 8905 ||
		made.Dropped["nonpositive_quantity"] != 0 || made.Dropped["nonpositive_price"] != 40 {
		t.Errorf("rfm: got %+v", made)
	}
	features := "recency_days,frequency,monetary"
	var fit fitDocument
	for _, want := range retailFits {
		start := filepath.Join(folder, "start.csv")
		text := features + "\n"
		for _, row := range want.starts {
			text += fmt.Sprintf("%v,%v,%v\n", row[0], row[1], row[2])
		}
		if err := os.WriteFile(start, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		command(t, &fit, "fit", customers, "-k", fmt.Sprint(len(want.starts)), "--features", features, "--log1p", features, "--tol", "0",
			"--init", start, "-o", model)
		if math.Abs(fit.Inertia-want.inertia) > 1e-6*want.inertia || !slices.Equal(fit.Counts, want.sizes) {
			t.Errorf("k = %d: got inertia %v, sizes %v; want %v, %v", len(want.starts), fit.Inertia, fit.Counts, want.inertia, want.sizes)
		}
	}
	command(t, &fit, "fit", customers, "-k", "4", "--features", features, "--log1p", features, "--tol", "0", "--runs", "50", "-o", model)
	if fit.Inertia > 1.0002*retailFits[2].inertia {
		t.Errorf("best of 50: got inertia %v, want at most 1.0002 × %v", fit.Inertia, retailFits[2].inertia)
	}
}
