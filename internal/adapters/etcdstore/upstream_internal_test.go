package etcdstore

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// closedWatcher has watches that are over at once, and counts who asks on them.
type closedWatcher struct {
	clientv3.Watcher
	asked int
}

func (w *closedWatcher) Watch(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan {
	over := make(chan clientv3.WatchResponse)
	close(over)
	return over
}

func (w *closedWatcher) RequestProgress(context.Context) error {
	w.asked++
	return nil
}

// An upstream may end while its silence is looked into. To ask on it then would
// have the client open its stream anew, with nobody there to ever close it.
func TestUpstreamThatIsOverIsNotAsked(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	watcher := &closedWatcher{Watcher: client.Watcher}
	client.Watcher = watcher
	store, err := Open(t.Context(), client, Options{Prefix: etcdtest.Prefix(t)})
	require.NoError(t, err)
	defer store.Close()

	up := store.openUpstream(t.Context(), 1, true)
	defer up.close()
	<-up.done
	require.ErrorIs(t, up.probe(t.Context(), 1), errBroken, "etcd has moved on, and the upstream cannot tell how far it has come")
	require.Zero(t, watcher.asked, "requests for progress")
}
