package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/secure"
)

// observeFlags are those by which a process that runs on and on is watched.
type observeFlags struct {
	format string
	level  string
	pprof  bool
}

func (o *observeFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(newChoice(&o.format, "text", "text", "json"), "log-format", "how the log on standard error is written")
	flags.Var(newChoice(&o.level, "info", "debug", "info", "warn", "error"), "log-level", "the least that is logged")
	flags.BoolVar(&o.pprof, "pprof", false, "offer profiles of the process at "+observe.ProfilesPath+" of --http, which then must not be reached without a certificate")
}

// logger makes the process's log; --quiet silences it.
func (o *observeFlags) logger(app *App) (*slog.Logger, error) {
	if app.quiet {
		return slog.New(slog.DiscardHandler), nil
	}
	log, err := observe.NewLog(app.Stderr, o.format, o.level)
	if err != nil {
		return nil, err
	}
	app.log.Store(log)
	return log, nil
}

// profiles are the part of HTTP that --pprof asks for, if any. Profiles show what lies in memory, customers included, and
// whoever may ask for them may slow the process down. So they are only for this machine, or for holders of a certificate;
// asked says that --http demands one. --insecure does not open them.
func (o *observeFlags) profiles(http string, asked *secure.Identity) ([]observe.Part, error) {
	if !o.pprof {
		return nil, nil
	}
	if err := secure.CheckListen("--http", http, asked, false); err != nil {
		return nil, fault.Usagef("--pprof: profiles show what is in memory, and --http %s can be reached from other machines without a certificate", http).
			Do("give --http an address of loopback, such as 127.0.0.1:0, or leave --pprof out")
	}
	return []observe.Part{observe.Profiles()}, nil
}
