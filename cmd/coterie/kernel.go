package main

import (
	"slices"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/kmeans"
)

// kernelVariable names the tier of instructions to use; all give the same bits.
const kernelVariable = "COTERIE_KERNEL"

// knownKernels are the tiers of all machines, best first.
var knownKernels = []string{"avx512", "avx2", "neon", "portable"}

// chooseKernel takes the tier that the environment asks for; without one the best of this machine is in use.
func (app *App) chooseKernel() error {
	name := app.env[kernelVariable]
	if name == "" {
		return nil
	}
	here := strings.Join(kmeans.Tiers(), ", ")
	if !slices.Contains(knownKernels, name) {
		return fault.Usagef("%s: %q is none of %s", kernelVariable, name, strings.Join(knownKernels, ", ")).
			Do("this machine has %s", here)
	}
	if err := kmeans.UseTier(name); err != nil {
		return fault.Usagef("%s: this machine lacks the kernel %q", kernelVariable, name).Do("it has %s", here)
	}
	return nil
}
