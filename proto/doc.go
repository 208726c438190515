// Package proto holds the messages and services that the machines of a cluster speak, and the code generated from
// them, in coterie/v1. Nothing else lives here: internal/wire turns the messages into values and checks them.
//
// The messages are versioned by their package. Fields are added, never changed: `make proto` generates the code and
// refuses what would break a program of the version kept in v1.binpb.
package proto

//go:generate go tool -modfile=_buf/go.mod buf lint
//go:generate go tool -modfile=_buf/go.mod buf breaking --against v1.binpb
//go:generate go tool -modfile=_buf/go.mod buf generate
