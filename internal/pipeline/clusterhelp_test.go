package pipeline

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sum(data []byte) []byte {
	s := sha256.Sum256(data)
	return s[:8]
}

// writeCustomers writes made customers as a CSV file, their ids in no order.
func writeCustomers(t *testing.T, dir, name string, rows int) string {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 7))
	var b strings.Builder
	b.WriteString("customer_id,age,income,recency_days,frequency,monetary,gender\n")
	for _, id := range r.Perm(rows) {
		group := r.IntN(4)
		fmt.Fprintf(&b, "%d,%d,%.2f,%d,%d,%.2f,%s\n", 100000+id, 20+15*group+r.IntN(9), 20000*r.ExpFloat64()+float64(9000*group), r.IntN(300), 1+r.IntN(5+20*group),
			500*r.ExpFloat64()*float64(1+group), []string{"f", "m", "x"}[r.IntN(3)])
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// relative is a path as seen from here.
func relative(t *testing.T, path string) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	r, err := filepath.Rel(here, path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
