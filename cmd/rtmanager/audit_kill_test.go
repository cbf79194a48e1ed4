package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/audit"
)

// Every write that a client has a response of is in the audit log, also if the daemon is
// killed. At most the last line of each life is incomplete.
func TestAcknowledgedWritesAreAuditedAfterAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	path := filepath.Join(dir, "audit.log")
	d := startDaemonWith(t, "--engine", "none", "--audit-file", path)
	const lives, writers = 3, 4
	var acknowledgedGames sync.Map
	for life := range lives {
		var acknowledged atomic.Int64
		var group sync.WaitGroup
		for writer := range writers {
			group.Go(func() {
				for i := 0; ; i++ {
					game := fmt.Sprintf("game-%d-%d-%d", life, writer, i)
					if !d.putOnce(game) {
						return
					}
					acknowledgedGames.Store(game, true)
					acknowledged.Add(1)
				}
			})
		}
		require.Eventually(t, func() bool { return acknowledged.Load() >= 20 }, waitTimeout, time.Millisecond)
		d.killAfter(0)
		group.Wait()
		d.start()
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	audited, incomplete := map[string]bool{}, 0
	for line := range strings.Lines(string(text)) {
		var event audit.Event
		if json.Unmarshal([]byte(line), &event) != nil {
			incomplete++
			continue
		}
		audited[event.GameID] = true
	}
	require.LessOrEqual(t, incomplete, lives)
	acknowledgedGames.Range(func(game, _ any) bool {
		require.True(t, audited[game.(string)], "the write of %s is not in the audit log", game)
		return true
	})
}

// putOnce stores a record without a retry, and reports whether the daemon has acknowledged it.
func (d *daemonProcess) putOnce(game string) bool {
	body := `{"status":"running","region":"eu","node":"n1","current_container_id":"c","current_image_ref":"game:1.2.3","generation":1,` +
		`"created_at":"2026-01-01T00:00:00Z","last_op_at":"2026-01-01T00:00:00Z","started_at":"2026-01-01T00:00:00Z"}`
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodPut, "http://"+d.listen+"/v1/runtimes/"+game, strings.NewReader(body))
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}
