// Command neon writes the arm64 assembly of package kernel and its Go declarations. It is what _asm is for amd64, and
// more primitive: the generator used there knows x86 only, and Go's assembler lacks vector instructions on floats, so
// that the words are put together here. Run it with go generate in the folder above.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("out", "", "where to write the assembly")
	stubs := flag.String("stubs", "", "where to write the declarations")
	flag.Parse()
	p := whole()
	for path, text := range map[string]string{*out: p.code.String(), *stubs: p.stubs.String()} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// whole is all that there is.
func whole() *program {
	p := newProgram()
	nearest(p, false)
	nearest(p, true)
	accumulate(p)
	argmin(p)
	argminTwo(p)
	distances(p)
	changed(p)
	own(p)
	survivors(p)
	margins(p)
	peak(p)
	return p
}
