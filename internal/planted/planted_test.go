//go:build planted

package planted_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/planted"
)

// TestUnknownBugFailsAtStart starts this test program once more, with an unknown name.
func TestUnknownBugFailsAtStart(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "RTMANAGER_PLANTED_BUG=unknown")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "RTMANAGER_PLANTED_BUG=unknown is not a planted bug")
}

func TestNoBugIsActiveByDefault(t *testing.T) {
	if os.Getenv("RTMANAGER_PLANTED_BUG") != "" {
		require.FailNow(t, "run this test without RTMANAGER_PLANTED_BUG")
	}
	for _, bug := range planted.All() {
		require.False(t, planted.Is(bug))
		require.False(t, planted.Sometimes(bug, 1))
	}
}
