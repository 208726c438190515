// Package coteriev1 is version 1 of the messages and services of a cluster, generated from the .proto files beside it.
// What a message means stands in those files; internal/wire makes values of the ones that carry a round.
package coteriev1
