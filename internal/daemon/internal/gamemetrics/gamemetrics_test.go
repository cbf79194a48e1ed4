package gamemetrics_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/daemon/internal/gamemetrics"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// cachedRecords are records at a revision, which is 0 while the cache is not synced.
type cachedRecords struct {
	revision int64
	records  []runtime.RuntimeRecord
	visits   int
}

func (c *cachedRecords) CachedRevision() int64 { return c.revision }

func (c *cachedRecords) VisitCached(visit func(*runtime.RuntimeRecord)) (int64, bool) {
	c.visits++
	for i := range c.records {
		visit(&c.records[i])
	}
	return c.revision, c.revision > 0
}

func TestGamesAreCounted(t *testing.T) {
	t.Parallel()
	at := time.Now()
	cache := &cachedRecords{records: []runtime.RuntimeRecord{
		{Status: runtime.StatusRunning, Region: "eu", Ready: true, Condition: runtime.Condition{Health: runtime.HealthHealthy, Restarts: 2}},
		{Status: runtime.StatusRunning, Region: "eu", Condition: runtime.Condition{Health: runtime.HealthUnknown, NodeLostAt: &at}},
		{Status: runtime.StatusStopped, Region: "us", Condition: runtime.Condition{CrashLoop: true, Restarts: 1}},
	}}
	games := gamemetrics.NewGames(cache, "eu")
	require.Zero(t, testutil.CollectAndCount(games), "the cache does not hold every record")
	cache.revision = 7
	require.NoError(t, testutil.CollectAndCompare(games, strings.NewReader(`
# HELP rtmanager_games Games of the store, by status and region.
# TYPE rtmanager_games gauge
rtmanager_games{region="eu",status="removed"} 0
rtmanager_games{region="eu",status="running"} 2
rtmanager_games{region="eu",status="stopped"} 0
rtmanager_games{region="us",status="removed"} 0
rtmanager_games{region="us",status="running"} 0
rtmanager_games{region="us",status="stopped"} 1
# HELP rtmanager_games_crash_loop Games of the store that have no restart left, by region.
# TYPE rtmanager_games_crash_loop gauge
rtmanager_games_crash_loop{region="eu"} 0
rtmanager_games_crash_loop{region="us"} 1
# HELP rtmanager_games_health Running games of the store, by health and region.
# TYPE rtmanager_games_health gauge
rtmanager_games_health{health="healthy",region="eu"} 1
rtmanager_games_health{health="healthy",region="us"} 0
rtmanager_games_health{health="none",region="eu"} 0
rtmanager_games_health{health="none",region="us"} 0
rtmanager_games_health{health="unhealthy",region="eu"} 0
rtmanager_games_health{health="unhealthy",region="us"} 0
rtmanager_games_health{health="unknown",region="eu"} 1
rtmanager_games_health{health="unknown",region="us"} 0
# HELP rtmanager_games_node_lost Games of the store on lost nodes, by region.
# TYPE rtmanager_games_node_lost gauge
rtmanager_games_node_lost{region="eu"} 1
rtmanager_games_node_lost{region="us"} 0
# HELP rtmanager_games_ready Games of the store that are ready, by region.
# TYPE rtmanager_games_ready gauge
rtmanager_games_ready{region="eu"} 1
rtmanager_games_ready{region="us"} 0
# HELP rtmanager_games_restarts Restarts after crashes within the windows of the games, by region.
# TYPE rtmanager_games_restarts gauge
rtmanager_games_restarts{region="eu"} 2
rtmanager_games_restarts{region="us"} 1
`)))
	empty := gamemetrics.NewGames(&cachedRecords{revision: 1}, "eu")
	require.Equal(t, 11, testutil.CollectAndCount(empty), "the region of the daemon is reported without games")
	visits := cache.visits
	testutil.CollectAndCount(games)
	require.Equal(t, visits, cache.visits, "the revision is the same")
	cache.revision++
	testutil.CollectAndCount(games)
	require.Equal(t, visits+1, cache.visits)
}

type electionFunc func(ctx context.Context, work func(ctx context.Context, fence node.Fence) error) error

func (f electionFunc) Lead(ctx context.Context, _ string, work func(ctx context.Context, fence node.Fence) error) error {
	return f(ctx, work)
}

func TestLeaderIsShownWhileItLeads(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	election := gamemetrics.NewElection(electionFunc(func(ctx context.Context, work func(context.Context, node.Fence) error) error {
		return work(ctx, node.Fence{})
	}), "eu", registry)
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(leaderText("eu", 0))))
	require.NoError(t, election.Lead(t.Context(), "eu", func(context.Context, node.Fence) error {
		return testutil.GatherAndCompare(registry, strings.NewReader(leaderText("eu", 1)))
	}))
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(leaderText("eu", 0))))
}

func leaderText(scope string, value int) string {
	return fmt.Sprintf("# HELP rtmanager_node_leader 1 while this node leads the region, or cares for it if it has no present node.\n"+
		"# TYPE rtmanager_node_leader gauge\nrtmanager_node_leader{scope=%q} %d\n", scope, value)
}

type proberFunc func() error

func (f proberFunc) Probe(context.Context, operation.HealthTarget) error { return f() }

func TestHealthChecksAreCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	var result error
	prober := gamemetrics.NewProber(proberFunc(func() error { return result }), registry)
	require.NoError(t, prober.Probe(t.Context(), operation.HealthTarget{}))
	result = errors.New("refused")
	require.ErrorIs(t, prober.Probe(t.Context(), operation.HealthTarget{}), result)
	require.ErrorIs(t, prober.Probe(t.Context(), operation.HealthTarget{}), result)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, prober.Probe(canceled, operation.HealthTarget{}), result)
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP rtmanager_health_checks_total Health checks of games by this node, by result.
# TYPE rtmanager_health_checks_total counter
rtmanager_health_checks_total{result="failed"} 2
rtmanager_health_checks_total{result="passed"} 1
`)))
}

// Every metric that the alerts and the documentation name is in the code.
func TestNamedMetricsExist(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..", "..", "..")
	var code strings.Builder
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "internal"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		code.Write(text)
		return err
	}))
	literals := code.String()
	for _, file := range []string{"deploy/prometheus/alerts.yaml", "deploy/README.md"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		names := regexp.MustCompile(`\brtmanager_[a-z_]+`).FindAllString(string(text), -1)
		require.NotEmpty(t, names)
		for _, name := range names {
			name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(name, "rtmanager_"), "_count"), "_bucket")
			isNamed := strings.Contains(literals, `"rtmanager_`+name+`"`) || strings.Contains(literals, `"`+name+`"`)
			for _, prefix := range []string{"etcd_endpoint_", "tls_", "oidc_"} { // whose names are joined in the code
				rest, hasPrefix := strings.CutPrefix(name, prefix)
				isNamed = isNamed || hasPrefix && strings.Contains(literals, `"`+rest+`"`)
			}
			require.True(t, isNamed, "%s names rtmanager_%s, which no code has", file, name)
		}
	}
}

// BenchmarkGames counts 100 000 games.
func BenchmarkGames(b *testing.B) {
	cache := &cachedRecords{records: make([]runtime.RuntimeRecord, 100_000)}
	for i := range cache.records {
		cache.records[i] = runtime.RuntimeRecord{Status: runtime.Statuses()[i%3], Region: []string{"eu", "us", "ap"}[i/3%3], Condition: runtime.Condition{Health: runtime.HealthHealthy}}
	}
	games := gamemetrics.NewGames(cache, "eu")
	for b.Loop() {
		cache.revision++
		testutil.CollectAndCount(games)
	}
}
