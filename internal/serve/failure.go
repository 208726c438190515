package serve

import (
	"fmt"
	"net/http"
)

// failure is an answer that says what is wrong.
type failure struct {
	Status  int    `json:"-"`
	Message string `json:"message"`
	Field   string `json:"field"` // of the request: "values.age"; empty where it is none
	Remedy  string `json:"remedy"`
}

// Error renders "values.age: no value (…)".
func (f *failure) Error() string {
	text := f.Message
	if f.Field != "" {
		text = f.Field + ": " + text
	}
	if f.Remedy != "" {
		text += " (" + f.Remedy + ")"
	}
	return text
}

// bad is a request that cannot be understood.
func bad(field, format string, args ...any) *failure {
	return &failure{Status: http.StatusBadRequest, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Do adds the next step and returns the failure.
func (f *failure) Do(format string, args ...any) *failure {
	f.Remedy = fmt.Sprintf(format, args...)
	return f
}

// busy is the answer while there are no turns left.
func busy() *failure {
	return &failure{Status: http.StatusServiceUnavailable, Message: "too many requests at once", Remedy: "try again in a moment, or start another server"}
}
