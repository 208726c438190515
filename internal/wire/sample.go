package wire

import (
	"encoding/binary"
	"math"
)

// Bounds of a sample: so many rows tell shares to a hundredth, and so many values are half a megabyte, which also a
// checkpoint holds. Of fewer rows than leastSampled no sample is taken: they would tell nothing.
const (
	MaxSample    = 1 << 17 // values
	sampledRows  = 4096
	leastSampled = 512
)

// SampleStep says which rows are the sample of a table: those whose numbers it divides. 0: there are too many columns for one.
func SampleStep(rows int64, columns int) int64 {
	if columns < 1 || MaxSample/columns < leastSampled {
		return 0
	}
	most := int64(min(sampledRows, MaxSample/columns))
	return max(1, (rows+most-1)/most)
}

// EncodeSample encodes the values of a sample.
func EncodeSample(sample []float32) []byte {
	data := make([]byte, 0, 4*len(sample))
	for _, v := range sample {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	if len(data) == 0 {
		return nil
	}
	return data
}

// DecodeSample reads the values of a sample, which are finite.
func DecodeSample(data []byte) ([]float32, error) {
	if len(data)%4 != 0 || len(data) > 4*MaxSample {
		return nil, wrong("sample", "%d bytes", len(data))
	}
	if len(data) == 0 {
		return nil, nil
	}
	sample := make([]float32, len(data)/4)
	for i := range sample {
		v := math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		if v != v || math.IsInf(float64(v), 0) {
			return nil, wrong("sample", "value %d is no finite number", i)
		}
		sample[i] = v
	}
	return sample, nil
}
