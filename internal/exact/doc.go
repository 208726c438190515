// Package exact is Coterie's arithmetic: everything that must give the same bits on every machine, in every order
// and on any number of workers.
//
// It holds sums that do not depend on order (Int128 on a grid, Sum and Moments over float64, Bins over float32
// distances), elementary functions with every rounding written out (Log, Log1p, Expm1), randomness that belongs to a row
// instead of to a stream (Draw, Unit, Normal), and the rounding of values to Points (GridExponent, ShiftFor, ToGrid,
// GridInt).
//
// Go may fuse x*y + z into one rounding on arm64 and at GOAMD64=v3 but not at v1. In this package no operation is left
// to that choice: a product that enters a sum is written float64(x*y), which the language forbids to fuse, unless it is
// exact anyway.
//
// The package knows nothing of rows, columns, clusters or files, and imports nothing of ours. The walk goes on in
// feature (statistics and Points) and kmeans (sums of Points and of distances).
package exact
