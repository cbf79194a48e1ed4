package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/report"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
)

// settings are those of TestChaos, from the environment.
type settings struct {
	total time.Duration // RTMANAGER_CHAOS: how long runs are made; one run if it is 0
	// RTMANAGER_CHAOS_RUNS: makes at most that many runs, until one has a violation
	maxRuns  int
	clusters int           // RTMANAGER_CHAOS_CLUSTERS: on which runs are made at the same time
	length   time.Duration // RTMANAGER_CHAOS_RUN: of each run
	seed     uint64        // RTMANAGER_CHAOS_SEED: of the first run; the next ones have the next numbers
	// RTMANAGER_CHAOS_DIR keeps the recordings of runs with a violation, each with a page that shows it, and a
	// summary of all runs, also of earlier tests. RTMANAGER_CHAOS_KEEP keeps all recordings.
	dir  string
	keep bool
	// RTMANAGER_CHAOS_LAYOUT is external, embedded, docker, secured or hosts. Without it, long tests change between them.
	layout string
}

// runsPerCluster is the number of runs of a long test before it starts another cluster.
const runsPerCluster = 20

func readSettings(t *testing.T) settings {
	t.Helper()
	s := settings{length: 10 * time.Second, clusters: 1, seed: uint64(rand.Uint32()), dir: os.Getenv("RTMANAGER_CHAOS_DIR"), layout: os.Getenv("RTMANAGER_CHAOS_LAYOUT")} //nolint:gosec // printed
	var err error
	if text := os.Getenv("RTMANAGER_CHAOS"); text != "" {
		s.total, err = time.ParseDuration(text)
		require.NoError(t, err, "RTMANAGER_CHAOS")
		s.length = 30 * time.Second
	}
	if text := os.Getenv("RTMANAGER_CHAOS_RUN"); text != "" {
		s.length, err = time.ParseDuration(text)
		require.NoError(t, err, "RTMANAGER_CHAOS_RUN")
	}
	if text := os.Getenv("RTMANAGER_CHAOS_RUNS"); text != "" {
		s.maxRuns, err = strconv.Atoi(text)
		require.NoError(t, err, "RTMANAGER_CHAOS_RUNS")
	}
	if text := os.Getenv("RTMANAGER_CHAOS_CLUSTERS"); text != "" {
		s.clusters, err = strconv.Atoi(text)
		require.NoError(t, err, "RTMANAGER_CHAOS_CLUSTERS")
		require.Positive(t, s.clusters, "RTMANAGER_CHAOS_CLUSTERS")
	}
	if text := os.Getenv("RTMANAGER_CHAOS_SEED"); text != "" {
		s.seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "RTMANAGER_CHAOS_SEED")
	}
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	s.keep = os.Getenv("RTMANAGER_CHAOS_KEEP") != ""
	if s.layout != "" {
		require.Contains(t, []string{external, embedded, docker, secured, hosts}, s.layout, "RTMANAGER_CHAOS_LAYOUT")
	}
	return s
}

// TestChaos makes runs on real clusters under faults, and checks each. See the README.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a cluster for half a minute")
	}
	s := newSeries(t, readSettings(t))
	var clusters sync.WaitGroup
	for place := range s.clusters {
		clusters.Go(func() { s.runClusters(t, place) })
	}
	clusters.Wait()
	s.requireMeaningful(t)
}

// makeRun makes one run and checks it. It fails the test with what the run broke.
func makeRun(t *testing.T, env chaos.Environment, s settings, seed uint64) report.Run {
	t.Helper()
	t.Logf("seed %d", seed)
	dir := filepath.Join(s.dir, fmt.Sprintf("run-%d", seed))
	require.NoError(t, chaos.Execute(t.Context(), env, chaos.Config{
		Seed: seed, Dir: dir, Name: fmt.Sprintf("r%d", seed), Duration: s.length, Log: t.Logf, Planted: os.Getenv("RTMANAGER_PLANTED_BUG"),
		Traffic: traffic.Config{LifecycleGames: 2},
	}))
	checked, err := report.CheckRecording(dir, report.Options{Minimum: minimum, Repeat: func(run recording.Run) string {
		return fmt.Sprintf("RTMANAGER_CHAOS_RUN=%s RTMANAGER_CHAOS_SEED=%d RTMANAGER_CHAOS_LAYOUT=%s go test -run 'TestChaos$' -v ./internal/testkit/chaos", s.length, run.Seed, run.Layout)
	}})
	require.NoError(t, err)
	t.Log(describe(checked.Recording))
	run := report.NewRun(filepath.Base(dir), checked)
	if run.Void != "" {
		t.Errorf("seed %d: %s", seed, run.Void)
	}
	for _, v := range checked.Check.Violations {
		t.Errorf("seed %d: %s: %s", seed, v.Rule, v.Summary)
	}
	switch {
	case len(checked.Check.Violations) > 0:
		t.Logf("recording in %s; repeat this run with:\n%s", dir, checked.Repeat)
	case !s.keep:
		require.NoError(t, os.RemoveAll(dir))
	}
	return run
}

// minimum is what each run must have met: every rule has examined something.
var minimum = check.Minimum{Calls: 100, Changes: 100, Events: 50, Examined: map[string]int{
	check.RuleWrites: 50, check.RuleReads: 50, check.RuleLists: 1, check.RuleOrder: 50, check.RuleLocal: 10, check.RuleWatches: 50,
	check.RuleInvariants: 50, check.RuleFences: 1, check.RuleContainers: 1, check.RuleLiveness: 1,
}}
