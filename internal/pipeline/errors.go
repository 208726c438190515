package pipeline

import (
	"errors"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/kmeans"
)

// explain gives an error of the inner rooms the kind that decides the exit code, the place and the next step.
func explain(err error, s dataset.Source) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	at := fault.In(firstName(s))
	var spec *feature.SpecError
	var value *feature.ValueError
	switch {
	case errors.As(err, &spec):
		return fault.Inputf(at, "%s", spec.Error())
	case errors.As(err, &value):
		at.Column = value.Column
		return fault.Inputf(at, "%s", value.Problem()).Do("%s", value.Remedy)
	case errors.Is(err, coordinator.ErrNoRows):
		return fault.Inputf(at, "no rows are left to cluster").Do("look at --missing, --bad-rows and --duplicates")
	case errors.Is(err, coordinator.ErrTooManyClusters), errors.Is(err, coordinator.ErrFewDistinct),
		errors.Is(err, kmeans.ErrTooFewDistinct):
		return fault.Inputf(at, "%s", err.Error()).Do("choose a smaller -k")
	case errors.Is(err, coordinator.ErrNoWeight):
		return fault.Inputf(at, "%s", err.Error()).Do("leave --weight out, or name another column")
	case errors.Is(err, coordinator.ErrTooManyBad):
		return fault.Inputf(at, "%s", err.Error()).Do("see whether the file is what its reader takes it for")
	}
	return err
}
