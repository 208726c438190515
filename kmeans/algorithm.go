package kmeans

import (
	"errors"
	"fmt"
	"strings"
)

// Algorithm is how a fit finds the nearest centroids. All give the same bits; they differ in how much work they can tell
// beforehand to be in vain, and in what that costs.
type Algorithm string

// The algorithms.
const (
	// Auto begins with full passes and goes over to bounds once few rows move, as long as that is measured to be faster.
	Auto Algorithm = "auto"
	// FullPasses computes every distance in every pass: Lloyd's algorithm, word for word.
	FullPasses Algorithm = "lloyd"
	// Filter looks at every pair in every pass, as FullPasses does, but first at bytes that are made of rows and centroids,
	// whose known error proves most labels; float32 decides what is left (kernel.Filter). It is for processors that multiply
	// bytes, and elsewhere FullPasses.
	Filter Algorithm = "filter"
	// Hamerly keeps one number a row, how far its nearest and second nearest centroids may still travel before its label
	// can change (G. Hamerly, "Making k-means even faster", SDM 2010; here as one lazy margin).
	Hamerly Algorithm = "hamerly"
	// Activity is Hamerly, and a row that fails its margin, but is not farther from its centroid than before, is compared
	// only with the centroids that have moved since (T. Kaukoranta, P. Fränti, O. Nevalainen, "A fast exact GLA based on
	// code vector activity detection", IEEE Transactions on Image Processing 9, 2000).
	Activity Algorithm = "activity"
)

// Algorithms lists the names, the default first.
func Algorithms() []string {
	return []string{string(Auto), string(FullPasses), string(Filter), string(Hamerly), string(Activity)}
}

// ErrAlgorithm is an algorithm that does not exist.
var ErrAlgorithm = errors.New("unknown algorithm")

// ParseAlgorithm finds an algorithm by its name; the empty one is Auto. The error is ErrAlgorithm.
func ParseAlgorithm(name string) (Algorithm, error) {
	switch a := Algorithm(name); a {
	case "":
		return Auto, nil
	case Auto, FullPasses, Filter, Hamerly, Activity:
		return a, nil
	}
	return "", fmt.Errorf("%w: %q (there are %s)", ErrAlgorithm, name, strings.Join(Algorithms(), ", "))
}
