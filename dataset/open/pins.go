package open

import (
	"fmt"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/internal/fault"
)

// foresee holds what the files are now against the pins, before any of them is read: a large file that has changed
// should not be read first.
func (o *Options) foresee(f finder, items []item) error {
	if o.Pins == nil {
		return nil
	}
	now, err := f.pins(items)
	if err != nil {
		return err
	}
	return o.hold(now)
}

// pins are what the items are now. Nothing is opened.
func (f finder) pins(items []item) ([]dataset.Pin, error) {
	var now []dataset.Pin
	for _, i := range items {
		if i.object != nil {
			now = append(now, pinned.ObjectState(*i.object).Pin(i.path))
			continue
		}
		if i.format == synthFormat || i.format == streamFormat {
			continue
		}
		info, err := f.stat(i.path)
		if err != nil {
			return nil, pinned.Unreadable(i.path, err)
		}
		now = append(now, pinned.StateOf(info).Pin(i.path))
	}
	return now, nil
}

// hold compares the files that were opened with those that the job was made for.
func (o *Options) hold(now []dataset.Pin) error {
	if o.Pins == nil {
		return nil
	}
	for i, pin := range o.Pins {
		if i == len(now) || now[i].Path != pin.Path {
			return fault.Inputf(fault.In(pin.Path), "was there when the job was made, and is not among the files here").Do(again)
		}
		if now[i] != pin {
			return fault.Inputf(fault.In(pin.Path), "has changed since the job was made, or is another file on this worker: it had %s, here it has %s",
				describe(pin), describe(now[i])).Do(again)
		}
	}
	if len(now) > len(o.Pins) {
		return fault.Inputf(fault.In(now[len(o.Pins)].Path), "was not there when the job was made").Do(again)
	}
	return nil
}

const again = "have the same files under every worker's --data-root, leave them alone, and submit the job again"

func describe(p dataset.Pin) string {
	if p.ETag != "" {
		return fmt.Sprintf("%d bytes with the ETag %s", p.Size, p.ETag)
	}
	return fmt.Sprintf("%d bytes of %s", p.Size, time.Unix(0, p.Modified).UTC().Format(time.RFC3339Nano))
}
