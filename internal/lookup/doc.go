// Package lookup says to which segment of a model customers belong, how near, which segment is second, and why. A Finder
// is a model made ready for such questions; a Table holds the customers, column by column.
//
// The answers are those of assign, bit for bit: the same transform, the same Assigner. It reads no files and knows
// nothing of who asks; the command line and the server stand in front of it.
package lookup
