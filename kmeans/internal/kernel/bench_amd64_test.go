package kernel

// peakFMAs runs rounds of independent fused multiply-adds and returns how many float32 lanes that was.
func peakFMAs(t Tier, rounds int) int {
	switch t {
	case AVX2:
		peakAVX2(rounds)
		return rounds * 12 * 8
	case AVX512:
		peakAVX512(rounds)
		return rounds * 12 * 16
	}
	return rounds
}
