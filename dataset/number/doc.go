// Package number reads the text of one cell as a number, by the same rules for every format that holds text. It knows
// nothing of records, columns or files.
//
// Text files reach it through dataset/csv, text columns of Parquet files through dataset/parquet, which turn what it
// finds into Blocks.
package number
