// Package scoring writes a model for other systems: as a document that is easily computed from, as a query, and as PMML.
//
// All three say the same: which values a row has to have, what becomes of them, where the centroids lie, and that the nearest
// one has the row, the one with the lowest number of equals.
//
//	document.go    New: the scoring document, which is written as JSON, and which the other two are made of
//	sql.go         SQL: one query, in the dialects of dialect.go
//	pmml.go        PMML: a ClusteringModel of version 4.4
//
// Numbers are float64 here as there. Coterie itself rounds a row once to float32 before it measures distances, so a row that is
// as far from two centroids as to the seventh digit may get the other one; distances agree to that digit too.
//
// What it does not do: score. Package lookup does, and the tests hold what is written here against it.
package scoring
