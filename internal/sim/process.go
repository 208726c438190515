package sim

import "time"

// process is what coordinator and workers have in common: it is alive or dead, and may stand still, so that all it misses
// reaches it when it goes on.
type process struct {
	w       *world
	alive   bool
	frozen  time.Duration // until when it stands still
	backlog []func()
}

// later has the process do something, unless it is dead then; while it stands still it is put off.
func (p *process) later(d time.Duration, what string, do func()) {
	p.w.after(d, what, func() { p.wake(do) })
}

// wake does something now, or when the process goes on.
func (p *process) wake(do func()) {
	switch {
	case !p.alive:
	case p.w.now < p.frozen:
		p.backlog = append(p.backlog, do)
	default:
		do()
	}
}

// freeze makes the process stand still; thawed is told how much it has missed.
func (p *process) freeze(d time.Duration, thawed func(missed int)) {
	p.frozen = p.w.now + d
	p.w.after(d, "thaw", func() {
		if !p.alive || p.w.now < p.frozen {
			return
		}
		missed := p.backlog
		p.backlog = nil
		thawed(len(missed))
		for _, do := range missed {
			p.wake(do)
		}
	})
}
