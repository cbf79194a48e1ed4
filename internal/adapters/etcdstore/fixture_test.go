package etcdstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// testTimeout is how long a test waits for a condition before it fails.
const testTimeout = time.Minute

// fixture is a store together with a plain client that reads and changes its keys
// directly.
type fixture struct {
	*etcdstore.Store
	t      *testing.T
	etcd   *clientv3.Client
	prefix string
}

// newFixture opens a store on the client, under a prefix of its own.
func newFixture(t *testing.T, client *clientv3.Client, opts etcdstore.Options) fixture {
	t.Helper()
	if opts.Prefix == "" {
		opts.Prefix = etcdtest.Prefix(t)
	}
	opts = inMode(t, opts)
	return fixture{Store: openStore(t, client, opts), t: t, etcd: client, prefix: opts.Prefix}
}

// sharedFixture opens a store in the package's server.
func sharedFixture(t *testing.T) fixture {
	t.Helper()
	return newFixture(t, etcdtest.InProcess(t), etcdstore.Options{})
}

// another opens a second store on the same keys, without faults.
func (r fixture) another() fixture {
	r.t.Helper()
	return newFixture(r.t, etcdtest.InProcess(r.t), etcdstore.Options{Prefix: r.prefix})
}

// uncached opens a second store on the same keys, which reads them all from etcd,
// including index keys, which a cache does not use.
func (r fixture) uncached() fixture {
	r.t.Helper()
	return newFixture(r.t, r.etcd, etcdstore.Options{Prefix: r.prefix, NoCache: true})
}

func openStore(t *testing.T, client *clientv3.Client, opts etcdstore.Options) *etcdstore.Store {
	t.Helper()
	store, err := etcdstore.Open(t.Context(), client, opts)
	require.NoError(t, err, "open the store under %q", opts.Prefix)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// putRaw writes a value under the store's prefix.
func (r fixture) putRaw(key, value string) int64 {
	r.t.Helper()
	resp, err := r.etcd.Put(r.t.Context(), r.prefix+key, value)
	require.NoError(r.t, err, "plant %s", key)
	return resp.Header.GetRevision()
}

// deleteRaw deletes one key under the store's prefix.
func (r fixture) deleteRaw(key string) int64 {
	r.t.Helper()
	resp, err := r.etcd.Delete(r.t.Context(), r.prefix+key)
	require.NoError(r.t, err, "delete %s", key)
	require.EqualValues(r.t, 1, resp.Deleted, "there was no key %s", key)
	return resp.Header.GetRevision()
}

// value returns the raw value of one key under the store's prefix.
func (r fixture) value(key string) string {
	r.t.Helper()
	values := r.dump()
	require.Contains(r.t, values, key)
	return values[key].value
}

// rawValue is a value in etcd with its last revision.
type rawValue struct {
	value    string
	revision int64
}

// dump returns every key below the store's prefix, without the prefix.
func (r fixture) dump() map[string]rawValue {
	r.t.Helper()
	return r.dumpAt(0)
}

func (r fixture) dumpAt(revision int64) map[string]rawValue {
	r.t.Helper()
	resp, err := r.etcd.Get(r.t.Context(), r.prefix+"/", clientv3.WithPrefix(), clientv3.WithRev(revision))
	require.NoError(r.t, err, "dump at revision %d", revision)
	values := make(map[string]rawValue, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		values[string(kv.GetKey())[len(r.prefix):]] = rawValue{string(kv.GetValue()), kv.GetModRevision()}
	}
	return values
}

func (r fixture) head() int64 {
	r.t.Helper()
	resp, err := r.etcd.Get(r.t.Context(), r.prefix+"/meta/schema")
	require.NoError(r.t, err)
	return resp.Header.GetRevision()
}

// waitForCache waits until the cache, if there is one, has reached the revision.
func (r fixture) waitForCache(revision int64) {
	r.t.Helper()
	require.NoError(r.t, r.Ready(r.t.Context()))
	require.Eventually(r.t, func() bool {
		stats := r.CacheStats()
		return !stats.Synced || stats.Revision >= revision
	}, testTimeout, time.Millisecond, "the cache does not reach revision %d", revision)
}

func (r fixture) put(rec runtime.RuntimeRecord) runtime.VersionedRecord {
	r.t.Helper()
	result, err := r.Put(r.t.Context(), ports.PutInput{Record: rec})
	require.NoError(r.t, err, "put %q", rec.GameID)
	return result
}

func (r fixture) transition(gameID string, from, to runtime.Status) runtime.VersionedRecord {
	r.t.Helper()
	result, err := r.Transition(r.t.Context(), ports.TransitionInput{UpdateStatusInput: transitionInput(gameID, from, to)})
	require.NoError(r.t, err, "move %q from %s to %s", gameID, from, to)
	return result
}

// overwrite upserts the game the given number of times.
func (r fixture) overwrite(gameID string, times int) {
	r.t.Helper()
	for range times {
		r.put(runningRecord(gameID))
	}
}

// operations returns the operation ids in the game's ledger, newest first.
func (r fixture) operations(gameID string) []string {
	r.t.Helper()
	entries, err := r.History(r.t.Context(), gameID)
	require.NoError(r.t, err)
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.OperationID)
	}
	return ids
}

func (r fixture) requireClean() {
	r.t.Helper()
	report, err := r.Check(r.t.Context(), false)
	require.NoError(r.t, err, "check")
	require.Empty(r.t, report.Findings, "check found broken rules")
}

func transitionInput(gameID string, from, to runtime.Status) ports.UpdateStatusInput {
	return ports.UpdateStatusInput{GameID: gameID, ExpectedFrom: from, To: to, Now: time.Now()}
}

func stopInput(gameID string) ports.UpdateStatusInput {
	return transitionInput(gameID, runtime.StatusRunning, runtime.StatusStopped)
}

// stoppedRecord is runningRecord after it was stopped.
func stoppedRecord(gameID string) runtime.RuntimeRecord {
	rec, err := runningRecord(gameID).Apply(runtime.StatusStopped, time.Now())
	if err != nil {
		panic(err)
	}
	return rec
}

// within returns a context that ends after the limit.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
