package listcache

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// TestPanicOfACompressionIsNotRepeated compresses a chunk whose text is missing, which panics, and
// once more when it has its text.
func TestPanicOfACompressionIsNotRepeated(t *testing.T) {
	t.Parallel()
	c := New(DefaultMaxBytes)
	b := &batch{}
	records := []ports.SharedRecord{{Record: &runtime.RuntimeRecord{GameID: "g"}, Revision: 1}}
	page := &Page{}
	page.compress = onceValue(func() *compressedPage { return c.compressPage(page, records, []position{{b, 0}}) })
	require.Panics(t, func() { page.compress() })
	b.text, b.ends = []byte("{},"), []uint32{3}
	compressed := page.compress()
	require.Equal(t, checksumOf([]byte("{}")), compressed.items[0].sum)
	require.Same(t, compressed, page.compress())
	require.EqualValues(t, 1, c.Stats().CompressedChunks)
}
