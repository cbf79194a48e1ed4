package daemon_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// documentedLeftovers are the families of keys that do not depend on the number of games: at most 256
// deletion epochs, and the reservations, which have one key for a node.
var documentedLeftovers = []string{"/meta/deletion-epochs/", "/reservations/"}

// keysOf returns the keys of all families with the prefix, without documentedLeftovers. It also returns, as
// KEY=VALUE, each key with a value that names the game.
func keysOf(t require.TestingT, etcd *clientv3.Client, prefix, gameID string) []string {
	found, err := etcd.Get(context.Background(), prefix+"/", clientv3.WithPrefix())
	require.NoError(t, err)
	var keys []string
	for _, kv := range found.Kvs {
		key := strings.TrimPrefix(string(kv.GetKey()), prefix)
		if !slices.ContainsFunc(documentedLeftovers, func(family string) bool { return strings.HasPrefix(key, family) }) {
			keys = append(keys, key)
		}
		if value := string(kv.GetValue()); strings.Contains(value, gameID) {
			keys = append(keys, key+"="+value)
		}
	}
	return keys
}

// Nothing of a deleted game remains: not in any family of keys, and not on its node.
func TestADeletedGameLeavesNothing(t *testing.T) {
	t.Parallel()
	const gameID = "zebra"
	settings := nodeSettings(t, "n1")["n1"]
	d := start(t, settings)
	etcd, err := clientv3.New(clientv3.Config{Endpoints: settings.EtcdEndpoints})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, etcd.Close()) })
	_, err = d.startGame(t, "other", "")
	require.NoError(t, err)
	before := keysOf(t, etcd, settings.EtcdPrefix, gameID)

	run := func(kind operation.Kind, change func(*httpclient.Operation)) error {
		request := operationOn(gameID, kind)
		change(&request)
		_, err := d.client.RunOperation(t.Context(), request, nil)
		return err
	}
	unchanged := func(*httpclient.Operation) {}
	require.Error(t, run(operation.KindStart, func(o *httpclient.Operation) { o.Spec = &operation.Spec{Image: "none:1"} }))
	require.NoError(t, run(operation.KindStart, func(o *httpclient.Operation) {
		o.Spec, o.Labels = sleepingGame(), map[string]string{"env": "prod"}
		o.Spec.RequestMemoryBytes = 1 << 20
		o.Spec.Ports = []operation.PortSpec{{Name: "play", Protocol: "udp"}}
	}))
	for range 3 {
		require.NoError(t, run(operation.KindRestart, unchanged))
	}
	require.NotEmpty(t, filesOf(t, settings.DataDir, gameID))
	require.NoError(t, d.client.ForceDelete(t.Context(), ports.DeleteInput{GameID: gameID}))
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		assert.Equal(t, before, keysOf(t, etcd, settings.EtcdPrefix, gameID))
	}, timeout, timeout/1000)
	require.Eventually(t, func() bool { return len(filesOf(t, settings.DataDir, gameID)) == 0 }, timeout, timeout/1000)
}

// filesOf returns the files and directories that have the game in their name.
func filesOf(t *testing.T, dir, gameID string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(filepath.Base(path), gameID) {
			files = append(files, path)
		}
		return nil // also after err: a file may be deleted at the same time
	})
	require.NoError(t, err)
	return files
}
