//go:build !amd64

package exact

var vectors, wideVectors = false, false

// Without assembly nobody calls these.

func extremesAVX2(*float32, int, *[24]float32) { panic("exact: no vectors") }

func momentsAVX2(*float32, int, int, float64, float64, *[28]float64) { panic("exact: no vectors") }

func extremesWideAVX2(*float64, int, *[12]float64) { panic("exact: no vectors") }

func momentsWideAVX2(*float64, int, *[5]float64, *[28]float64) { panic("exact: no vectors") }

func sumAVX2(*float32, int, float64, *[12]float64) { panic("exact: no vectors") }

func gridWideAVX2(*float32, *float64, int, int, int, *[5]float64, *[8]uint32) {
	panic("exact: no vectors")
}

func gridWideShiftedAVX2(*float32, *float64, int, int, int, *[5]float64, *[8]uint32) {
	panic("exact: no vectors")
}

func gridAVX2(_, _ *float32, _, _, _ int, _ *[5]float64, _ *[8]uint32) { panic("exact: no vectors") }

func gridShiftedAVX2(_, _ *float32, _, _, _ int, _ *[5]float64, _ *[8]uint32) {
	panic("exact: no vectors")
}
