package main

import (
	"math"
	"testing"
)

func TestGrowthIsToldInWords(t *testing.T) {
	for growth, want := range map[float64]string{0.0004: "the same", -0.0004: "the same", 0.1: "+10.0 %", -0.25: "-25.0 %", math.MaxFloat64: "something, where there was none,"} {
		if got := growthWords(growth); got != want {
			t.Errorf("%v: got %q, want %q", growth, got, want)
		}
	}
}
