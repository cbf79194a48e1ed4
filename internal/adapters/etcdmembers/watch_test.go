package etcdmembers_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// watched is what a watch has yielded.
type watched struct {
	t     *testing.T
	lists chan []node.Node
	ends  chan error
	leave context.CancelFunc
}

func watch(t *testing.T, registry *etcdmembers.Registry) watched {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	w := watched{t: t, lists: make(chan []node.Node, 100), ends: make(chan error, 1), leave: cancel}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for nodes, err := range registry.WatchNodes(ctx) {
			if err != nil {
				w.ends <- err
				return
			}
			w.lists <- nodes
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

// next wants the next list to hold these names.
func (w watched) next(names ...string) {
	w.t.Helper()
	require.Equal(w.t, append([]string{}, names...), namesOf(receive(w.t, w.lists, "a list of "+strings.Join(names, ", "))))
}

func TestWatchSeesJoinLeaveAndLoss(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := watch(t, r.registry(nil, longTTL))
	w.next()
	client, proxy := behindProxy(t)
	r.join(r.registry(client, shortTTL), self("n2"))
	w.next("eu/n2")
	first := r.join(r.registry(nil, longTTL), self("n1"))
	w.next("eu/n1", "eu/n2")
	require.NoError(t, first.Close())
	w.next("eu/n2")
	proxy.freeze()
	w.next()
	w.leave()
	require.ErrorIs(t, receive(t, w.ends, "the end"), context.Canceled)
}

// TestWatchSaysNothingTwice looks often while nothing changes.
func TestWatchSaysNothingTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client := etcdtest.InProcess(t)
	reads := &countedReads{KV: client.KV, seen: make(chan struct{}, 1000)}
	client.KV = reads
	r.join(r.registry(nil, longTTL), self("n1"))
	w := watch(t, r.registry(client, shortTTL/10))
	w.next("eu/n1")
	for range 5 {
		receive(t, reads.seen, "a look")
	}
	r.plant("/nodesbeside", "")
	require.Empty(t, w.lists)
	r.join(r.registry(nil, longTTL), self("n2"))
	w.next("eu/n1", "eu/n2")
}

type countedReads struct {
	clientv3.KV
	seen chan struct{}
}

func (c *countedReads) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	resp, err := c.KV.Get(ctx, key, opts...)
	c.seen <- struct{}{}
	return resp, err
}

// TestWatchSurvivesEtcd restarts etcd, and compacts what the watch would go on from.
func TestWatchSurvivesEtcd(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	r := rig{t: t, etcd: server.Client(), prefix: etcdtest.Prefix(t)}
	w := watch(t, r.registry(server.Client(), shortTTL))
	w.next()
	for _, names := range [][]string{{"eu/n1"}, {"eu/n1", "eu/n2"}} {
		server.Restart()
		r.plant("/nodes/eu/filler", "") // so that there is something to compact
		resp, err := r.etcd.Delete(t.Context(), r.prefix+"/nodes/eu/filler")
		require.NoError(t, err)
		_, err = r.etcd.Compact(t.Context(), resp.Header.GetRevision())
		require.NoError(t, err)
		r.join(r.registry(server.Client(), longTTL), self(names[len(names)-1][3:]))
		w.next(names...)
	}
}

// TestWatchThatIsSilentDoesNoHarm has the watches never say a word, and then
// break at once.
func TestWatchThatIsSilentDoesNoHarm(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]bool{"silent": false, "broken": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			client := etcdtest.InProcess(t)
			client.Watcher = uselessWatcher{client.Watcher, broken}
			registry := etcdmembers.New(r.etcd, etcdmembers.Options{Prefix: r.prefix, LeaseTTL: shortTTL, WatchClient: client})
			w := watch(t, registry)
			w.next()
			m := r.join(registry, self("n1"))
			w.next("eu/n1")
			l := lead(t, m, "eu")
			receive(t, l.begun, "a leadership")
			r.uproot("/leaders/eu")
			receive(t, l.ended, "the end of it")
		})
	}
}

type uselessWatcher struct {
	clientv3.Watcher
	broken bool
}

func (w uselessWatcher) Watch(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan {
	responses := make(chan clientv3.WatchResponse)
	if w.broken {
		close(responses)
	}
	return responses
}

func TestWatchWithoutEtcdSaysSo(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client()
	server.Stop()
	registry := etcdmembers.New(client, etcdmembers.Options{CallTimeout: shortTTL / 10, OperationTimeout: shortTTL / 2})
	w := watch(t, registry)
	require.ErrorIs(t, receive(t, w.ends, "the end"), runtime.ErrUnavailable)
	_, err := registry.Nodes(t.Context())
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	_, _, err = registry.Leader(t.Context(), "eu")
	require.ErrorIs(t, err, runtime.ErrUnavailable)
}

func TestConsumerMayStopAndMayKeepWhatItGot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.join(r.registry(nil, longTTL), self("n1"))
	next, stop := iter.Pull2(r.registry(nil, longTTL).WatchNodes(t.Context()))
	defer stop()
	nodes, err, ok := next()
	require.True(t, ok)
	require.NoError(t, err)
	nodes[0].Name = "spoilt"
	r.join(r.registry(nil, longTTL), self("n2"))
	more, err, _ := next()
	require.NoError(t, err)
	require.Equal(t, []string{"eu/n1", "eu/n2"}, namesOf(more))
	for range r.registry(nil, longTTL).WatchNodes(t.Context()) {
		break
	}
	require.True(t, slices.Contains(r.names(), "eu/n2"))
}
