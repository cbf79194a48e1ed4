package embeddedetcd

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/proxy/grpcproxy/adapter"

	"galaxy/rtmanager/internal/etcd"
)

// startMember starts a single member, which elects itself fast.
func startMember(t *testing.T) *Member {
	t.Helper()
	member, err := Start(t.Context(), Config{
		DataDir: t.TempDir(), ListenClientURL: "http://127.0.0.1:0",
		TickInterval: 10 * time.Millisecond, ElectionTimeout: 50 * time.Millisecond,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, member.Close()) })
	return member
}

// On a full disk a member accepts writes with etcd.UseReserve, small ones within a budget.
func TestWritesOnAFullDisk(t *testing.T) {
	t.Parallel()
	member := startMember(t)
	kv := newGuardedKV(member.etcd.Server, member.gate, member.client, func() bool { return true })
	plain, reserved := t.Context(), etcd.UseReserve(t.Context())
	put := []clientv3.Op{clientv3.OpPut("key", strings.Repeat("x", 1000))}
	large := []clientv3.Op{clientv3.OpPut("key", strings.Repeat("x", reserveMaxTxn))}

	_, err := kv.Txn(plain).Then(put...).Commit()
	require.ErrorIs(t, err, rpctypes.ErrNoSpace)
	_, err = kv.Txn(plain).Then(clientv3.OpTxn(nil, put, nil)).Commit()
	require.ErrorIs(t, err, rpctypes.ErrNoSpace, "nested")
	_, err = kv.Txn(reserved).Then(put...).Commit()
	require.NoError(t, err)
	_, err = kv.Txn(reserved).Then(large...).Commit()
	require.ErrorIs(t, err, rpctypes.ErrNoSpace, "larger than any record")

	accepted := 0
	for err = nil; err == nil; accepted++ {
		_, err = kv.Txn(reserved).Then(put...).Commit()
	}
	require.ErrorIs(t, err, rpctypes.ErrNoSpace, "the budget is used up")
	require.Greater(t, accepted, 100)
	_, err = kv.Txn(plain).Then(clientv3.OpDelete("key")).Commit()
	require.NoError(t, err)
}

// A member that was removed from its cluster stops by itself, while its daemon still uses the client.
func TestReadsOfAMemberThatHasStopped(t *testing.T) {
	t.Parallel()
	member := startMember(t)
	_, err := member.client.Get(t.Context(), "key", clientv3.WithSerializable())
	require.NoError(t, err)

	member.etcd.Server.Stop() // it has closed the database then
	_, err = member.client.Get(t.Context(), "key", clientv3.WithSerializable())
	require.ErrorIs(t, err, rpctypes.ErrStopped)
	_, err = member.client.Put(t.Context(), "key", "value")
	require.ErrorIs(t, err, rpctypes.ErrStopped)
}

// A member without a leader serves reads of its own data, alone or in a transaction.
func TestReadsWithoutALeader(t *testing.T) {
	t.Parallel()
	member := startMember(t)
	never := func() bool { return false }
	guarded := newGuardedServer(v3rpc.NewQuotaKVServer(member.etcd.Server), never, never, never)
	kv := clientv3.NewKVFromKVClient(adapter.KvServerToKvClient(guarded), member.client)
	get := func(opts ...clientv3.OpOption) error {
		_, err := kv.Get(t.Context(), "key", opts...)
		return err
	}
	getInTxn := func(opts ...clientv3.OpOption) error {
		_, err := kv.Txn(t.Context()).Then(clientv3.OpGet("key", opts...), clientv3.OpGet("other", opts...)).Commit()
		return err
	}
	for _, read := range []func(...clientv3.OpOption) error{get, getInTxn} {
		require.ErrorIs(t, read(), rpctypes.ErrNoLeader)
		require.NoError(t, read(clientv3.WithSerializable()))
	}
	_, err := kv.Txn(t.Context()).Then(clientv3.OpPut("key", "value")).Commit()
	require.ErrorIs(t, err, rpctypes.ErrNoLeader)
}
