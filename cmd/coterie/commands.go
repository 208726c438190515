package main

import "github.com/spf13/cobra"

func init() { cobra.EnableCommandSorting = false } // the order below is the order of work

// commands makes each subcommand, in the order of the help page.
var commands = []func(*App) *cobra.Command{
	newDemoCommand,
	newSweepCommand,
	newFitCommand,
	newAssignCommand,
	newMigrateCommand,
	newProfileCommand,
	newSegmentsCommand,
	newExportCommand,
	newLookupCommand,
	newServeCommand,
	newCheckCommand,
	newPlanCommand,
	newLoadtestCommand,
	newStatusCommand,
	newJobsCommand,
	newCoordinatorCommand,
	newWorkerCommand,
	newHealthCommand,
	newRunCommand,
	newRFMCommand,
	newSynthCommand,
	newCertsCommand,
	newBenchCommand,
	newVersionCommand,
	newCompletionCommand,
	newManCommand,
}
