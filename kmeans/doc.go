// Package kmeans is the mathematics of Coterie: Points, Centroids, exact Sums, assignment, seeding, convergence.
//
// It is pure: no files, sockets, clocks or logs. A program that wants k-means in one process calls Lloyd; the
// coordinator and the workers use the same pieces (Assigner, Tracker, Sums, Seeder) apart from each other.
//
// Two properties hold everywhere. The sums are integers on a per-column grid, so that their value does not depend
// on the order, grouping or number of additions; and the distance of a point to a centroid is one fixed chain of
// float32 operations, so that every instruction set gives the same bits. Together they make every result
// independent of threads, workers and processors.
//
// Lloyd's algorithm is the definition of every result. How much of it is computed is another matter: a Tracker and its
// Passes prove most labels by what the centroids have travelled (Algorithm).
//
// What it does not do: read data or scale columns (packages dataset and feature). The walk goes on with Partials
// that package coordinator merges.
package kmeans
