// Package monthly does a month as a pipeline file says: rfm, check, fit, assign, profile, migrate and export, in this order.
//
// A File names the steps and their flags; a Month chooses the data. The results of a month lie in a folder of that name, which
// appears whole once every step has succeeded, with a manifest that says what it was made of. A month that is there and up to
// date is not made again; a step that fails leaves the folders as they were.
//
// The package knows neither the commands nor their flags: a Program runs them.
//
// Next on the walk: cmd is the Program.
package monthly
