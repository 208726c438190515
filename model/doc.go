// Package model is the Model file: what a fit found, in one readable JSON file with a checksum. It holds the
// transforms, the centroids both as Points and in the units of the input, the segments' ids and names, the
// parents, and where it all came from.
//
// The package does not fit, assign or name anything, and it takes nothing on trust: Decode bounds what it
// allocates, checks the checksum before it parses, and every size and number before it hands out a Model.
//
// Next on the walk: a worker labels rows with the Model, and segment turns it into what people read.
package model
