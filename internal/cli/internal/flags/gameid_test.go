package flags_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/flags"
)

func TestGameOperationID(t *testing.T) {
	t.Parallel()
	require.Equal(t, "nightly-e7b47e617cd7", flags.GameOperationID("nightly", "game-1"))
	longest := strings.Repeat("ä", 64) // 128 bytes
	seen := map[string]bool{}
	for _, id := range []string{"short", strings.Repeat("x", 74), strings.Repeat("x", 75), longest, "x" + longest[2:] + "y", longest[:126] + "xy"} {
		for _, game := range []string{"game-1", "game-2"} {
			got := flags.GameOperationID(id, game)
			require.LessOrEqual(t, len(got)+len("-metadata"), 96)
			require.True(t, utf8.ValidString(got))
			require.Equal(t, got, flags.GameOperationID(id, game))
			require.False(t, seen[got])
			seen[got] = true
		}
	}
}
