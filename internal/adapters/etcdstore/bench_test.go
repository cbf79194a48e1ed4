package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// BenchmarkTransition compares UpdateStatus with the bare etcd transaction: the same
// compares and puts, sent by one writer that has every revision beforehand. roundtrips/op
// counts requests to etcd.
//
//	go test -run '^$' -bench Transition -count 6 ./internal/adapters/etcdstore
func BenchmarkTransition(b *testing.B) {
	for _, link := range []struct {
		name   string
		client func(testing.TB) *clientv3.Client
	}{{"tcp", etcdtest.Client}, {"inprocess", etcdtest.InProcess}} {
		b.Run("store="+link.name, func(b *testing.B) { benchmarkStore(b, link.client(b)) })
		b.Run("bare="+link.name, func(b *testing.B) { benchmarkBare(b, link.client(b)) })
	}
}

func benchmarkStore(b *testing.B, client *clientv3.Client) {
	ctx := b.Context()
	kv := faultkv.Wrap(client)
	store, err := etcdstore.Open(ctx, client, etcdstore.Options{Prefix: etcdtest.Prefix(b)})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	require.NoError(b, store.Upsert(ctx, runningRecord("game-1")))

	input := ports.UpdateStatusInput{GameID: "game-1", ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: "container-1", To: runtime.StatusStopped, Now: time.Now()}
	before := kv.Counts().Total()
	b.ReportAllocs()
	for b.Loop() {
		if err := store.UpdateStatus(ctx, input); err != nil {
			b.Fatal(err)
		}
		input.ExpectedFrom, input.To = input.To, input.ExpectedFrom
	}
	b.ReportMetric(float64(kv.Counts().Total()-before)/float64(b.N), "roundtrips/op")
}

// benchmarkBare sends the transaction of a transition, with values of the same size,
// taken from a record that the store has written.
func benchmarkBare(b *testing.B, client *clientv3.Client) {
	ctx := b.Context()
	prefix := etcdtest.Prefix(b)
	store, err := etcdstore.Open(ctx, client, etcdstore.Options{Prefix: prefix})
	require.NoError(b, err)
	require.NoError(b, store.Upsert(ctx, runningRecord("game-1")))
	require.NoError(b, store.Close())

	bare := newBareTransition(b, client, prefix, "game-1")
	b.ReportAllocs()
	for b.Loop() {
		if err := bare.send(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1, "roundtrips/op")
}

// bareTransition is the transaction of a transition, sent to etcd directly by the only
// writer of a game, which has every revision beforehand. Its values are those that the
// store has written.
type bareTransition struct {
	client                *clientv3.Client
	record, index, ledger string
	value, entry          string
	revision              int64
	from, to              string
	sent                  int
}

func newBareTransition(b *testing.B, client *clientv3.Client, prefix, game string) *bareTransition {
	b.Helper()
	t := &bareTransition{
		client: client, record: prefix + "/runtimes/" + game, index: prefix + "/runtimes-by-status/",
		ledger: prefix + "/transitions/" + game + "/", from: "running", to: "stopped",
	}
	result, err := client.Get(b.Context(), t.record)
	require.NoError(b, err)
	entry, err := client.Get(b.Context(), t.ledger+"01")
	require.NoError(b, err)
	t.value, t.entry = string(result.Kvs[0].GetValue()), string(entry.Kvs[0].GetValue())
	t.revision = result.Kvs[0].GetModRevision()
	return t
}

func (t *bareTransition) send(ctx context.Context) error {
	game := t.record[strings.LastIndex(t.record, "/"):]
	resp, err := t.client.Txn(ctx).
		If(clientv3.Compare(clientv3.ModRevision(t.record), "=", t.revision),
			clientv3.Compare(clientv3.Value(t.index+t.from+game), "=", "container-1"),
			clientv3.Compare(clientv3.CreateRevision(t.index+t.to+game), "=", 0),
			clientv3.Compare(clientv3.CreateRevision(t.index+"removed"+game), "=", 0)).
		Then(clientv3.OpDelete(t.index+t.from+game),
			clientv3.OpPut(t.record, t.value),
			clientv3.OpPut(t.index+t.to+game, "container-1"),
			clientv3.OpPut(t.ledger+fmt.Sprintf("%02d", t.sent%32), t.entry)).
		Else(clientv3.OpGet(t.record)).
		Commit()
	if err != nil {
		return err
	}
	if !resp.Succeeded {
		return errors.New("the bare transaction's compare failed")
	}
	t.revision = resp.Header.GetRevision()
	t.from, t.to = t.to, t.from
	t.sent++
	return nil
}

func runningRecord(gameID string) runtime.RuntimeRecord {
	now := time.Now().UTC()
	return runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: "eu-west", Node: "node-1",
		CurrentContainerID: "container-1", CurrentImageRef: "registry.example/games/engine:1.4.2",
		EngineEndpoint: "http://10.0.0.1:7777", StatePath: "/var/lib/games/" + gameID, DockerNetwork: "games",
		Generation: 1, CreatedAt: now, LastOpAt: now, StartedAt: &now,
	}
}
