// Command audit looks at what the program is made of, before it is given away:
//
//	audit licences             every linked module has a licence that may be passed on, and THIRD_PARTY_LICENSES holds its words
//	audit licences -write      writes that file
//	audit sbom -binary FILE    the bill of materials of a binary, CycloneDX as JSON; the same binary gives the same bytes
//	audit vulncheck            govulncheck, with a database that is there and is not empty
//	audit coverage PROFILE     statements, basic blocks and branches that tests reach, and what none of them does
//
// It runs in its own folder, with go -C internal/audit run . WORD. It ends with 0, with 1 where something is wrong, with 2 for
// a wrong command line, and with 77 where it could not look at all.
//
// What it does not do: look at modules that only tests and tools need, or at licences in the heads of single files.
package main
