package rfm_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/dataset/rfm"
)

func TestZZ(t *testing.T) {
	src, err := open.Sources(context.Background(), []string{os.Getenv("COTERIE_RETAIL")}, open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(src.Rows(), len(src.Cuts()), src.Schema().Columns)
	for _, n := range []int{1, 2} {
		start := time.Now()
		r, err := rfm.Run(context.Background(), src, rfm.Options{AsOf: "2011-12-10", Threads: n})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(n, time.Since(start), r.RowsRead, r.RowsUsed, r.Customers, r.Dropped, r.Roles)
		for _, c := range r.Table() {
			fmt.Printf("%+v\n", c.Column)
		}
		var m float64
		for _, x := range r.Table()[3].Values.Float64 {
			m += x
		}
		fmt.Println(m)
	}
}
