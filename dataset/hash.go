package dataset

// gamma is the step of SplitMix64 (Steele, Lea, Flood 2014). With it an integer's hash is that generator's first
// number from the integer as its seed, and shares no bits with the one that Duplicates sorts into buckets by.
const gamma = 0x9e3779b97f4a7c15

// The parameters of the 64-bit FNV-1a hash (Fowler, Noll, Vo).
const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// Hash is a fixed hash of id i: the same in every process, on every machine and in every release, so that workers
// agree without a word on which of them compares which ids. Equal ids have equal hashes however their columns are
// held: a plain integer is hashed as that integer wherever it stands, any other text by its bytes (FNV-1a, whose high
// bits are poor and are therefore mixed once more).
func (c *IDs) Hash(i int) uint64 {
	if !c.text {
		return mix(uint64(c.integers[i]) + gamma)
	}
	id := c.at(i)
	if v, ok := plainInteger(id); ok {
		return mix(uint64(v) + gamma)
	}
	h := uint64(fnvOffset)
	for _, b := range id {
		h = (h ^ uint64(b)) * fnvPrime
	}
	return mix(h + gamma)
}

// AppendFrom appends id i of o.
func (c *IDs) AppendFrom(o *IDs, i int) {
	switch {
	case !o.text:
		c.AppendInt(o.integers[i])
	case c.text: // no need to look whether it is an integer
		c.data = append(c.data, o.at(i)...)
		c.ends = append(c.ends, int64(len(c.data)))
	default:
		c.AppendText(o.at(i))
	}
}

// Bytes is about how many bytes the ids take.
func (c *IDs) Bytes() int {
	return 8*(len(c.integers)+len(c.ends)) + len(c.data)
}
