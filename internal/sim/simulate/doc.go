// Command simulate runs the simulated cluster: many seeds, or one that is looked at.
//
//	simulate --runs 1000 --seed 1 --jobs 2 [--faults worker-crash,power-failure]
//	simulate --replay 17          (the script of a seed, and everything that happens)
//	simulate --replay FILE        (the same for a script)
//	simulate --shrink 17          (the shortest script found that breaks as the seed's does)
//
// Interrupted, it reports what it has done until then. It exits with 1 at the first invariant that is broken, and where 1,000
// runs or more under all kinds of faults have not visited every cell of the table; with 2 where it was called wrongly.
package main
