// Package synth makes tables: customers, transactions, blobs, uniform and load, as large as asked, without files. They
// serve the demo, tests, load tests and the first steps of a newcomer.
//
// Every cell is a function of (kind, options, global row number): a counter-based generator gives each row a key,
// and the key gives the row's draws. So the rows are the same whatever the number of threads, the pieces in which
// they are read, the columns asked for, the processor, and the format they are written in. Floating-point work is +,
// −, ×, ÷ and sqrt with every rounding explicit, and functions built of these here; no library's exp or log, whose last
// bits differ between processors.
//
// Blobs, uniform and load hold float32 values (Column.Float32): they cost little to make and to store, and the float64 of
// a cell is its float32. Load is for load tests: of 32 columns a row costs some 11 ns on a core that needs 40 to
// compare it with 50 centroids, and 55 to make uniform's.
//
// What it does not do: write files (package dataset), or know what its rows are used for; true_segment is a column
// like any other here. The walk goes on as for any other Source.
package synth
