// Package decimal gives numbers, dates and times their one canonical text, the shortest that reads back to the
// same value. Every text that the product writes into a table, and every number that is read as text, has this
// form.
//
// What it does not do: know of tables, parse. Packages table and parquet use it.
package decimal
