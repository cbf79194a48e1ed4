package embeddedetcd_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
)

func dial(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestMemberServesInProcessAndOnItsPort(t *testing.T) {
	t.Parallel()
	member := start(t, config(t.TempDir()))
	_, err := member.Client().Put(t.Context(), "key", "value")
	require.NoError(t, err)

	u, err := url.Parse(member.ClientURL())
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", u.Hostname())
	require.NotEqual(t, "0", u.Port())

	client := dial(t, member.ClientURL())
	got, err := client.Get(t.Context(), "key")
	require.NoError(t, err)
	require.Equal(t, "value", string(got.Kvs[0].GetValue()))

	members, err := client.MemberList(t.Context())
	require.NoError(t, err)
	require.Len(t, members.Members, 1)
	require.Equal(t, []string{member.ClientURL()}, members.Members[0].GetClientURLs(), "the advertised URL must be the bound one")
}

func TestMemberRejectsAForeignHost(t *testing.T) {
	t.Parallel()
	member := start(t, config(t.TempDir()))
	for host, status := range map[string]int{"": http.StatusOK, "attacker.example": http.StatusMisdirectedRequest} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, member.ClientURL()+"/version", nil)
		require.NoError(t, err)
		request.Host = host
		request.Close = true
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, "GET /version with Host %q", host)
	}
}

func TestRestartKeepsDataOnOtherPorts(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir())
	first := start(t, cfg)
	_, err := first.Client().Put(t.Context(), "key", "value")
	require.NoError(t, err)
	before := onlyMember(t, first)
	require.NoError(t, first.Close())

	second := start(t, cfg)
	got, err := second.Client().Get(t.Context(), "key")
	require.NoError(t, err)
	require.EqualValues(t, 1, got.Count)

	after := onlyMember(t, second)
	require.Equal(t, before.GetPeerURLs(), after.GetPeerURLs(), "the peer URL is part of the member's identity")
	require.Equal(t, before.GetID(), after.GetID())
	require.NotEqual(t, first.ClientURL(), second.ClientURL())
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, []string{second.ClientURL()}, onlyMember(c, second).GetClientURLs())
	}, 10*time.Second, 10*time.Millisecond, "the new client URL must be advertised")
}

func TestCloseTwice(t *testing.T) {
	t.Parallel()
	member := start(t, config(t.TempDir()))
	require.NoError(t, member.Close())
	require.NoError(t, member.Close())
	_, open := <-member.Err()
	require.False(t, open, "a closed member has not failed")
}

func TestCloseDoesNotWaitForAnOpenWatch(t *testing.T) {
	t.Parallel()
	member := start(t, config(t.TempDir()))
	created := <-dial(t, member.ClientURL()).Watch(t.Context(), "key", clientv3.WithCreatedNotify())
	require.True(t, created.Created)

	closeStart := time.Now()
	require.NoError(t, member.Close())
	require.Less(t, time.Since(closeStart), 4*time.Second, "etcd itself waits 5 s for streams")
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	t.Run("ended before the start", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := embeddedetcd.Start(ctx, config(t.TempDir()))
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("while starting", func(t *testing.T) {
		t.Parallel()
		cfg := config(t.TempDir())
		slow := cfg
		slow.ElectionTimeout = 40 * time.Second // never ready within this test
		slow.TickInterval = 4 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := embeddedetcd.Start(ctx, slow)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		startWhenUnlocked(t, cfg)
	})
	t.Run("its own deadline", func(t *testing.T) {
		t.Parallel()
		cfg := config(t.TempDir())
		slow := cfg
		slow.ElectionTimeout, slow.TickInterval = 40*time.Second, 4*time.Second
		slow.StartTimeout = 300 * time.Millisecond
		_, err := embeddedetcd.Start(t.Context(), slow)
		require.ErrorContains(t, err, "not ready after 300ms")
		startWhenUnlocked(t, cfg)
	})
}

// startWhenUnlocked waits until a start that was canceled has released its files.
func startWhenUnlocked(t *testing.T, cfg embeddedetcd.Config) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		member, err := embeddedetcd.Start(t.Context(), cfg)
		require.NoError(c, err)
		require.NoError(c, member.Close())
	}, 20*time.Second, 20*time.Millisecond)
}

func TestTenCyclesLeaveNoGoroutine(t *testing.T) {
	cfg := config(t.TempDir())
	ignored := goleak.IgnoreCurrent()
	for range 10 {
		member, err := embeddedetcd.Start(t.Context(), cfg)
		require.NoError(t, err)
		require.NoError(t, member.Close())
	}
	require.NoError(t, goleak.Find(ignored))
}
