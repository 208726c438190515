// Command coterie is the binary: the shell around the rooms.
//
// run builds a tree of commands, one small file for each, and turns what they return into an exit code and one line on
// standard error. What is the same for every command is here once: settings from the command line, the environment
// and a file (settings.go), wrong usage (usage.go), outputs (output.go), progress (app.go) and the flags that say how
// data is read (dataflags.go).
//
// What it does not do: any work on rows. A command checks what it was asked for, calls a room and prints the answer.
// The walk ends here.
package main
