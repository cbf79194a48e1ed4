package etcdrollouts_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdrollouts"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

// fixture is a store with a valid fence.
type fixture struct {
	*etcdrollouts.Store

	client *clientv3.Client
	prefix string
	fence  node.Fence
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{client: etcdtest.InProcess(t), prefix: etcdtest.Prefix(t)}
	f.Store = etcdrollouts.New(f.client, etcdrollouts.Options{Prefix: f.prefix})
	resp, err := f.client.Put(t.Context(), f.prefix+"/leaders/x", "{}")
	require.NoError(t, err)
	f.fence = node.Fence{Key: f.prefix + "/leaders/x", CreateRevision: resp.Header.GetRevision()}
	return f
}

// create stores a rollout of count games.
func (f *fixture) create(t *testing.T, id string, count int) rollout.Rollout {
	t.Helper()
	games := make([]rollout.Game, count)
	for i := range games {
		games[i] = rollout.Game{GameID: fmt.Sprintf("g/%03d", i), State: rollout.GamePending}
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	created, err := f.CreateRollout(t.Context(), rollout.Rollout{
		ID: id, Spec: rollout.Spec{Image: "a:1", MaxParallel: 1}, State: rollout.StateRunning, Attempt: 1, CreatedAt: at, UpdatedAt: at, Counts: rollout.Count(games),
	}, games)
	require.NoError(t, err)
	return created
}

func (f *fixture) keys(t *testing.T) int64 {
	t.Helper()
	resp, err := f.client.Get(t.Context(), f.prefix+"/rollout", clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	return resp.Count
}

func TestRolloutIsStoredWithItsGames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	created := f.create(t, "ro-a", 250) // more than one transaction
	found, games, err := f.Rollout(t.Context(), "ro-a")
	require.NoError(t, err)
	require.Equal(t, created, found)
	require.Len(t, games, 250)
	require.Equal(t, rollout.Game{GameID: "g/007", State: rollout.GamePending}, games[7])
	require.EqualValues(t, 251, f.keys(t))

	_, err = f.CreateRollout(t.Context(), rollout.Rollout{ID: "ro-a"}, nil)
	require.ErrorIs(t, err, runtime.ErrConflict)
	f.create(t, "ro-b", 1)
	list, err := f.Rollouts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"ro-a", "ro-b"}, []string{list[0].ID, list[1].ID})

	for range 2 {
		require.NoError(t, f.DeleteRollout(t.Context(), "ro-a"))
	}
	_, _, err = f.Rollout(t.Context(), "ro-a")
	require.ErrorIs(t, err, rollout.ErrNotFound)
	require.EqualValues(t, 2, f.keys(t), "the games of the other rollout remain")
	_, _, err = f.Rollout(t.Context(), "../x")
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

// Progress is stored only by the leader, and only on the rollout that it has read: a pause in the meantime
// rejects it, with its games.
func TestProgressIsComparedAndFenced(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	seen := f.create(t, "ro-a", 2)
	begun := []rollout.Game{{GameID: "g/000", State: rollout.GameUpdating}}
	pause := func(r *rollout.Rollout) error { r.State = rollout.StatePaused; return nil }
	paused, err := f.UpdateRollout(t.Context(), "ro-a", pause)
	require.NoError(t, err)
	_, err = f.PutProgress(t.Context(), seen, begun, f.fence)
	require.ErrorIs(t, err, runtime.ErrConflict)
	unchanged, err := f.UpdateRollout(t.Context(), "ro-a", pause)
	require.NoError(t, err)
	require.Equal(t, paused, unchanged, "a change that changes nothing writes nothing")

	former := f.fence
	former.CreateRevision--
	_, err = f.PutProgress(t.Context(), paused, begun, former)
	require.ErrorIs(t, err, runtime.ErrFenced)
	_, games, err := f.Rollout(t.Context(), "ro-a")
	require.NoError(t, err)
	require.Equal(t, rollout.GamePending, games[0].State)

	stored, err := f.PutProgress(t.Context(), paused, begun, f.fence)
	require.NoError(t, err)
	found, games, err := f.Rollout(t.Context(), "ro-a")
	require.NoError(t, err)
	require.Equal(t, stored, found)
	require.Equal(t, rollout.GameUpdating, games[0].State)

	errStop := errors.New("stop")
	_, err = f.UpdateRollout(t.Context(), "ro-a", func(*rollout.Rollout) error { return errStop })
	require.ErrorIs(t, err, errStop)
	require.NoError(t, f.DeleteRollout(t.Context(), "ro-a"))
	_, err = f.PutProgress(t.Context(), stored, nil, f.fence)
	require.ErrorIs(t, err, rollout.ErrNotFound)
}

// A deletion that is slower than another one leaves a later rollout of the same id and its games.
func TestDeletionSparesALaterRollout(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(t, "ro-a", 2)
	client := etcdtest.InProcess(t)
	slow := etcdrollouts.New(client, etcdrollouts.Options{Prefix: f.prefix})
	faultkv.Wrap(client).OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		assert.NoError(t, f.DeleteRollout(ctx, "ro-a"))
		f.create(t, "ro-a", 2)
		return send(ctx)
	})
	require.NoError(t, slow.DeleteRollout(t.Context(), "ro-a"))
	require.EqualValues(t, 3, f.keys(t))
}

// Members that a newer version has stored survive a write, and a corrupt value does not hide others.
func TestUnknownMembersSurvive(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create(t, "ro-a", 1)
	for _, key := range []string{"/rollouts/ro-a", "/rollout-games/ro-a/g%2F000"} {
		resp, err := f.client.Get(t.Context(), f.prefix+key)
		require.NoError(t, err)
		require.Len(t, resp.Kvs, 1, key)
		_, err = f.client.Put(t.Context(), f.prefix+key, `{"newer":{"a":1},`+string(resp.Kvs[0].Value[1:]))
		require.NoError(t, err)
	}
	_, err := f.client.Put(t.Context(), f.prefix+"/rollouts/ro-b", "{")
	require.NoError(t, err)
	current, games, err := f.Rollout(t.Context(), "ro-a")
	require.NoError(t, err)
	games[0].State = rollout.GameUpdated
	_, err = f.PutProgress(t.Context(), current, games, f.fence)
	require.NoError(t, err)
	for _, key := range []string{"/rollouts/ro-a", "/rollout-games/ro-a/g%2F000"} {
		resp, err := f.client.Get(t.Context(), f.prefix+key)
		require.NoError(t, err)
		require.Contains(t, string(resp.Kvs[0].Value), `"newer":{"a":1}`)
	}
	list, err := f.Rollouts(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, _, err = f.Rollout(t.Context(), "ro-b")
	require.ErrorIs(t, err, runtime.ErrCorrupt)
}

// A follower is called at first and after each change.
func TestFollow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	calls := make(chan struct{}, 100)
	go func() { _ = f.FollowRollouts(t.Context(), func() { calls <- struct{}{} }) }()
	<-calls
	f.create(t, "ro-a", 1)
	<-calls
}
