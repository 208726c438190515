// Package lint holds the house rules that a compiler does not: which room may import which, how long a file and a
// function may be, words that do not belong in the project, where elementary functions come from, that no product is
// fused into a sum, that every dependency is accounted for, that what scripts take from elsewhere is pinned, and that
// the tests that docs/failures.md names are there.
//
// Each rule is a function from the checked-in files to findings; the tests run it over this module and over small
// examples that break it. There is nothing here for other packages to import.
//
// What it does not do: style that gofmt and go vet know.
package lint
