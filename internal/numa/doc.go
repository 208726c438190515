// Package numa knows which processors of this machine are near to which memory, and runs functions there.
//
// A machine with several processors has several memories (nodes), and a page of memory lies on the node whose processor
// wrote to it first. Who writes rows on the node that will read them reads them twice as fast as over there. Where there is
// one node, on other systems than Linux and where anything cannot be read there are no nodes, and nothing is done.
package numa
