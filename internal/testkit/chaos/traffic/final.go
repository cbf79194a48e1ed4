package traffic

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// Read returns the response of a daemon to a GET of the path; status 0 if there is none.
func (t *Traffic) Read(ctx context.Context, d Daemon, path string) (status int, body []byte) {
	resp, err := rest{t: t, daemon: d}.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return resp.status, resp.body
}

// ListAll returns all records as the daemon has them in memory, after it has caught up by a
// linearizable read; nil if it does not respond.
func (t *Traffic) ListAll(ctx context.Context, d Daemon) []recording.Item {
	if status, _ := t.Read(ctx, d, "/v1/runtimes?limit=1"); status != http.StatusOK {
		return nil
	}
	items := []recording.Item{}
	for next := ""; ; {
		query := url.Values{"limit": {"1000"}, "consistency": {"local"}}
		if next != "" {
			query.Set("continue", next)
		}
		status, body := t.Read(ctx, d, "/v1/runtimes?"+query.Encode())
		var got page
		if err := json.Unmarshal(body, &got); status != http.StatusOK || err != nil || len(got.Items) != len(got.ItemRevisions) {
			return nil
		}
		for i, encoded := range got.Items {
			if record, err := decodeRecord(encoded); err == nil {
				items = append(items, recording.Item{Game: record.GameID, Revision: got.ItemRevisions[i], Status: record.Status, ContainerID: record.ContainerID})
			}
		}
		if next = got.Continue; next == "" {
			return items
		}
	}
}

// Remove deletes the games of the run, which would be part of later ones. It tries each through every
// daemon until one succeeds. StopWatches must have been called.
func (t *Traffic) Remove(ctx context.Context) {
	var games errgroup.Group
	games.SetLimit(maxRemovals)
	for game := range t.Games() {
		games.Go(func() error {
			t.remove(ctx, game)
			return nil
		})
	}
	_ = games.Wait()
	t.http.CloseIdleConnections()
}

// maxRemovals is how many games are deleted at the same time.
const maxRemovals = 8

func (t *Traffic) remove(ctx context.Context, game string) {
	for _, d := range t.cfg.Daemons {
		call := recording.Call{Method: recording.Delete, Game: game}
		rest{t: t, daemon: d}.send(ctx, &call, http.MethodDelete, "?force=true", nil)
		if call.Outcome == recording.Done || call.Outcome == recording.NotFound {
			return
		}
	}
}

func (t *Traffic) setPosition(watcher string, revision int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.positions[watcher] = revision
}
