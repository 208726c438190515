package roofline

// Portable is the name of the loops in plain Go. What they reach is less than what the machine can do.
const Portable = "portable"

var portableFMA = fmaLoop{name: Portable, values: 8, run: multiplyPortable}

// Not constants, so that the compiler cannot know what is computed with them.
var (
	one   float32 = 1
	zeros [8]float32
)

// multiplyPortable keeps eight sums in registers. The compiler must not see that all eight are the same: it would
// compute x·y, or a whole sum, once for all of them. So each is multiplied in every round, and each begins with a zero
// of its own. The compiler may fuse or not: both give the same, being exact.
func multiplyPortable(rounds int, x, y float32, sums []float32) {
	z := &zeros
	a, b, c, d, e, f, g, h := z[0], z[1], z[2], z[3], z[4], z[5], z[6], z[7]
	m, p := one, x*y
	for range rounds {
		a = a*m + p
		b = b*m + p
		c = c*m + p
		d = d*m + p
		e = e*m + p
		f = f*m + p
		g = g*m + p
		h = h*m + p
	}
	copy(sums, []float32{a, b, c, d, e, f, g, h})
}

var portableRead = readLoop{name: Portable, streams: 1, run: readPortable}

func readPortable(words []uint64, stride, groups int) uint64 {
	var a, b, c, d uint64
	for from := 0; from < len(words); from += stride {
		for part := words[from : from+groups*groupWords]; len(part) >= 8; part = part[8:] {
			a += part[0] + part[4]
			b += part[1] + part[5]
			c += part[2] + part[6]
			d += part[3] + part[7]
		}
	}
	return a + b + c + d
}
