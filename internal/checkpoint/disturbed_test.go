package checkpoint

import (
	"errors"
	"slices"
	"testing"
)

func TestADisturbedDiskFailsWhereItIsAskedTo(t *testing.T) {
	var seen []string
	fails := ""
	open := func() (*Store, error) {
		return Open(t.TempDir(), Options{Disturb: func(operation, path string) error {
			if !slices.Contains(seen, operation) {
				seen = append(seen, operation)
			}
			if operation == fails {
				return ErrTorn
			}
			return nil
		}})
	}
	write := func() error {
		s, err := open()
		if err != nil {
			return err
		}
		defer s.Close()
		return errors.Join(s.Create("job", []byte("spec"), []byte("state")), s.Save("job", 1, []byte("one")), s.Save("job", 2, []byte("two")), s.Save("job", 3, []byte("three")))
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	want := []string{"close", "create", "mkdir", "remove", "rename", "sync", "sync of a folder", "write"}
	if got := slices.Sorted(slices.Values(seen)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, fails = range want {
		if err := write(); fails != "remove" && !errors.Is(err, ErrTorn) { // what cannot be removed is cleared later
			t.Errorf("%s fails: got %v", fails, err)
		}
	}
}
