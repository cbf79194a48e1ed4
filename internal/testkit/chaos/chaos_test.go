package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
)

// TestChaos makes runs of 30 seconds for the time of RTMANAGER_CHAOS, by default one short run.
// RTMANAGER_CHAOS_SEED is the seed of the first run; the following ones have the next numbers.
// RTMANAGER_CHAOS_DIR keeps the recordings. RTMANAGER_CHAOS_LAYOUT is external or embedded.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a cluster for a minute")
	}
	total, length := time.Duration(0), 10*time.Second
	if text := os.Getenv("RTMANAGER_CHAOS"); text != "" {
		var err error
		total, err = time.ParseDuration(text)
		require.NoError(t, err)
		length = min(30*time.Second, total)
	}
	seed := rand.Uint64() //nolint:gosec // printed below
	if text := os.Getenv("RTMANAGER_CHAOS_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	dir := os.Getenv("RTMANAGER_CHAOS_DIR")
	if dir == "" {
		dir = t.TempDir()
	}
	layout := os.Getenv("RTMANAGER_CHAOS_LAYOUT")
	if layout == "" {
		layout = "external"
	}
	env := newEnvironment(t, layout)
	for deadline, number := time.Now().Add(total), 0; number == 0 || time.Now().Before(deadline) && !t.Failed(); number++ {
		run := seed + uint64(number)
		t.Logf("run %d, seed %d", number, run)
		cfg := chaos.Config{
			Seed: run, Dir: filepath.Join(dir, fmt.Sprintf("run-%d", run)), Name: fmt.Sprintf("r%d", run), Duration: length, Log: t.Logf,
			Traffic: traffic.Config{LifecycleGames: 2, Image: "gameserver:1.0.0", PatchImage: "gameserver:1.0.1"},
		}
		require.NoError(t, chaos.Execute(t.Context(), env, cfg))
		recorded, err := recording.Read(cfg.Dir)
		require.NoError(t, err)
		t.Log(describe(recorded))
	}
}
