package serve

import (
	"log/slog"
	"testing"
	"time"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
	"github.com/coterie-project/coterie/model"
)

func TestAModelInAnObjectIsExchangedWhenItChangesAndKeptWhenItIsGone(t *testing.T) {
	m := &objecttest.Memory{}
	defer object.Use(m)()
	const path = "s3://box/model.json"
	put := func(weighted bool) string {
		t.Helper()
		shop := shop(feature.Mean, weighted)
		if err := model.WriteFile(path, shop); err != nil {
			t.Fatal(err)
		}
		return shop.Digest()
	}
	first := put(false)
	h, err := newHolder(path, slog.New(slog.DiscardHandler), usual, func(*held) {})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	h.now = func() time.Time { return now }
	want := func(when, digest string, loads, refused int64) {
		t.Helper()
		h.look(false)
		if got := h.current.Load().Digest(); got != digest || h.loads.Load() != loads || h.refused.Load() != refused {
			t.Errorf("%s: model %.8s, %d loads, %d refused; want %.8s, %d, %d", when, got, h.loads.Load(), h.refused.Load(), digest, loads, refused)
		}
	}
	want("unchanged", first, 1, 0)
	second := put(true)
	want("replaced", second, 2, 0)
	want("unchanged", second, 2, 0)
	n, _ := object.Parse(path)
	m.Remove(t.Context(), n)
	want("gone", second, 2, 1)
	put(false)
	want("back", first, 3, 1)
}
