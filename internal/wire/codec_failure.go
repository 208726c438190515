package wire

import (
	"errors"
	"strings"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// EncodeFailure keeps of an error what decides its exit code and its message: kind, place, problem with the text of its
// causes, and remedy; nil for nil. Errors of package feature become bad input without a file, as the command line
// explains them. An error that says nothing of itself is a failure of the machine, and so is one that was interrupted:
// a signal to a worker is none to the person who waits for the job.
func EncodeFailure(err error) *pb.Failure {
	if err == nil {
		return nil
	}
	e := explained(err)
	problem := e.Problem
	if e.Err != nil {
		if problem != "" {
			problem += ": "
		}
		problem += e.Err.Error()
	}
	return &pb.Failure{Kind: int32(e.Kind), Place: encodePlace(e.Place), Problem: clip(problem), Remedy: clip(e.Remedy)}
}

// explained is the error as a *fault.Error. What others have said around one is kept.
func explained(err error) *fault.Error {
	nowhere := fault.Place{Row: fault.NoRow}
	var known *fault.Error
	var spec *feature.SpecError
	var value *feature.ValueError
	switch {
	case errors.As(err, &known):
		e := *known
		e.Kind = carried(e.Kind)
		if before, after, found := strings.Cut(err.Error(), known.Error()); found && before+after != "" {
			if e.Err != nil {
				after = ": " + e.Err.Error() + after
				e.Err = nil
			}
			e.Problem = before + e.Problem + after
		}
		return &e
	case errors.As(err, &spec):
		return fault.Inputf(nowhere, "%s", spec.Error())
	case errors.As(err, &value):
		return fault.Inputf(fault.Place{Row: fault.NoRow, Column: value.Column}, "%s", value.Problem()).Do("%s", value.Remedy)
	}
	return &fault.Error{Kind: fault.Failed, Place: nowhere, Problem: err.Error()}
}

// carried is the kind of an error that has come from another machine.
func carried(k fault.Kind) fault.Kind {
	switch k {
	case fault.Usage, fault.Input, fault.Gate, fault.Unavailable:
		return k
	}
	return fault.Failed
}

// DecodeFailure is the *fault.Error that a Failure stands for; nil for nil. A kind that is not known counts as a
// failure of the machine.
func DecodeFailure(f *pb.Failure) error {
	if f == nil {
		return nil
	}
	return &fault.Error{Kind: carried(fault.Kind(f.Kind)), Place: decodePlace(f.Place), Problem: clip(f.Problem), Remedy: clip(f.Remedy)}
}

// encodePlace leaves the place out that says nothing.
func encodePlace(p fault.Place) *pb.Place {
	if p == (fault.Place{Row: fault.NoRow}) {
		return nil
	}
	return &pb.Place{File: clip(p.File), Line: p.Line, Row: p.Row, Column: clip(p.Column)}
}

func decodePlace(p *pb.Place) fault.Place {
	if p == nil {
		return fault.Place{Row: fault.NoRow}
	}
	return fault.Place{File: clip(p.File), Line: max(p.Line, 0), Row: max(p.Row, fault.NoRow), Column: clip(p.Column)}
}
