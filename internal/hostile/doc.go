// Package hostile helps tests that hand in what nobody should: ceilings for the memory that it may cost, and a browser in which
// nothing of it may run.
package hostile
