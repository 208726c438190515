// Package fault gives every error that a person sees its noun, its place and its next step.
//
// A room that meets bad data returns a typed error of its own or a *fault.Error; the command line maps
// the kind to the exit code and prints the message. Nothing here logs: an error is returned, once.
package fault
