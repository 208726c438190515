//go:build !amd64

package kernel

// These are for the one tier that this architecture does not have; it takes the plain code.

func labelSIMD([]int32, []uint16, int)                                     {}
func listSIMD([]uint16, []int32) int                                       { return 0 }
func gatherSIMD([]float32, int, []int32, []float32)                        {}
func (l *Ledger) moveSIMD([]float32, []int32, []uint16, []int32)           {}
func (l *Ledger) addSIMD([]float32, []int32)                               {}
func moversSIMD(*Panel, []float32, []int32, []uint16, []int32) (int, bool) { return 0, false }
func fetchSIMD([]float32, int, []int32)                                    {}
