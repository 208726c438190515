package main

import (
	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/pipeline"
)

// leastMemory is the smallest --memory: a process that holds no rows takes about as much.
const leastMemory = 64 << 20

// memoryFlags are those of commands that hold rows in this process.
type memoryFlags struct {
	memory int64
	spill  string
}

// bind adds the flags.
func (m *memoryFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(newBytes(&m.memory, 0, leastMemory), "memory",
		"how many `BYTES` this process may take, such as 4GiB; rows that find no room are spilled (default three quarters of what there is)")
	flags.StringVar(&m.spill, "spill", "", "`DIR` on a disk for rows that find no room in memory (default the temporary folder)")
}

// apply sets what was said.
func (m *memoryFlags) apply(e *pipeline.Engine) { e.Memory, e.Spill = m.memory, m.spill }
