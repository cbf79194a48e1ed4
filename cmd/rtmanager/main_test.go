package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/testkit/enginetest"
)

// runMainVariable is the environment variable that makes the test program run main.
const runMainVariable = "RTMANAGER_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMainVariable) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// waitTimeout bounds every wait of these tests. Normal waits are far shorter.
const waitTimeout = 30 * time.Second

// buildGameImages builds cmd/gameserver as the images 1.0.0 and 1.0.1 in the directory.
func buildGameImages(t testing.TB, dir string) {
	t.Helper()
	require.NoError(t, enginetest.BuildGame(t.Context(), filepath.Join(dir, "1.0.0"), "1.0.0"))
	require.NoError(t, os.Link(filepath.Join(dir, "1.0.0"), filepath.Join(dir, "1.0.1")))
}
