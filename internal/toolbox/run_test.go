package toolbox

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	for _, sizes := range [][]int{{}, {10}, {tailBytes}, {tailBytes, 1}, {1, tailBytes}, {3 * tailBytes}, {100, 5000, 3, 4000, 7}} {
		var all bytes.Buffer
		var kept tail
		for i, size := range sizes {
			chunk := []byte(strings.Repeat(fmt.Sprint(i), size))
			all.Write(chunk)
			if n, err := kept.Write(chunk); n != size || err != nil {
				t.Fatalf("%v: Write = %d, %v", sizes, n, err)
			}
		}
		want := all.Bytes()[max(0, all.Len()-tailBytes):]
		if !bytes.Equal(kept, want) {
			t.Errorf("%v: kept %d bytes, want the last %d", sizes, len(kept), len(want))
		}
	}
}
