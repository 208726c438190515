package wire

import (
	"context"
	"math"
	"reflect"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/kmeans"
)

// tester is a *testing.T, B or F, or a *rapid.T.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

var contextCanceled = context.Canceled

func nan() float64 { return math.NaN() }

// everyField lets comparisons look at what is not exported.
var everyField = cmp.Exporter(func(reflect.Type) bool { return true })

// centroids compares them where one may be nil.
var centroids = cmp.Comparer(func(a, b *kmeans.Centroids) bool { return a == b || a != nil && b != nil && a.Equal(b) })
