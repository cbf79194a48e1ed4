package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/command"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/report"
	"galaxy/rtmanager/internal/testkit/regions"
)

// prefix is that of the keys of the store of the tests.
const prefix = "/games"

// requireNoGame requires that the daemon has no game of a run.
func requireNoGame(t *testing.T, daemon *regions.Daemon) {
	t.Helper()
	resp, err := daemon.Do(t.Context(), http.MethodGet, "/v1/runtimes?limit=1000", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.Status)
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	require.NoError(t, json.Unmarshal(resp.Body, &page))
	require.Empty(t, page.Items)
	require.Empty(t, daemon.LiveContainers())
}

func TestRunOnAClusterThatExists(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster")
	}
	cluster := regions.Start(t, regions.RoundTrips{})
	daemon := cluster.StartDaemon(regions.EU, "eu-1", "--etcd-prefix", prefix)
	dir := t.TempDir()
	arguments := func(name string, others ...string) []string {
		return append([]string{"run", "--daemon", "eu/eu-1=" + daemon.URL(), "--dir", filepath.Join(dir, name), "--duration", "2s", "--pause", "5ms"}, others...)
	}
	etcd := []string{"--etcd-endpoints", strings.Join(cluster.Endpoints(), ","), "--etcd-prefix", prefix}

	t.Run("nothing is done without --yes", func(t *testing.T) {
		code, stdout, stderr := chaos(t, arguments("none", etcd...)...)
		require.Equal(t, command.ExitVoid, code)
		require.Contains(t, stderr, "add --yes")
		require.Contains(t, stdout, "eu/eu-1 at "+daemon.URL())
		require.NoDirExists(t, filepath.Join(dir, "none"))
		requireNoGame(t, daemon)
	})
	t.Run("another daemon than the operator assumes", func(t *testing.T) {
		code, _, stderr := chaos(t, "run", "--yes", "--daemon", "us/us-1="+daemon.URL())
		require.Equal(t, command.ExitVoid, code)
		require.Contains(t, stderr, "is eu/eu-1, not us/us-1")
	})
	t.Run("with etcd, containers and faults", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "faults")
		fault := fmt.Sprintf("mark@log=echo inject >> %s;echo repair >> %s", log, log)
		code, stdout, stderr := chaos(t, arguments("whole", append(etcd, "--yes", "--seed", "7", "--image", "gameserver:1.0.0", "--patch-image", "gameserver:1.0.1", "--fault", fault, "--fault", "broken=exit 3;echo repair >> "+log, "--fault-duration", "300ms")...)...)
		require.Empty(t, stderr)
		require.Equal(t, command.ExitRight, code, stdout)
		requireNoGame(t, daemon)
		content, err := os.ReadFile(log)
		require.NoError(t, err)
		require.GreaterOrEqual(t, strings.Count(string(content), "repair"), strings.Count(string(content), "inject"), "each fault is repaired")

		recorded, err := recording.Read(filepath.Join(dir, "whole"))
		require.NoError(t, err)
		require.EqualValues(t, 7, recorded.Run.Seed)
		require.Equal(t, prefix, recorded.Run.Prefix)
		require.NotEmpty(t, recorded.Run.Version)
		require.NotEmpty(t, recorded.Changes)
		require.NotEmpty(t, recorded.Faults)
		for game := range recorded.Run.Games {
			require.True(t, strings.HasPrefix(game, "chaos-"), game)
		}
		for _, change := range recorded.Changes {
			require.True(t, strings.HasPrefix(change.Key, prefix+"/"), change.Key)
		}
		page, err := os.ReadFile(filepath.Join(dir, "whole", report.PageFile))
		require.NoError(t, err)
		require.Contains(t, string(page), "--image gameserver:1.0.0")

		code, _, _ = chaos(t, "check", filepath.Join(dir, "whole"))
		require.Equal(t, command.ExitRight, code)
	})
	t.Run("without etcd", func(t *testing.T) {
		code, stdout, stderr := chaos(t, arguments("observed", "--yes", "--etcd-endpoints", "http://127.0.0.1:1")...)
		require.Empty(t, stderr)
		require.Equal(t, command.ExitRight, code, stdout)
		require.Contains(t, stdout, "its changes are not recorded")
		require.Contains(t, stdout, "skipped rules")
		requireNoGame(t, daemon)
	})
	t.Run("an interrupt ends the run early and in order", func(t *testing.T) {
		log := filepath.Join(t.TempDir(), "faults")
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		go func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				<-tick.C
				if content, _ := os.ReadFile(log); len(content) > 0 {
					interrupt()
				}
			}
		}()
		var stdout, stderr bytes.Buffer
		code := command.Main(ctx, []string{
			"run", "--yes", "--daemon", "eu/eu-1=" + daemon.URL(), "--dir", filepath.Join(dir, "interrupted"), "--duration", "24h", "--min-calls", "1",
			"--fault", fmt.Sprintf("mark=echo inject >> %s;echo repair >> %s", log, log),
		}, &stdout, &stderr)
		require.Empty(t, stderr.String())
		require.Equal(t, command.ExitRight, code, stdout.String())
		content, err := os.ReadFile(log)
		require.NoError(t, err)
		require.Equal(t, strings.Count(string(content), "inject"), strings.Count(string(content), "repair"))
		requireNoGame(t, daemon)
	})
	t.Run("a directory that exists is not overwritten", func(t *testing.T) {
		code, _, stderr := chaos(t, arguments("observed", "--yes")...)
		require.Equal(t, command.ExitVoid, code)
		require.Contains(t, stderr, "exists")
	})
}
