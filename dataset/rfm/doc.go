// Package rfm turns till lines into one row for each customer: recency, frequency, monetary value and what goes
// with them. It is the step from Record to Features for people who hold transactions and not a customer table.
//
// A line is a customer, an invoice, a date, a quantity and a price. It leaves by the first test that applies, and
// each line is counted once: missing_customer, cancelled, nonpositive_quantity, nonpositive_price,
// outside_window. What a line does not need is not looked at: a line without a customer may hold any price. What
// it does need must be readable, or the run ends with the file, the line and the column.
//
// Numbers. Prices and quantities are decimals, not floats: their products are summed as integers, so that the
// order of the lines, the number of threads and the pieces read cannot change a sum, and 4310.00 comes out as
// the float64 nearest to that decimal. Distinct invoices are counted exactly, up to 15 bytes by the text itself
// and beyond that by 120 bits of its SHA-256.
//
// Memory. While reading about 110 bytes and the id's text for each customer, and 30 to 60 bytes for each invoice of a
// customer after the first; then 60 bytes and the id's text for each customer of the result. It does not grow with the
// number of lines or of threads. Beyond Options.Memory customers go to a folder: the store (store.go) is 256 shards by a
// hash of the id; a shard that finds no room becomes a sorted run on the disk (shardspill.go, runs.go) and begins anew.
// At the end the runs of each shard are merged (partial.go), which needs one record and one invoice of each run at a
// time, however many invoices a customer has. The merged customers become rows in runs by id, in memory or on the disk
// (rows.go); scores take four passes over them to count (ranks.go), and one that merges them gives the result.
//
// Customer ids are kept as they are in the file, without surrounding blanks. One case is repaired: if every id
// of the result is a whole number followed by ".0", as pandas writes integers that had gaps, the ".0" goes.
//
// What it does not do: read files (package dataset opens them), scale or transform (package feature), write. The
// walk goes on with Result.Table, which the command writes, or package feature, which reads what was written.
package rfm
