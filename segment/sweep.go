package segment

// Candidate is what a sweep measured for one k. All figures belong to the best of its runs.
type Candidate struct {
	K       int     `json:"k"`
	Inertia float64 `json:"inertia"`
	// Silhouette is the mean of (b − a) / max(a, b) over rows, in −1..1 (P. Rousseeuw, 1987); 0 where k is 1.
	Silhouette float64 `json:"silhouette"`
	// SilhouetteError is the standard error of Silhouette where it comes from a sample; 0 where every row was looked at.
	SilhouetteError  float64 `json:"silhouette_error"`
	CalinskiHarabasz float64 `json:"calinski_harabasz"` // higher is better (T. Caliński, J. Harabasz, 1974)
	DaviesBouldin    float64 `json:"davies_bouldin"`    // lower is better (D. Davies, D. Bouldin, 1979)
	// Stability is the mean adjusted Rand index between fits on resamples, on the rows that both have, −1..1.
	Stability float64 `json:"stability"`
	Smallest  int64   `json:"smallest"` // rows of the smallest segment
	// Shapeless is the silhouette that rows of the same spread without any segments would have: what Silhouette is to be held
	// against, for k-means finds something everywhere. 0 where k is 1.
	Shapeless float64 `json:"shapeless"`
}

// Recommendation is the k that a sweep would choose, and why, in one sentence.
type Recommendation struct {
	K       int    `json:"k"`
	Because string `json:"because"`
	// Unclear says that no k stands out; K is then the best there is.
	Unclear bool `json:"unclear,omitempty"`
}

// Sweep is the outcome of a sweep over k, ascending.
type Sweep struct {
	Candidates  []Candidate    `json:"candidates"`
	Recommended Recommendation `json:"recommended"`
	Rows        int64          `json:"rows"`
	Columns     int            `json:"columns"`  // after encoding
	Features    []string       `json:"features"` // input columns
	// Sampled is how many rows the silhouette was measured on; it equals Rows where it is exact.
	Sampled int64 `json:"sampled"`
}
