package parquet

import (
	"bytes"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzTheIndexOfPages holds that an index that is accepted leads to pages inside of the chunk, in order, and that no bytes
// make the list of them longer than the chunk has room for.
func FuzzTheIndexOfPages(f *testing.F) {
	page := func(offset, size, first byte) []byte {
		return []byte{0x16, 2 * offset, 0x15, 2 * size, 0x16, 2 * first, 0}
	}
	two := append(append([]byte{0x19, 0x2c}, page(10, 20, 0)...), page(30, 20, 5)...)
	f.Add(append(two, 0))
	f.Add([]byte{0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add(append([]byte{0x19, 0xfc, 200, 1}, make([]byte, 300)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 256<<10, 64, func() {
			k := &chunk{offset: 10, size: 50, values: 60, index: 0, indexBytes: int32(len(data))}
			list, err := readIndex(bytes.NewReader(data), k)
			if int64(len(list)) > k.size/minPage+1 {
				t.Fatalf("%d pages in %d bytes", len(list), k.size)
			}
			if err != nil || checkPages(list, k, k.values) != nil {
				return
			}
			at, row := k.offset, int64(-1)
			for _, p := range list {
				if p.offset < at || p.offset+p.size > k.offset+k.size || p.first <= row || p.first >= k.values {
					t.Fatalf("page %+v behind byte %d and row %d was accepted", p, at, row)
				}
				at, row = p.offset+p.size, p.first
			}
		})
	})
}
