package observe

import (
	"fmt"
	"io"
	"log/slog"
)

// The fields of log lines, each with one meaning everywhere. internal/observe's tests hold all lines of the coordinator, the
// worker and the commands against this list.
var Fields = []string{
	"job", "name", "state", "phase", "rows", "partitions", "iterations", "seconds", // a job and how far it is
	"round", "kind", "epoch", "run", // where in it
	"worker", "workers", "need", "address", "kernel", "cores", "memory", "version", "left", // who; address is HOST:PORT
	"checkpoint", "bytes", "path", "file", // what is on disk
	"reason", "error", "panic", "stack", // why; error is the text of one
	"peer", "at", "not_told_before", "owner", "grace", "method", "digest", "before", "segments", "seeds", "trace_id",
}

// NewLog makes a log of one line an event: text as slog writes it, or JSON; level is debug, info, warn or error.
func NewLog(to io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: %w", level, err)
	}
	options := &slog.HandlerOptions{Level: least}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	}
	return nil, fmt.Errorf("log format %q is neither text nor json", format)
}
