package kmeans

// TrackBytes is the memory that a run of k clusters and d columns takes for a row under the algorithm: what its Track grows
// to or, where that is more, its SeedState before.
func (a Algorithm) TrackBytes(k, d int) int {
	const label, margin, seeding = 2, 4, 4 + 4
	if a == "" {
		a = Auto
	}
	switch c := newChooser(a, k, d, false); {
	case c.never:
		return max(label, seeding)
	case c.kind == Hamerly:
		return max(label+margin, seeding)
	}
	return max(TrackBytes, seeding)
}
