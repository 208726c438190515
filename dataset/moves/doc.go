// Package moves joins two tables of labels by the customers' ids and counts who has moved from which segment to which.
//
// The tables may be in any order and any format, and their ids numbers or text; 7 in one is "7" in the other. Rows are
// read once, on all threads, and scattered by the hash of their id into buckets that fit the cache (read.go, scatter.go); then
// each bucket is joined by itself (match.go). Nothing depends on the order of rows, on threads or on the number of buckets: what
// is counted are integers, values are added exactly, and movers are sorted (movers.go).
//
// Memory: RowBytes for each row of either table, and ValueBytes for each row of a table of values, which give way to
// MoverBytes for each customer that both have, where movers are asked for; a text takes its length and about a quarter more.
//
// What it does not do: decide which segments belong together, or write (package internal/pipeline).
package moves
