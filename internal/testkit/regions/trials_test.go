package regions_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/regions"
)

// trialFixture is a cluster of daemons with embedded members, with clients in every region
// that verify the promises of the store. Each region has two more games: the steady one runs
// during all faults, and the target one is restarted by probes.
type trialFixture struct {
	*faultFixture
	watchers []*watcher
	steady   map[string]string // the container of each region's steady game
}

func steadyOf(region string) string { return "steady-" + region }
func targetOf(region string) string { return "target-" + region }

func startTrialFixture(t *testing.T) *trialFixture {
	t.Helper()
	cluster, daemons := regions.StartEmbedded(t, regions.Far, "--node-ttl", "5s", "--reconcile-every", "2s"), map[string]*regions.Daemon{}
	for _, region := range regions.Names() {
		daemons[region] = cluster.Daemon(region)
	}
	f := &trialFixture{faultFixture: newFaultFixture(t, cluster, daemons), steady: map[string]string{}}
	var starts sync.WaitGroup
	for _, region := range regions.Names() {
		for _, game := range []string{steadyOf(region), targetOf(region)} {
			starts.Go(func() {
				resp, err := daemons[region].Do(t.Context(), http.MethodPost, "/v1/runtimes/"+game+"/start", map[string]any{"image": "gameserver:1.0.0"})
				if assert.NoError(t, err) {
					assert.Equal(t, http.StatusOK, resp.Status, "start %s: %s", game, resp.Body)
				}
			})
		}
	}
	starts.Wait()
	for _, region := range regions.Names() {
		f.steady[region] = f.record(t, region, steadyOf(region)).CurrentContainerID
	}
	stop, watchers := f.startClients()
	t.Cleanup(stop)
	f.watchers = watchers
	f.stats.repair() // nothing has failed yet
	f.recover()
	return f
}

// record returns a record, read from the daemon of the region.
func (f *trialFixture) record(t *testing.T, region, game string) (record runtime.RuntimeRecord) {
	t.Helper()
	resp, err := f.daemons[region].StableClient().Do(t.Context(), http.MethodGet, "/v1/runtimes/"+game, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.Status, "%s", resp.Body)
	require.NoError(t, json.Unmarshal(resp.Body, &record))
	return record
}

// probe is a request that a row of the table is about.
type probe struct {
	what, from   string
	method, path string
	body         any
}

// reads lists the linearizable reads from the daemon of the region.
func reads(from string) []probe {
	return []probe{
		{"get", from, http.MethodGet, "/v1/runtimes/" + recordOf(regions.US), nil},
		{"list", from, http.MethodGet, "/v1/runtimes", nil},
	}
}

// localReads lists the reads that the daemon of the region serves without its cluster.
func localReads(from string) []probe {
	return []probe{
		{"local get", from, http.MethodGet, "/v1/runtimes/" + recordOf(regions.US) + "?consistency=local", nil},
		{"local list", from, http.MethodGet, "/v1/runtimes?consistency=local", nil},
		{"members", from, http.MethodGet, "/v1/cluster/members", nil},
	}
}

// writes lists the writes to records without a game.
func writes(from string) []probe {
	id := "probe-" + from
	return []probe{{"put", from, http.MethodPut, "/v1/runtimes/" + id, stoppedRecord(id)}}
}

// operations lists operations on a game of another region.
func operations(from string, owners ...string) []probe {
	var probes []probe
	for _, owner := range owners {
		probes = append(probes, probe{"restart of a game of " + owner, from, http.MethodPost, "/v1/runtimes/" + targetOf(owner) + "/restart", map[string]any{}})
	}
	return probes
}

// try carries out a probe.
func (f *trialFixture) try(ctx context.Context, p probe) (regions.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	return f.daemons[p.from].StableClient().Do(ctx, p.method, p.path, p.body)
}

// requireSuccess requires that each probe succeeds, sooner or later.
func (f *trialFixture) requireSuccess(t *testing.T, probes ...[]probe) {
	t.Helper()
	f.each(slices.Concat(probes...), func(p probe) {
		var last string
		assert.Eventually(t, func() bool {
			resp, err := f.try(t.Context(), p)
			if err != nil {
				last = err.Error()
				return false
			}
			last = string(resp.Body)
			return resp.Status == http.StatusOK
		}, recoveryTimeout, pause, "%s from %s never succeeded", p.what, p.from)
		if t.Failed() {
			t.Logf("%s from %s: %s", p.what, p.from, last)
		}
	})
}

// requireRejection requires that each probe ends with one of the problem codes.
func (f *trialFixture) requireRejection(t *testing.T, codes []api.Code, probes ...[]probe) {
	t.Helper()
	f.each(slices.Concat(probes...), func(p probe) {
		startedAt := time.Now()
		resp, err := f.try(t.Context(), p)
		if !assert.NoError(t, err, "%s from %s has no response", p.what, p.from) {
			return
		}
		assert.Contains(t, codes, problemCode(resp), "%s from %s: %d %s", p.what, p.from, resp.Status, resp.Body)
		t.Logf("%s from %s: %d %s after %.1f s", p.what, p.from, resp.Status, problemCode(resp), time.Since(startedAt).Seconds())
	})
}

// each calls the function for all probes at the same time.
func (*trialFixture) each(probes []probe, check func(probe)) {
	var checks []func()
	for _, p := range probes {
		checks = append(checks, func() { check(p) })
	}
	together(checks...)
}

// together calls the functions at the same time, and waits until all have returned.
func together(checks ...func()) {
	var running sync.WaitGroup
	for _, check := range checks {
		running.Go(check)
	}
	running.Wait()
}

// noQuorum are the problem codes of requests that need a majority of the members.
func noQuorum() []api.Code { return []api.Code{api.CodeUnavailable, api.CodeOutcomeUnknown} }

// nodeLost are those of operations on a game whose node does not respond. The outcome is unknown
// if the connection ends after the request was sent.
func nodeLost() []api.Code { return []api.Code{api.CodeNodeUnreachable, api.CodeOutcomeUnknown} }

// requireUnready requires that the daemon of the region reports what it lacks.
func (f *trialFixture) requireUnready(t *testing.T, region, reason string) {
	t.Helper()
	assert.Eventually(t, func() bool {
		resp, err := f.daemons[region].StableClient().Do(t.Context(), http.MethodGet, "/readyz", nil)
		return err == nil && resp.Status == http.StatusServiceUnavailable && strings.Contains(string(resp.Body), reason)
	}, recoveryTimeout, pause, "the daemon of %s does not report %q", region, reason)
}

// requireNoInterruption requires that local reads and the open watch of the region have not failed
// since the start of the fault.
func (f *trialFixture) requireNoInterruption(t *testing.T, inside ...string) {
	t.Helper()
	for _, region := range inside {
		for _, k := range []kind{kindLocal, kindWatch} {
			assert.Empty(t, f.stats.failuresOf(region, k))
		}
	}
}

// requireCurrentWatches requires that the watches of the regions have received all writes that were
// acknowledged so far.
func (f *trialFixture) requireCurrentWatches(t *testing.T, inside ...string) {
	t.Helper()
	for _, w := range f.watchers {
		if slices.Contains(inside, w.region) {
			assert.Eventually(t, func() bool { return len(w.missing()) == 0 }, recoveryTimeout, pause, "the watch from %s lacks writes", w.region)
		}
	}
}

// requireSteadyGames requires that the steady games of the regions have never stopped.
func (f *trialFixture) requireSteadyGames(t *testing.T, inside ...string) {
	t.Helper()
	for _, region := range inside {
		assert.Contains(t, f.daemons[region].LiveContainers(), f.steady[region], "the steady game of %s does not run", region)
	}
}

// begin injects a fault.
func (f *trialFixture) begin(inject func()) {
	f.stats.start()
	inject()
}

// end ends the fault. Then everything recovers by itself, and nothing is lost.
func (f *trialFixture) end(t *testing.T, name string, repair func()) {
	t.Helper()
	f.requireSteadyGames(t, regions.Names()...)
	f.stats.repair()
	repair()
	f.requireRecovery(t)
	f.logTimes(t, name)
}

func (f *trialFixture) logTimes(t *testing.T, name string) {
	t.Helper()
	t.Logf("the longest time without success while the fault lasts, and the recovery since the start of the repair, from eu, us and ap:\n%s", f.stats.finish(name))
}

// requireRecovery requires that the cluster is whole.
func (f *trialFixture) requireRecovery(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return len(f.stats.outstanding()) == 0 }, recoveryTimeout, pause/2, "some requests have not succeeded since the end of the fault")
	f.requireReadyNodes()
	f.requireCurrentWatches(t, regions.Names()...)
	f.requireConsistentStore()
	f.requireSteadyGames(t, regions.Names()...)
	var probes []probe
	for _, region := range regions.Names() {
		for _, game := range []string{steadyOf(region), targetOf(region)} {
			probes = append(probes, probe{game, region, http.MethodGet, "/v1/runtimes/" + game + "/explain", nil})
		}
	}
	f.each(probes, func(p probe) { f.requireAsRecorded(t, p) })
}

// requireAsRecorded requires that a game runs in the container of its record, and that the daemon
// finds nothing to correct.
func (f *trialFixture) requireAsRecorded(t *testing.T, p probe) {
	t.Helper()
	var last []byte
	isRecorded := assert.Eventually(t, func() bool {
		resp, err := f.try(t.Context(), p)
		if err != nil {
			return false
		}
		last = resp.Body
		var explanation struct {
			Record   runtime.RuntimeRecord `json:"record"`
			Findings []any                 `json:"findings"`
		}
		return json.Unmarshal(resp.Body, &explanation) == nil && explanation.Record.Status == runtime.StatusRunning && len(explanation.Findings) == 0 &&
			slices.Contains(f.daemons[p.from].LiveContainers(), explanation.Record.CurrentContainerID)
	}, recoveryTimeout, pause, "the game %s is not as recorded", p.what)
	if !isRecorded {
		t.Logf("%s", last)
	}
}
