package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// terminalBar draws one bar for the current phase and takes it away when the phase ends: what stays on the screen is
// the result. Drawing is mpb's, which repaints a few times a second whatever the number of calls.
type terminalBar struct {
	meter meter
	mu    sync.Mutex // guards what follows; never held while mpb waits
	bars  *mpb.Progress
	bar   *mpb.Bar // nil before the first phase
	ended bool
}

func newBar(w io.Writer, options ...mpb.ContainerOption) *terminalBar {
	options = append([]mpb.ContainerOption{mpb.WithOutput(w)}, options...)
	return &terminalBar{bars: mpb.New(options...)}
}

func (b *terminalBar) Phase(name string, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.drop() // before the meter turns: the bar is drawn a last time, and would show the new phase's numbers
	b.meter.open(name, total)
	before := decor.Any(func(decor.Statistics) string { return b.meter.now().before() })
	after := decor.Any(func(decor.Statistics) string { return b.meter.now().after() })
	var style mpb.BarFillerBuilder = mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]")
	if total <= 0 {
		style = mpb.SpinnerStyle("|", "/", "-", "\\").PositionLeft()
	}
	// A total given to New would complete the bar as soon as it is reached, and an iterating phase starts over.
	b.bar = b.bars.New(0, style, mpb.PrependDecorators(before), mpb.AppendDecorators(after), mpb.BarFillerTrim())
	b.bar.SetTotal(max(total, 0), false)
}

// drop takes the bar of the last phase away.
func (b *terminalBar) drop() {
	if b.bar != nil {
		b.bar.Abort(true)
		b.bar.Wait()
		b.bar = nil
	}
}

func (b *terminalBar) Add(rows int64) {
	b.meter.add(rows)
	b.show()
}

func (b *terminalBar) Iteration(run, i int, inertia float64, moved, rows int64) {
	b.meter.iterate(run, i, inertia, moved, rows)
	b.show()
}

// show moves the bar to where the meter is.
func (b *terminalBar) show() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		b.bar.SetCurrent(b.meter.now().done)
	}
}

func (b *terminalBar) Note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		fmt.Fprintf(b.bars, "%s\n", text)
	}
}

func (b *terminalBar) Close() {
	b.mu.Lock()
	ended := b.ended
	b.ended = true
	if !ended {
		b.drop()
	}
	b.mu.Unlock()
	b.bars.Wait()
}

// before is what stands left of the bar.
func (r reading) before() string { return fmt.Sprintf("%-8s", r.phase) }

// after is what stands right of the bar.
func (r reading) after() string { return " " + strings.Join(r.words(), " · ") }
