package traffic_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/traffic"
)

// errNoEtcd is the error of a store that etcd does not serve.
var errNoEtcd = errors.New("etcd does not respond")

// emptyStore has no records. While etcd does not serve it, only local reads succeed.
type emptyStore struct {
	isServed atomic.Bool
	failed   atomic.Int64 // requests that were not served
}

func (s *emptyStore) outcome(served error) error {
	if s.isServed.Load() {
		return served
	}
	s.failed.Add(1)
	return errNoEtcd
}

func (s *emptyStore) GetVersioned(context.Context, string) (runtime.VersionedRecord, error) {
	return runtime.VersionedRecord{}, s.outcome(runtime.ErrNotFound)
}

func (s *emptyStore) GetLocal(context.Context, string) (runtime.VersionedRecord, int64, error) {
	return runtime.VersionedRecord{}, 1, runtime.ErrNotFound
}

func (s *emptyStore) ListPage(_ context.Context, query ports.PageQuery) (ports.Page, error) {
	if query.Local {
		return ports.Page{Revision: 1}, nil
	}
	return ports.Page{Revision: 1}, s.outcome(nil)
}

func (s *emptyStore) Put(context.Context, ports.PutInput) (runtime.VersionedRecord, error) {
	return runtime.VersionedRecord{}, s.outcome(runtime.ErrInvalid)
}

func (s *emptyStore) Transition(context.Context, ports.TransitionInput) (runtime.VersionedRecord, error) {
	return runtime.VersionedRecord{}, s.outcome(runtime.ErrNotFound)
}

func (s *emptyStore) Delete(context.Context, ports.DeleteInput) error {
	return s.outcome(runtime.ErrNotFound)
}

func (s *emptyStore) History(context.Context, string) ([]runtime.LedgerEntry, error) {
	return nil, s.outcome(runtime.ErrNotFound)
}

// Watch returns a stream that delivers nothing.
func (s *emptyStore) Watch(ctx context.Context, _ ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		<-ctx.Done()
		yield(ports.RuntimeEvent{}, ctx.Err())
	}
}

// startTraffic starts clients of the store, which make a call each millisecond.
func startTraffic(t *testing.T, store traffic.Store) (*traffic.Traffic, *recording.Writer) {
	t.Helper()
	record, err := recording.Create(t.TempDir())
	require.NoError(t, err)
	return traffic.Start(t.Context(), record, traffic.Config{Run: "r", Stores: []traffic.Store{store}, Pause: time.Millisecond, ReadersPerStore: 2, BurstsPerStore: 2}), record
}

// decidedKinds returns the kinds of calls, as isWrite, that the store has decided for each client.
func decidedKinds(t *testing.T, record *recording.Writer) map[string]map[bool]bool {
	t.Helper()
	require.NoError(t, record.Finish(recording.Run{}))
	recorded, err := recording.Read(record.Dir())
	require.NoError(t, err)
	decided := map[string]map[bool]bool{}
	for _, call := range recorded.Calls {
		if decided[call.Client] == nil {
			decided[call.Client] = map[bool]bool{}
		}
		if !call.Local && call.Outcome != recording.Unavailable {
			decided[call.Client][call.Method.IsWrite()] = true
		}
	}
	return decided
}

func TestClientsContinueUntilTheirCallsSucceed(t *testing.T) {
	t.Parallel()
	store := &emptyStore{}
	clients, record := startTraffic(t, store)
	require.Eventually(t, func() bool { return store.failed.Load() > 100 }, time.Minute, time.Millisecond)
	clients.RequireRecovery(time.Minute)
	stopped := make(chan []string)
	go func() { stopped <- clients.StopCalls(t.Context()) }()
	before := store.failed.Load()
	require.Eventually(t, func() bool { return store.failed.Load() > before+100 }, time.Minute, time.Millisecond, "clients have stopped without a success")
	store.isServed.Store(true)
	require.Empty(t, <-stopped)
	require.True(t, clients.StopWatches())
	decided := decidedKinds(t, record)
	require.Equal(t, map[string]map[bool]bool{
		"client-store-0-0": {true: true, false: true}, "client-store-0-1": {true: true, false: true},
		"reader-0": {false: true}, "reader-1": {false: true}, "burst-0": {true: true}, "burst-1": {true: true},
	}, decided)
}

func TestClientsStopWhenTheTimeOfTheRecoveryIsOver(t *testing.T) {
	t.Parallel()
	store := &emptyStore{}
	clients, record := startTraffic(t, store)
	clients.RequireRecovery(time.Millisecond)
	require.Empty(t, clients.StopCalls(t.Context()))
	require.True(t, clients.StopWatches())
	for client, kinds := range decidedKinds(t, record) {
		require.Empty(t, kinds, client)
	}
}

func TestLateWatchersAreNamed(t *testing.T) {
	t.Parallel()
	store := &emptyStore{}
	store.isServed.Store(true)
	clients, _ := startTraffic(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, []string{"watcher-store-0-0 has revision 0 of 5", "watcher-store-0-1 has revision 0 of 5"}, clients.AwaitWatchers(ctx, 5))
	require.Empty(t, clients.AwaitWatchers(ctx, 0))
	require.Empty(t, clients.StopCalls(t.Context()))
	require.True(t, clients.StopWatches())
}
