package kernel

import (
	"errors"
	"strings"
	"testing"
)

func TestParseFindsEveryAvailableTierByItsName(t *testing.T) {
	for _, tier := range Available() {
		if got, err := Parse(tier.String()); err != nil || got != tier {
			t.Errorf("Parse(%q) = %v, %v", tier, got, err)
		}
	}
	if Best() != Available()[0] {
		t.Errorf("Best is %v, want %v", Best(), Available()[0])
	}
}

func TestParseErrorNamesTheValueAndWhatThereIs(t *testing.T) {
	whole := available
	defer func() { available = whole }()
	available = []Tier{AVX2, Portable}
	for name, reason := range map[string]error{"sse9": ErrUnknownTier, "": ErrUnknownTier, "avx512": ErrTierMissing} {
		_, err := Parse(name)
		var e *TierError
		if !errors.Is(err, reason) || !errors.As(err, &e) || e.Name != name {
			t.Errorf("Parse(%q): %v, want one that is %v", name, err, reason)
			continue
		}
		if !strings.Contains(err.Error(), "avx2, portable") {
			t.Errorf("Parse(%q): %q does not list the tiers of the machine", name, err)
		}
	}
}

func TestNamesOfTiersThatDoNotExist(t *testing.T) {
	if got := Tier(9).String(); got != "Tier(9)" {
		t.Errorf("got %q", got)
	}
}
