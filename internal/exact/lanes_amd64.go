package exact

import "golang.org/x/sys/cpu"

//go:generate sh -c "cd _asm && go run . -out ../lanes_amd64.s -stubs ../stubs_amd64.go -pkg exact"

// vectors says whether the assembly runs on this processor. It gives the bits that plain Go gives.
var vectors = cpu.X86.HasAVX2

// wideVectors says so of what also multiplies and adds at once.
var wideVectors = vectors && cpu.X86.HasFMA
