package kernel

// peakFMAs runs rounds of independent fused multiply-adds and returns how many float32 lanes that was.
func peakFMAs(t Tier, rounds int) int {
	if t == NEON {
		peakNEON(rounds)
		return rounds * 16 * 4
	}
	return rounds
}
