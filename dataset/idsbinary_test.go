package dataset

import (
	"fmt"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/hostile"
)

func TestIDsComeBackFromTheirBytes(t *testing.T) {
	for _, list := range [][]string{nil, {"7"}, {"7", "-12", "9000000000"}, {"a"}, {"007", "7", "", "größer"}, {"", ""}} {
		want := column(list...)
		got, err := ParseIDs(want.AppendBinary([]byte("x"))[1:])
		if err != nil || !slices.Equal(texts(got), texts(want)) {
			t.Errorf("%q: got %v, %v", list, got, err)
			continue
		}
		if _, integers := got.Integers(); integers != !want.text {
			t.Errorf("%q: integers: %v, want %v", list, integers, !want.text)
		}
	}
}

func FuzzParseIDs(f *testing.F) {
	f.Add(column("1", "2").AppendBinary(nil))
	f.Add(column("a", "").AppendBinary(nil))
	f.Add([]byte{1, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 64<<10, 64, func() {
			ids, err := ParseIDs(data)
			if err != nil {
				return
			}
			if again := fmt.Sprintf("%q", ids.AppendBinary(nil)); again != fmt.Sprintf("%q", data) {
				t.Errorf("%q became %s", data, again)
			}
			if ids.Bytes() > len(data) {
				t.Errorf("%d bytes became ids of %d", len(data), ids.Bytes())
			}
		})
	})
}
