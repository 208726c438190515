// Package failpoint lets a test kill, stop or slow a process at a place that it names.
//
// The places are calls of Hit. In an ordinary build Hit is an empty function that the compiler removes, and
// COTERIE_FAILPOINT is not looked at. In a build with the tag failpoints (go build -tags failpoints) the first Hit
// reads the variable:
//
//	COTERIE_FAILPOINT=manifest-swap              SIGKILL to its own process at the first hit of that name
//	COTERIE_FAILPOINT=merge:3                    at the third hit
//	COTERIE_FAILPOINT=assign:1:stop              SIGSTOP at the first hit; SIGCONT lets it go on
//	COTERIE_FAILPOINT=iterate:2:sleep=500ms      a pause at every hit from the second on
//	COTERIE_FAILPOINT=load:2:sleep=1s,merge:5    several, each with a count of its own
//
// Windows has no such signals: there a kill is os.Exit(137), and stop is refused. A value that cannot be read, or a
// name that the project does not have, ends the process with exit code 2 at the first Hit of any name: a misspelt
// fail point would otherwise make a test of a fault pass without the fault.
//
// The names:
//
//	assign            the coordinator is about to hand out the tasks of a round
//	merge             the coordinator is about to merge an answer
//	checkpoint-write  a checkpoint is written under its temporary name and about to be renamed
//	manifest-swap     a checkpoint stands, and the manifest does not name it yet
//	label-commit      labels are written and about to get their names
//	load              a worker is about to load partitions
//	seed              a worker is about to compute its part of a seeding round
//	iterate           a worker is about to compute its part of an iteration
//	label             a worker is about to write labels
//
// The last four are kinds of tasks, and the other kinds (keys, duplicates, statistics, quantiles, directions, farthest,
// score, prepare, commit) are names as well: a worker hits its task's kind when it begins with it.
//
// What it does not do: return errors or lose messages. Faults of the file system and of the network are injected
// behind interfaces, in the tests of internal/checkpoint, the coordinator and the worker.
package failpoint
