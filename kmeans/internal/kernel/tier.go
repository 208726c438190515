package kernel

import (
	"errors"
	"fmt"
	"strings"
)

// Tier is one implementation of the kernel. All tiers return the same bits; they differ in speed and in
// the processors that they run on.
type Tier int

// The tiers, slowest first.
const (
	Portable Tier = iota // plain Go, on every machine
	NEON                 // 4 lanes, every arm64
	AVX2                 // 8 lanes, x86-64 with AVX2 and FMA
	AVX512               // 16 lanes, x86-64 with AVX-512 F, BW, DQ and VL
)

var tierNames = [...]string{Portable: "portable", NEON: "neon", AVX2: "avx2", AVX512: "avx512"}

// String is the name that Parse accepts.
func (t Tier) String() string {
	if t < 0 || int(t) >= len(tierNames) {
		return fmt.Sprintf("Tier(%d)", int(t))
	}
	return tierNames[t]
}

// ErrUnknownTier is wrapped by the error of Parse for a name that no tier has.
var ErrUnknownTier = errors.New("unknown kernel tier")

// ErrTierMissing is wrapped by the error of Parse for a tier that this machine cannot run.
var ErrTierMissing = errors.New("kernel tier not available on this machine")

// TierError says which name Parse refused, why, and what this machine has.
type TierError struct {
	Name      string // as given
	Available []Tier // best first
	Reason    error  // ErrUnknownTier or ErrTierMissing
}

// Error names the value and what may be used instead.
func (e *TierError) Error() string {
	names := make([]string, len(e.Available))
	for i, t := range e.Available {
		names[i] = t.String()
	}
	return fmt.Sprintf("%v: %q (this machine has %s)", e.Reason, e.Name, strings.Join(names, ", "))
}

// Unwrap returns the reason, for errors.Is.
func (e *TierError) Unwrap() error { return e.Reason }

// available is decided once: what a processor can do does not change while a program runs.
var available = append(detect(), Portable)

// Available lists the tiers that this machine can run, best first. Portable is always there.
func Available() []Tier { return append([]Tier(nil), available...) }

// Best is the fastest tier that this machine can run.
func Best() Tier { return available[0] }

// Parse returns the tier of that name. Its error is a *TierError that wraps ErrUnknownTier or
// ErrTierMissing.
func Parse(name string) (Tier, error) {
	for i, s := range tierNames {
		if s != name {
			continue
		}
		for _, t := range available {
			if t == Tier(i) {
				return t, nil
			}
		}
		return 0, &TierError{Name: name, Available: Available(), Reason: ErrTierMissing}
	}
	return 0, &TierError{Name: name, Available: Available(), Reason: ErrUnknownTier}
}
