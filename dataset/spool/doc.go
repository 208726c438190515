// Package spool keeps decoded bytes for reading again: a compressed file or standard input can be walked only
// once, but a fit reads its rows several times and from several places at once.
//
// Small data stays in memory; what is larger goes to a temporary file that has no name where the system allows it,
// so that it is gone even after a crash. Decompression is bounded: a bomb can fill the disk, which is a clear
// error, but not the memory.
//
// What it does not do: understand what the bytes mean. Package dataset/csv reads them through io.ReaderAt.
package spool
