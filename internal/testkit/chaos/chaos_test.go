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
	"galaxy/rtmanager/internal/testkit/chaos/report"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
)

// TestChaos makes runs of 30 seconds for the time of RTMANAGER_CHAOS, by default one short run.
// RTMANAGER_CHAOS_SEED is the seed of the first run; the following ones have the next numbers.
// RTMANAGER_CHAOS_DIR keeps the recordings, each with a page that shows it, and a summary of them.
// RTMANAGER_CHAOS_LAYOUT is external or embedded.
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
	var runs []report.Run
	for deadline, number := time.Now().Add(total), 0; number == 0 || time.Now().Before(deadline) && !t.Failed(); number++ {
		run := seed + uint64(number)
		t.Logf("run %d, seed %d", number, run)
		cfg := chaos.Config{
			Seed: run, Dir: filepath.Join(dir, fmt.Sprintf("run-%d", run)), Name: fmt.Sprintf("r%d", run), Duration: length, Log: t.Logf,
			Traffic: traffic.Config{LifecycleGames: 2, Image: "gameserver:1.0.0", PatchImage: "gameserver:1.0.1"},
		}
		require.NoError(t, chaos.Execute(t.Context(), env, cfg))
		runs = append(runs, checkRun(t, cfg))
	}
	require.NoError(t, report.Summarize(runs).WriteFiles(dir))
}

// checkRun checks the recording of a run and writes its page. It fails the test with what the run broke.
func checkRun(t *testing.T, cfg chaos.Config) report.Run {
	t.Helper()
	checked, err := report.CheckRecording(cfg.Dir, report.Options{Repeat: func(run recording.Run) string {
		return fmt.Sprintf("RTMANAGER_CHAOS=%s RTMANAGER_CHAOS_SEED=%d RTMANAGER_CHAOS_LAYOUT=%s go test -timeout 0 -run 'TestChaos$' -v ./internal/testkit/chaos", cfg.Duration, run.Seed, run.Layout)
	}})
	require.NoError(t, err)
	t.Log(describe(checked.Recording))
	for _, v := range checked.Check.Violations {
		t.Errorf("seed %d: %s: %s", cfg.Seed, v.Rule, v.Summary)
	}
	if t.Failed() {
		t.Logf("repeat this run with:\n%s", checked.Repeat)
	}
	return report.NewRun(filepath.Base(cfg.Dir), checked)
}
