// Package pinned opens files and objects that must not change while a job reads them again and again.
//
// A File is a path and what lay there when it was first opened: of a file its identity, size and time, of an object its
// ETag. Every later opening, and every reader in between, can ask whether it still is that. No handle is held between
// readings, so that a folder of ten thousand files costs no ten thousand open files. Who may open what is for the Opener
// to say.
//
// An object is read by ranges, each of which costs a journey. So a reader says beforehand which bytes it will ask for
// (Handle.Want), and they are fetched in large pieces, several at a time, within bounds (object.go, ahead.go). What is
// asked for without having been announced is a request of its own: slow, and right all the same.
//
// What it does not do: decode (packages csv, npy and parquet do).
package pinned
