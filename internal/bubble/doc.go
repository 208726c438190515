// Package bubble runs tests in bubbles of made time (testing/synctest) so that the race detector can look at them. It is Test,
// which tests call in place of synctest.Test; internal/lint sees to it.
//
// What it does not do: anything for the product.
package bubble
