package roofline

import (
	"encoding/binary"
	"strings"
)

// Leaves of cpuid: the highest of the extended ones, and the three that hold the name.
const (
	leafHighest = 0x80000000
	leafName    = 0x80000002
)

// Processor is the processor as it calls itself.
func Processor() string {
	if highest, _, _, _ := cpuid(leafHighest); highest < leafName+2 {
		return unnamed()
	}
	var text []byte
	for leaf := uint32(leafName); leaf < leafName+3; leaf++ {
		a, b, c, d := cpuid(leaf)
		for _, word := range []uint32{a, b, c, d} {
			text = binary.LittleEndian.AppendUint32(text, word)
		}
	}
	name, _, _ := strings.Cut(string(text), "\x00")
	name = strings.Join(strings.Fields(strings.ToValidUTF8(name, "")), " ")
	if name == "" {
		return unnamed()
	}
	return name
}
