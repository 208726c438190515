package checkpoint

import (
	"errors"
	"testing"
)

// A checkpoint that is whole, and of the length that the manifest names, may still be another one.
func TestAWholeCheckpointInThePlaceOfAnotherIsNotTaken(t *testing.T) {
	for name, other := range map[string]struct {
		id       string
		sequence uint64
	}{"an older one": {"a", 40}, "one of another job": {"b", 41}} {
		folder := scratch(t)
		s := opened(t, folder)
		for _, do := range []func(*Store) error{
			func(s *Store) error { return s.Create("a", []byte("spec of a"), []byte("running")) },
			func(s *Store) error { return s.Create("b", []byte("spec of b"), []byte("running")) },
			saving("a", 40), saving("b", 41), saving("a", 41),
		} {
			if err := do(s); err != nil {
				t.Fatal(err)
			}
		}
		here, there := objectOf(folder, "a", 41), objectOf(folder, other.id, other.sequence)
		right, err1 := contentOf(here)
		wrong, err2 := contentOf(there)
		if err := errors.Join(err1, err2, rewrite(here, wrong), rewrite(there, right)); err != nil || len(right) != len(wrong) {
			t.Fatalf("%s: %d and %d bytes, %v, want two of one length", name, len(right), len(wrong), err)
		}
		got, sequence, skipped, err := s.Load("a")
		switch {
		case other.id == "a" && !errors.Is(err, ErrNone): // both are in each other's place
			t.Errorf("%s: got checkpoint %d %q (%v), want %v", name, sequence, got, err, ErrNone)
		case other.id != "a" && (err != nil || sequence != 40 || string(got) != string(body("a", 40))):
			t.Errorf("%s: got checkpoint %d %q (%v), want 40", name, sequence, got, err)
		}
		for _, e := range skipped {
			if !errors.Is(e, ErrInvalid) {
				t.Errorf("%s: passed over with %v, want %v", name, e, ErrInvalid)
			}
		}
		s.Close()
	}
}
