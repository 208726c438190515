// Package csv reads delimited text as a dataset.Source.
//
// A file is read twice: once at memory speed to count its records and to note where reading can start (index.go,
// segment.go), then by any number of Readers at once, each over a range of rows, which parse only the columns asked for
// (reader.go). Both look at 64 bytes at a time (masks.go). The first pass is cut into segments that know nothing of
// each other: each is scanned for every state in which it may be entered, and the right one is picked in order. Readers
// take regular records in batches, column by column (batch.go), and any other by itself (scanner.go, decode.go), which
// is also the definition that the faster ways are held against. Compressed files and standard input are decompressed
// once into a spool.
//
// The dialect is RFC 4180 as people write it: the delimiter is found from the first records (comma, semicolon,
// tab or bar), lines end in LF or CRLF, a byte order mark is skipped, a field that begins with a quote may hold
// delimiters, newlines and doubled quotes, and blank lines are no records. A quote inside an unquoted field is
// plain text. The first record is the header.
//
// What it does not do: decide what a bad record means, which it hands on as a dataset.BadRow, or find out what a
// date in a local form means. The walk goes on in package dataset/open, which joins files into one table.
package csv
