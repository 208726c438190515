package coordinator

import (
	"errors"
)

// Problems with the data that only the coordinator can see, since they concern all of it.
var (
	ErrNoRows          = errors.New("no rows are left to cluster")
	ErrTooManyClusters = errors.New("k is above the number of rows")
	ErrFewDistinct     = errors.New("k is above the number of distinct points")
	ErrTooManyBad      = errors.New("too many bad rows")
	ErrNoWeight        = errors.New("every weight is 0")
	ErrStart           = errors.New("the starting centroids do not fit")
)
