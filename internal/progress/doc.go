// Package progress tells a waiting person or program how far the work is.
//
// The pipeline calls a Reporter; this package has four of them: a bar for a terminal, a line now and then for a log
// file, one JSON object a line for a program, and one that says nothing. All of them write to the stream they are
// given (the command line gives standard error), so that results on standard output stay clean.
//
// What it does not do: decide which of the four is right (the command line does), measure for a verdict, or keep
// anything of what it was told. The walk of a row does not pass through here.
package progress
