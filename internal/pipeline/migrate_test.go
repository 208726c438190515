package pipeline

import (
	"errors"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
)

func TestAJoinThatDoesNotFitIsRefusedBeforeItBegins(t *testing.T) {
	for _, c := range []struct {
		need, memory int64
		ok           bool
	}{{100, 100, true}, {101, 100, false}, {1 << 60, 0, true}} {
		err := enoughMemory(c.need, c.memory)
		var e *fault.Error
		if (err == nil) != c.ok || err != nil && (!errors.As(err, &e) || e.Kind != fault.Failed || e.Remedy == "") {
			t.Errorf("%d of %d bytes: got %v", c.need, c.memory, err)
		}
	}
}
