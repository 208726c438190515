package roofline

import "testing"

func TestLinuxSaysHowMuchMemoryThereIs(t *testing.T) {
	if n := availableMemory(); n <= 0 || n > 1<<60 {
		t.Errorf("got %d bytes, want some", n)
	}
	for text, want := range map[string]int64{"4": 4096, "0": 0, "": 0, "-1": 0, "x": 0, "99999999999999999999": 0, "4503599627370496": 0} {
		if got := kibibytes(text); got != want {
			t.Errorf("kibibytes(%q): got %d, want %d", text, got, want)
		}
	}
}
