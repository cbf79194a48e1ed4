package etcdstore_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/modeltest"
	"galaxy/rtmanager/internal/testkit/storetest"
)

// TestConformance runs every contract test over both kinds of client and in every mode.
func TestConformance(t *testing.T) {
	for name, run := range map[string]struct {
		client  func(testing.TB) *clientv3.Client
		options etcdstore.Options
	}{
		"tcp":              {etcdtest.Client, modes["cache+group"]},
		"in process":       {etcdtest.InProcess, modes["cache+group"]},
		"cache":            {etcdtest.InProcess, modes["cache"]},
		"group over tcp":   {etcdtest.Client, modes["group"]},
		"group in process": {etcdtest.InProcess, modes["group"]},
		"plain":            {etcdtest.InProcess, modes["plain"]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, harness(func(t *testing.T) *clientv3.Client { return run.client(t) }, run.options))
		})
	}
}

// TestModel compares the store with the model on random programs; modeltest names the
// environment variables that enlarge it. The programs compact, so they have a server of
// their own.
func TestModel(t *testing.T) {
	for name, options := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := etcdtest.Start(t).InProcess()
			modeltest.Run(t, harness(func(*testing.T) *clientv3.Client { return client }, options), 4, 100)
		})
	}
}

func harness(client func(*testing.T) *clientv3.Client, options etcdstore.Options) storetest.Harness {
	options.ProbeInterval = 200 * time.Millisecond
	open := func(t *testing.T, client *clientv3.Client) storetest.Store { return newFixture(t, client, options) }
	return storetest.Harness{
		Open:         func(t *testing.T) storetest.Store { return open(t, client(t)) },
		OpenIsolated: func(t *testing.T) storetest.Store { return open(t, etcdtest.Start(t).Client()) },
		Compact: func(t *testing.T, store storetest.Store, revision int64) {
			_, err := store.(fixture).etcd.Compact(t.Context(), revision)
			require.NoError(t, err, "compact at %d", revision)
		},
		Delete:     func(t *testing.T, store storetest.Store, gameID string) { deleteGame(t, store.(fixture), gameID) },
		Conditions: func(store storetest.Store) ports.ConditionWriter { return store.(fixture).Store },
		NewModel:   func() storetest.Model { return memstore.New() },
		Fences: &storetest.Fences{
			Grant: func(t *testing.T, store storetest.Store) node.Fence {
				r := store.(fixture)
				return node.Fence{Key: r.prefix + "/leaders/test", CreateRevision: r.putRaw("/leaders/test", "me")}
			},
			Revoke: func(_ *testing.T, store storetest.Store, _ node.Fence) { store.(fixture).deleteRaw("/leaders/test") },
		},
	}
}

// deleteGame deletes a game as an operator could with etcdctl.
func deleteGame(t *testing.T, r fixture, gameID string) {
	t.Helper()
	ops := []clientv3.Op{
		clientv3.OpDelete(r.prefix + "/runtimes/" + url.PathEscape(gameID)),
		clientv3.OpDelete(r.prefix+"/transitions/"+url.PathEscape(gameID)+"/", clientv3.WithPrefix()),
	}
	for _, status := range runtime.Statuses() {
		ops = append(ops, clientv3.OpDelete(r.prefix+"/runtimes-by-status/"+string(status)+"/"+url.PathEscape(gameID)))
	}
	_, err := r.etcd.Txn(t.Context()).Then(ops...).Commit()
	require.NoError(t, err, "delete %q", gameID)
}

func TestIdentityIsStableAndOfOnePrefix(t *testing.T) {
	t.Parallel()
	first := sharedFixture(t)
	second := first.another()
	require.Equal(t, storeID(t, first), storeID(t, second), "two stores on one prefix")
	require.NotEqual(t, storeID(t, first), storeID(t, sharedFixture(t)), "stores on two prefixes")
	trailing := newFixture(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: first.prefix + "/"})
	require.Equal(t, storeID(t, first), storeID(t, trailing), "a slash at the end of the prefix makes no difference")
}

func TestIdentityIsOfOneCluster(t *testing.T) {
	t.Parallel()
	first := sharedFixture(t)
	otherCluster := newFixture(t, etcdtest.Start(t, func(cfg *embed.Config) { cfg.InitialClusterToken = "elsewhere" }).InProcess(), etcdstore.Options{})
	otherCluster.putRaw("/meta/schema", first.value("/meta/schema"))
	transitioned := newFixture(t, otherCluster.etcd, etcdstore.Options{Prefix: otherCluster.prefix})
	require.NotEqual(t, storeID(t, first), storeID(t, transitioned), "the schema key was copied to another cluster")
}

func storeID(t *testing.T, r fixture) string {
	t.Helper()
	info, err := r.Info(t.Context())
	require.NoError(t, err)
	return info.ID
}

func TestManyOpensAtOnceAgreeOnTheIdentity(t *testing.T) {
	t.Parallel()
	client, prefix := etcdtest.InProcess(t), etcdtest.Prefix(t)
	ids := make(chan string, 8)
	failures := make(chan error, 8)
	for range cap(ids) {
		go func() {
			store, err := etcdstore.Open(t.Context(), client, etcdstore.Options{Prefix: prefix})
			if err != nil {
				failures <- err
				ids <- ""
				return
			}
			failures <- store.Close()
			ids <- store.ID()
		}()
	}
	want := <-ids
	for range cap(ids) - 1 {
		require.Equal(t, want, <-ids)
	}
	for range cap(ids) {
		require.NoError(t, <-failures)
	}
}

func TestOpenRejectsUnreadableSchemas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		schema string
		want   error
	}{
		"a newer layout":          {`{"version":3,"store_id":"x"}`, runtime.ErrIncompatible},
		"the layout of version 1": {`{"layout":1,"store_id":"x"}`, runtime.ErrIncompatible},
		"an older layout":         {`{"version":1,"store_id":"x"}`, runtime.ErrIncompatible},
		"no JSON":                 {`layout one`, runtime.ErrCorrupt},
		"an empty value":          {``, runtime.ErrCorrupt},
		"no identity":             {`{"version":2}`, runtime.ErrCorrupt},
		"no layout":               {`{"store_id":"x"}`, runtime.ErrCorrupt},
		"a layout of text":        {`{"version":"2","store_id":"x"}`, runtime.ErrCorrupt},
		"a list":                  {`[1]`, runtime.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, prefix := etcdtest.InProcess(t), etcdtest.Prefix(t)
			r := fixture{t: t, etcd: client, prefix: prefix}
			r.putRaw("/meta/schema", c.schema)
			before := r.dump()
			store, err := etcdstore.Open(t.Context(), client, etcdstore.Options{Prefix: prefix})
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, prefix+"/meta/schema")
			require.Nil(t, store)
			require.Equal(t, before, r.dump(), "Open changed a schema that it rejected")
		})
	}
}

func TestOpenOfAnUnreachableEtcdEndsInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a second")
	}
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client()
	server.Stop()

	start := time.Now()
	_, err := etcdstore.Open(t.Context(), client, etcdstore.Options{CallTimeout: 50 * time.Millisecond, OperationTimeout: time.Second})
	require.ErrorIs(t, err, runtime.ErrUnavailable, "by OperationTimeout")
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller set no deadline")
	require.Less(t, time.Since(start), testTimeout/4)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = etcdstore.Open(ctx, client, etcdstore.Options{CallTimeout: 50 * time.Millisecond})
	require.ErrorIs(t, err, context.DeadlineExceeded, "by the caller's deadline")
}

func TestUnreachableLaterIsUnavailable(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a second")
	}
	t.Parallel()
	server := etcdtest.Start(t)
	r := newFixture(t, server.Client(), etcdstore.Options{CallTimeout: 500 * time.Millisecond, OperationTimeout: 2 * time.Second})
	result := r.put(runningRecord("game"))
	server.Stop()

	_, err := r.Get(t.Context(), "game")
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	stop := ports.TransitionInput{UpdateStatusInput: stopInput("game"), Origin: ports.Origin{OperationID: opID}}
	_, err = r.Transition(t.Context(), stop)
	require.True(t, errors.Is(err, runtime.ErrUnavailable) || errors.Is(err, runtime.ErrOutcomeUnknown), "a base from the cache is written without a read: %v", err)
	_, err = r.List(t.Context())
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	_, err = r.Info(t.Context())
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	for _, err := range r.Watch(t.Context(), ports.WatchOptions{}) {
		require.ErrorIs(t, err, runtime.ErrUnavailable)
	}

	server.Restart()
	require.Eventually(t, func() bool {
		found, err := r.GetVersioned(t.Context(), "game")
		return err == nil && found.Revision == result.Revision
	}, testTimeout, 10*time.Millisecond, "the store did not recover with etcd")
}

func TestCloseEndsCallsAndWatches(t *testing.T) {
	t.Parallel()
	client, block := newFaultyClient(t)
	r := newFixture(t, client, etcdstore.Options{})
	r.put(runningRecord("game"))

	entered := make(chan struct{})
	block.OnWrite(func(ctx context.Context, _ int, _ faultkv.Send) (*clientv3.TxnResponse, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	write := make(chan error, 1)
	go func() { write <- r.UpdateStatus(t.Context(), stopInput("game")) }()
	synced, watch := make(chan struct{}), make(chan error, 1)
	go func() {
		for event, err := range r.Watch(t.Context(), ports.WatchOptions{}) {
			if event.Type == ports.EventSynced {
				close(synced)
			}
			if err != nil {
				watch <- err
			}
		}
	}()
	<-entered
	<-synced

	require.NoError(t, r.Close())
	require.ErrorIs(t, <-write, runtime.ErrOutcomeUnknown, "the write in flight was sent and had no response")
	require.ErrorIs(t, <-watch, runtime.ErrUnavailable)
	require.NoError(t, r.Close(), "the second time")
	_, err := r.Get(t.Context(), "game")
	require.ErrorIs(t, err, runtime.ErrUnavailable, "a call after Close")
	require.NotErrorIs(t, err, context.Canceled, "the caller's context has not ended")
	for _, err := range r.Watch(t.Context(), ports.WatchOptions{}) {
		require.ErrorIs(t, err, runtime.ErrUnavailable, "a watch after Close")
	}
	_, err = client.Get(t.Context(), "anything")
	require.NoError(t, err, "the caller keeps the client")
}
