package pipeline

import (
	"bytes"
	"io"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/scoring"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/model"
)

// The forms of a model for other systems.
const (
	AsSQL  = "sql"
	AsPMML = "pmml"
	AsJSON = "json"
)

// ExportModelRequest asks for a model in the form of another system.
type ExportModelRequest struct {
	Model  string
	As     string             // AsSQL, AsPMML or AsJSON
	SQL    scoring.SQLOptions // for AsSQL
	Output string
	Stdout io.Writer // where it goes if Output is store.Stdout
}

// ExportModelOutcome is what was written.
type ExportModelOutcome struct {
	As       string   `json:"as"`
	K        int      `json:"k"`
	Features []string `json:"features"`
	Bytes    int      `json:"bytes"`
	Output   string   `json:"output"`
}

// ExportModel writes a model for another system, whole or not at all. Errors are those of package scoring.
func ExportModel(r *ExportModelRequest) (*ExportModelOutcome, error) {
	m, err := model.ReadFile(r.Model)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	switch document := scoring.New(m); r.As {
	case AsSQL:
		err = document.SQL(&text, r.SQL)
	case AsPMML:
		err = document.PMML(&text)
	default:
		err = document.JSON(&text)
	}
	if err != nil {
		return nil, err
	}
	outcome := &ExportModelOutcome{As: r.As, K: m.K, Features: m.Features(), Bytes: text.Len(), Output: r.Output}
	if r.Output == store.Stdout {
		if _, err := r.Stdout.Write(text.Bytes()); err != nil {
			return nil, fault.Failedf(err, "standard output")
		}
		return outcome, nil
	}
	return outcome, store.WriteFile(r.Output, func(w io.Writer) error {
		_, err := w.Write(text.Bytes())
		return err
	})
}
