// Package dataset turns bytes into Blocks: runs of rows with a global number, whatever file they came from.
//
// A Source is a table over one or more files, folders, standard input or made data. Rows are numbered from 0
// over the files in the order given, and that number never depends on who reads them, in which pieces or on how
// many threads. This package holds what all of them share. The formats live in rooms of their own (csv, parquet, npy,
// synth); room open joins them into one table, and room table writes.
//
// What it does not do: transform a value (package feature) or decide what a bad row means (the caller).
// The walk goes on in package partition, which cuts the rows into pieces.
package dataset
