//go:build !planted

package planted_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/planted"
)

func TestReleasedProgramHasNoPlantedBug(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := filepath.Join(t.TempDir(), "rtmanager")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "galaxy/rtmanager/cmd/rtmanager").CombinedOutput()
	require.NoError(t, err, "%s", out)
	content, err := os.ReadFile(program)
	require.NoError(t, err)

	require.True(t, bytes.Contains(content, []byte("RTMANAGER_")), "the program has the texts of its source")
	require.False(t, bytes.Contains(content, []byte("RTMANAGER_PLANTED_BUG")), "the program can activate planted bugs")
	for _, bug := range planted.All() {
		require.False(t, bytes.Contains(content, []byte(bug)), "the program has the hook of %s", bug)
	}
}
