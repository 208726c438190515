// Package feature turns the columns of a table into Points: it fills in missing values, takes logarithms,
// scales, encodes categories one-hot with rare ones folded into one, multiplies features by their weights, normalises
// rows for the cosine metric, and rounds the result once to float32 on each column's grid.
//
// A Spec says what is wanted. Statistics are gathered over Batches of rows by any number of threads and machines
// and merged in any order; since every sum in them is exact, the bits do not depend on that order. Medians and
// quartiles need further passes, which a QuantileSearch directs. Fit makes a Transform of them: plain data that
// lies in the model file, that makes the same Points of the same rows for ever after, and that leads a centroid
// back to the units of the input.
//
//	stats := feature.NewStatistics(spec)         // one for each thread, then Merge
//	err := stats.Add(batch)                      // for every batch
//	search := feature.NewQuantileSearch(spec, stats)
//	for search != nil && !search.Done() {        // at most a few rounds
//		counts := search.Open()                  // one for each thread, then Merge
//		err = counts.Add(batch)                  // for every batch
//		err = search.Close(counts)
//	}
//	transform, err := feature.Fit(spec, stats, search)
//	if transform.NeedsSecondPass() {             // the cosine metric
//		normalised := transform.NormalisedStatistics()
//		err = normalised.Add(batch)              // for every batch
//		err = transform.FinishNormalised(normalised)
//	}
//	applied, err := transform.Apply(batch, out, keep)
//
// All arithmetic is float64 with every rounding explicit, so that no processor gives other bits.
//
// The package does not read files (dataset does), does not choose columns (the command line does), and knows no
// distances: the walk goes on in kmeans, which takes the Points.
package feature
