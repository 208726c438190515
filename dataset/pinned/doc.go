// Package pinned opens files that must not change while a job reads them again and again.
//
// A File is a path and what the file was when it was first opened: its identity, size and time. Every later opening, and
// every reader in between, can ask whether it still is that file. No handle is held between readings, so that a
// folder of ten thousand files costs no ten thousand open files. Who may open what is for the Opener to say.
//
// What it does not do: read or decode (packages npy and parquet do).
package pinned
