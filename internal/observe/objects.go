package observe

import (
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/trace"
)

// Objects is the Source of what the process has asked of object storage.
func Objects(to Sink) {
	c := object.Counts()
	for key, n := range c.Requests {
		to.Value("object_requests_total", float64(n), key[0], key[1])
	}
	to.Value("object_retries_total", float64(c.Retries))
	to.Value("object_read_bytes_total", float64(c.ReadBytes))
	to.Value("object_written_bytes_total", float64(c.WrittenBytes))
}

// Traces is the Source of how the process fares with handing its traces on.
func Traces(to Sink) { to.Value("traces_lost_total", float64(trace.Lost())) }
