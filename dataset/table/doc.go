// Package table writes tables: labels, customers, made data. The extension of the file's name decides the format.
//
// The same rows give the same bytes, whatever the sizes of the Batches and however many goroutines encode: no
// format here holds a time, a path or a random number. A file appears under its name when Commit returns, whole or
// not at all (package internal/store).
//
//	table.go     Create, Column, Batch
//	csv.go       .csv, .csv.gz, .csv.zst and standard output
//	parquet.go   .parquet: row groups, over chunk.go (one column of one) and footer.go
//	npy.go       .npy: one matrix of numbers
//
// What it does not do: sort, convert or check values. Package decimal gives the text of numbers and times.
// The walk ends here: what is written is read by people and by dataset.Open.
package table
