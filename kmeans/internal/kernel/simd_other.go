//go:build !amd64 && !arm64

package kernel

// Until a tier is built for this architecture, detect finds none and the rest is never reached.

type part struct{}

func detect() []Tier { return nil }

func packSIMD(*Panel, []float32)                                               {}
func nearestSIMD(*Panel, []float32, []float32, []int32, int32, bool)           {}
func twoNearestSIMD(*Panel, []float32, []float32, []float32, []int32, []int32) {}
func distancesSIMD(Tier, []float32, []float32, []float32)                      {}
func changedSIMD(Tier, []uint16, []int32, []uint16) int                        { return 0 }

func nearestSecondSIMD(*Panel, []float32, []float32, []float32, []int32)                        {}
func (o *Own) distancesSIMD([]float32, []uint16, []float32)                                     {}
func survivorsSIMD(Tier, *Thresholds, []uint16, []float32, []uint16) int                        { return 0 }
func marginsSIMD(Tier, *Thresholds, []float32, []float32, []int32, float32, float32, []float32) {}
func compactSIMD(Tier, []float32, int, []uint16, []float32)                                     {}
func spreadSIMD([]uint16, []int32, []float32, []uint16, []float32, []int32, []uint16) int       { return 0 }
