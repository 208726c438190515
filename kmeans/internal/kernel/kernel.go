package kernel

// Lanes is the number of points in a block. Points lie in blocks of Lanes: coordinate t of point i is at
// blocks[((i/Lanes)*d+t)*Lanes + i%Lanes]. Slices of blocks are padded with zero points to a multiple of
// BlockPair blocks, so that a tier may work on two blocks at a time.
const Lanes = 16

// BlockPair is the granularity in blocks of every call.
const BlockPair = 2
