package regions_test

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// requireCompleteWatches requires that every watch receives all writes acknowledged so far.
func (f *faultFixture) requireCompleteWatches(watchers []*watcher) {
	f.t.Helper()
	for _, w := range watchers {
		assert.Eventually(f.t, func() bool { return len(w.missing()) == 0 }, time.Minute, pause, "the watch from %s has not received each write once", w.region)
	}
}

// requireReadyNodes requires that every daemon lists every node as present.
func (f *faultFixture) requireReadyNodes() {
	f.t.Helper()
	for _, client := range f.clients {
		assert.Eventually(f.t, func() bool {
			var nodes api.Nodes
			f.get(client, "/v1/nodes", &nodes)
			return len(nodes.Items) >= len(f.clients) && !slices.ContainsFunc(nodes.Items, func(n api.Node) bool {
				return !n.IsReady() && n.Region != "none" // the node of the records without a daemon
			})
		}, recoveryTimeout, pause, "nodes are absent, observed from %s", client.region)
	}
}

func (f *faultFixture) requireConsistentStore() {
	f.t.Helper()
	var report api.Check
	f.get(f.clients[0], "/v1/fsck", &report)
	assert.NotZero(f.t, report.Records)
	assert.Empty(f.t, report.Findings)
}

// requireGamesAsRecorded starts the games. It requires that each running game has a process, that no other
// container has one, and that the daemons find nothing to correct.
func (f *faultFixture) requireGamesAsRecorded() {
	f.t.Helper()
	for _, client := range f.clients {
		client.do(f.t.Context(), kindOperation, "POST", "/v1/runtimes/"+gameOf(client.region)+"/start", map[string]any{"image": "gameserver:1.0.0"})
		assert.Eventually(f.t, func() bool {
			var explanation struct {
				Record   runtime.RuntimeRecord `json:"record"`
				Findings []any                 `json:"findings"`
			}
			f.get(client, "/v1/runtimes/"+gameOf(client.region)+"/explain", &explanation)
			isRunning := explanation.Record.Status == runtime.StatusRunning
			alive := f.daemons[client.region].LiveContainers()
			return isRunning && slices.Equal(alive, []string{explanation.Record.CurrentContainerID}) && len(explanation.Findings) == 0
		}, recoveryTimeout, time.Second, "the game of %s is not as recorded", client.region)
	}
}

// get reads a document, which stays as it is if the request fails.
func (f *faultFixture) get(client *faultClient, path string, document any) {
	if resp, ok := client.do(f.t.Context(), kindRead, "GET", path, nil); ok {
		assert.NoError(f.t, json.Unmarshal(resp.Body, document))
	}
}
