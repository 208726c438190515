// Package segment turns clusters into something people can use: how big each segment is, what it spends, what
// sets it apart from the whole base, a name for it, a table for a terminal and a page for a browser.
//
// A Profile gathers exact sums over labelled rows, block by block and worker by worker; since the sums are
// exact, the order of merging changes no bit. Its Summary, or the light one that FromModel takes from a model
// alone, is what Names, SetsApart, Table and Page read. Page is the report: it takes a Summary and whatever else there is,
// such as Components, an RFMGrid or the Sweep that chose k, and leaves out what there is not. Explain says why a single customer belongs where it does.
//
// The package does not read files, does not assign rows and decides nothing about the model.
//
// Next on the walk: cmd prints the table, writes the page and answers lookups.
package segment
