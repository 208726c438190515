package pipeline

import (
	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
)

// explain gives an error of the inner rooms the kind that decides the exit code, the place and the next step.
func explain(err error, s dataset.Source) error { return coordinator.Explain(err, firstName(s)) }
