// Package parquet reads flat Parquet files as a dataset.Source.
//
// It walks the file's pages itself and takes names and numbers of the format from parquet-go's package format:
// a file may be damaged or hostile, and every size in it is compared with the bytes that are really there before
// anything is allocated for it. Decoding is a stream: a page is decompressed whole (at most 256 MiB), its values
// are decoded one Block at a time.
//
//	footer.go    the metadata at the end of the file, over thrift.go
//	schema.go    what a column holds, and whether it can be read
//	source.go    Open, and the dataset.Source
//	reader.go    a range of rows as Blocks
//	chunk.go     the pages of one column in one row group
//	page.go      one page: levels and values, over values.go, text.go, bits.go and delta.go
//	convert.go   stored values become numbers, ids, texts and times
//
// What it does not do: nested and repeated columns (they are listed as unusable), encrypted files, writing
// (package table). The walk goes on in package dataset, which joins files into one table.
package parquet
