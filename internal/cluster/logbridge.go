package cluster

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxLine        = 1024             // bytes kept of a line: it may quote what a stranger sent
	warningWindow  = 10 * time.Second // of which at most maxWarnings lines are warnings
	maxWarnings    = 10               // a wrong key on one machine is several lines a second, for as long as it runs
	libraryPrefix  = "memberlist: "
	refusedMessage = "gossip refused"
)

// refusals are how the library's lines begin when it drops what it was sent. It gives no other sign of it; the tests of
// this package see each of the common ones happen, so that a new version of the library cannot silence the count.
var refusals = []string{
	"discarding packet with unacceptable label",
	"discarding stream with unacceptable label",
	"Decrypt packet failed",
	"failed to receive", // a stream with another key, without one, or with garbage
	"cannot decode label",
	"label header cannot be empty",
	"Got invalid checksum",
	"Failed to decode", // without a key, encrypted packets look like that
	"Failed to decompress",
	"Failed to read remote state",
	"Received invalid msgType",
	"msg type (",
	"missing message type byte",
	"Too many pending push/pull requests",
	"ignoring alive message", // NotifyAlive said no
	"Ignoring an alive message",
	"Failed push/pull merge",
	fenced, // ours
}

// logBridge is where the library's log goes: lines "[LEVEL] memberlist: text" become records at debug or warn, refusals are
// counted, and warnings beyond maxWarnings a window become debug.
type logBridge struct {
	log     *slog.Logger
	refused *atomic.Uint64
	now     func() time.Time

	mu       sync.Mutex
	window   time.Time // when the window began
	warnings int       // of the window
}

func newLogBridge(l *slog.Logger, refused *atomic.Uint64) *logBridge {
	return &logBridge{log: l, refused: refused, now: time.Now}
}

// logger is the bridge as the library wants it.
func (b *logBridge) logger() *log.Logger { return log.New(b, "", 0) }

// Write takes one line of the library. It never fails.
func (b *logBridge) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line[:min(len(line), maxLine)]))
	level := "ERR" // a few lines bear no level, and they are errors
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if name, message, ok := strings.Cut(rest, "] "); ok {
			level, text = name, message
		}
	}
	text = strings.TrimPrefix(text, libraryPrefix)
	warn := level != "DEBUG" && level != "INFO"
	message := "gossip"
	if refusal(text) {
		b.refused.Add(1)
		message = refusedMessage
	}
	to := slog.LevelDebug
	if warn && b.mayWarn() {
		to = slog.LevelWarn
	}
	b.log.Log(context.Background(), to, message, "said", text)
	return len(line), nil
}

// refusal says whether a line without its level and prefix reports something dropped.
func refusal(text string) bool {
	for _, start := range refusals {
		if strings.HasPrefix(text, start) {
			return true
		}
	}
	return false
}

// mayWarn counts a warning and says whether the window has room for it.
func (b *logBridge) mayWarn() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.now(); now.Sub(b.window) >= warningWindow {
		b.window, b.warnings = now, 0
	}
	b.warnings++
	return b.warnings <= maxWarnings
}
