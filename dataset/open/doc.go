// Package open turns what a user names as data into one dataset.Source: files of several formats, folders, globs,
// made data and standard input.
//
// expand.go finds the files, each format's room opens them, and union.go joins many files into one table whose rows
// are numbered over the files in order.
//
// Who opens a file for others says where it may lie (within.go: nothing outside of some folders is touched) and what
// it must be (pins.go).
//
// What it does not do: read object storage, or decide which columns are features. The walk of a row goes on in
// package partition, which cuts the rows into pieces.
package open
