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
// Memory. About 130 bytes and the id's text for each customer while reading, 30 to 60 bytes for each invoice of
// a customer after the first, and about 110 bytes for each customer of the result. It does not grow with the
// number of lines or of threads.
//
// Customer ids are kept as they are in the file, without surrounding blanks. One case is repaired: if every id
// of the result is a whole number followed by ".0", as pandas writes integers that had gaps, the ".0" goes.
//
// What it does not do: read files (package dataset opens them), scale or transform (package feature), write. The
// walk goes on with Result.Table, which the command writes, or package feature, which reads what was written.
package rfm
