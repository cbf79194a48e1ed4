package regions_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"galaxy/rtmanager/internal/api"
)

// ackedWrites are the revisions of acknowledged writes, by game. It is safe for concurrent
// use.
type ackedWrites struct {
	mu        sync.Mutex
	revisions map[string][]int64
}

func (a *ackedWrites) add(game string, revision int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revisions[game] = append(a.revisions[game], revision)
}

// latest returns the revision of the latest write of each game.
func (a *ackedWrites) latest() map[string]int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	latest := map[string]int64{}
	for game, revisions := range a.revisions {
		latest[game] = slices.Max(revisions)
	}
	return latest
}

func (a *ackedWrites) count() (count int) {
	for _, revisions := range a.all() {
		count += len(revisions)
	}
	return count
}

func (a *ackedWrites) all() map[string][]int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.revisions)
}

// watcher receives every change of all records from the daemon of one region. It resumes
// where a stream ended.
type watcher struct {
	*faultClient
	position int64 // the revision from which the watch resumes

	mu   sync.Mutex
	seen map[string][]int64 // the revisions of complete batches, by game
}

// run watches until ctx ends.
func (w *watcher) run(ctx context.Context) {
	for ok := true; ok; ok = wait(ctx) {
		if err := w.stream(ctx); err != nil && ctx.Err() == nil {
			w.stats.fail(w.region, kindWatch, err.Error())
		}
	}
}

// stream reads one stream. The events of an incomplete revision are dropped: the next
// stream repeats them.
func (w *watcher) stream(ctx context.Context) error {
	path := fmt.Sprintf("/v1/watch?from_revision=%d", w.position)
	resp, err := w.client.Open(ctx, http.MethodGet, path, nil, "Accept: "+api.NDJSONMediaType)
	if err != nil {
		return fmt.Errorf("no response")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		if resp.StatusCode == http.StatusGone {
			w.t.Errorf("the watch from %s cannot resume at revision %d", w.region, w.position)
		}
		return fmt.Errorf("%d", resp.StatusCode)
	}
	var batch []api.Event
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event api.Event
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return fmt.Errorf("malformed event")
		}
		switch {
		case event.Error != nil:
			return fmt.Errorf("%d %s", event.Error.Status, event.Error.Code)
		case event.GameID != "":
			batch = append(batch, event)
			w.stats.succeed(w.region, kindWatch)
		}
		if event.Last {
			w.add(batch, event.Revision)
			batch = nil
		}
	}
	return fmt.Errorf("end of stream")
}

// add adds the events of one revision.
func (w *watcher) add(batch []api.Event, revision int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(batch) > 0 && revision <= w.position {
		w.t.Errorf("the watch from %s has events of revision %d after revision %d", w.region, revision, w.position)
	}
	w.position = max(w.position, revision)
	for _, event := range batch {
		if event.Revision != revision {
			w.t.Errorf("the watch from %s has an event of revision %d among those of %d", w.region, event.Revision, revision)
		}
		w.seen[event.GameID] = append(w.seen[event.GameID], event.Revision)
	}
}

// missing returns the acknowledged writes that the watch has not received.
func (w *watcher) missing() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var missing []string
	for game, revisions := range w.acked.all() {
		seen := map[int64]int{}
		for _, revision := range w.seen[game] {
			seen[revision]++
		}
		for _, revision := range revisions {
			if seen[revision] != 1 {
				missing = append(missing, fmt.Sprintf("%s at %d: %d events", game, revision, seen[revision]))
			}
		}
	}
	return missing
}
