package kernel

import "golang.org/x/sys/cpu"

// vbmi says that the processor looks bytes up in registers.
var vbmi = cpu.X86.HasAVX512VBMI && detectedAVX512()

// looksUp says that codes of a byte are widened by lookups in registers.
func (t Tier) looksUp() bool { return t == AVX512 && vbmi }

func (t *Dictionary) widenSIMD(codes []byte, stride, groups int, blocks []float32, d, c int) {
	for from := 0; from < groups; from += callBlocks {
		widenVBMI(&codes[from*stride], stride, min(callBlocks, groups-from), &t.planes[0], &blocks[from*CodeGroup*d+c*Lanes], 4*Lanes*d)
	}
}
