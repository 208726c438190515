// Package objecttest is a Store in memory, for the tests of those who read and write objects. It keeps the promises of
// the service: reads by ETag, conditional writes, listings in the order of bytes, uploads that appear at their Commit.
package objecttest
