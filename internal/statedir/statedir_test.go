package statedir_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/statedir"
)

func TestNamesAreDistinctAndStayInTheirDirectory(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, id := range []string{
		"a", "A", "a/b", "a%2Fb", "a%2fb", "/", "//", ".", "..", ".a", "..a", "...", "../x", "a/../b", "a~b", "🎲", "%F0%9F%8E%B2", " ", " x", "-a", "\x00",
		strings.Repeat("y", 256), strings.Repeat("y", 255), strings.Repeat("🎲", 64), strings.Repeat("🎲", 63) + "🎳", strings.Repeat("/", 256),
	} {
		name := statedir.Name(id)
		require.Equal(t, "/state", filepath.Dir(filepath.Join("/state", name)), "name of %q", id)
		require.LessOrEqual(t, len(name), 255)
		require.NotContains(t, seen, name, "games %q and %q have the same name", id, seen[name])
		seen[name] = id
	}
	require.Equal(t, "eu.game-1_x", statedir.Name("eu.game-1_x"))
}
