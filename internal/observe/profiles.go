package observe

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"
)

// Bounds of profiles: each takes memory and time of the process that it is of.
const (
	// profileLongest is how many seconds a profile or an execution trace may take.
	profileLongest = 120
	// profilesAtOnce is how many may be under way.
	profilesAtOnce = 2
)

// ProfilesPath is below what path profiles are found.
const ProfilesPath = "/debug/pprof/"

// Profiles is the Part that hands out profiles of the process, as go tool pprof asks for them. They show what the process has
// in memory and how it was called, and they cost: who offers them sees to it that strangers cannot ask.
func Profiles() Part {
	ctx, cancel := context.WithCancel(context.Background())
	return &profiles{ctx: ctx, cancel: cancel, seats: make(chan struct{}, profilesAtOnce)}
}

type profiles struct {
	ctx    context.Context // ends with the Server
	cancel context.CancelFunc
	seats  chan struct{}
}

// Routes implements Part. The pages of the command line and of symbols are left out: the one shows what was typed, file
// names of keys included, and tools of today bring the other with them.
func (p *profiles) Routes() map[string]http.Handler {
	return map[string]http.Handler{
		"GET " + ProfilesPath:             p.bounded(pprof.Index),
		"GET " + ProfilesPath + "cmdline": http.NotFoundHandler(),
		"GET " + ProfilesPath + "profile": p.bounded(pprof.Profile),
		"GET " + ProfilesPath + "trace":   p.bounded(pprof.Trace),
	}
}

// Close implements Part.
func (p *profiles) Close() { p.cancel() }

// bounded lets a few in at a time, gives each the time that it asks for, and no more than there is. The handlers would hold
// the seconds against the limit that the server has for all answers: they are shown a server without one.
func (p *profiles) bounded(handler http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seconds, err := profileSeconds(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case p.seats <- struct{}{}:
			defer func() { <-p.seats }()
		default:
			http.Error(w, fmt.Sprintf("%d profiles are under way already: wait for them", profilesAtOnce), http.StatusTooManyRequests)
			return
		}
		until := time.Now().Add(time.Duration(seconds)*time.Second + 2*requestWait)
		if err := http.NewResponseController(w).SetWriteDeadline(until); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{}))
		defer cancel()
		defer context.AfterFunc(p.ctx, cancel)()
		handler(w, r.WithContext(ctx))
	})
}

// profileSeconds is how long the profile asked for takes: 30 seconds where nothing is said, as pprof has it.
func profileSeconds(r *http.Request) (int, error) {
	text := r.FormValue("seconds")
	if text == "" {
		return 30, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > profileLongest {
		return 0, fmt.Errorf("seconds=%.20q: a whole number up to %d", text, profileLongest)
	}
	return n, nil
}
