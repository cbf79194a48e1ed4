package embeddedetcd_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
)

// TestMain also runs the processes that the kill tests start.
func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		runWriter(dir)
		return
	}
	if settings := os.Getenv(memberSettings); settings != "" {
		runMember(settings)
		return
	}
	// etcd leaves the idle connections between members to their timeouts.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"))
}

// config returns a config with short elections and free ports. It syncs to disk as in
// production.
func config(dir string) embeddedetcd.Config {
	return embeddedetcd.Config{
		DataDir:         dir,
		ListenClientURL: "http://127.0.0.1:0",
		TickInterval:    10 * time.Millisecond,
		ElectionTimeout: 50 * time.Millisecond,
		StartTimeout:    30 * time.Second,
	}
}

func start(t *testing.T, cfg embeddedetcd.Config) *embeddedetcd.Member {
	t.Helper()
	member, err := embeddedetcd.Start(t.Context(), cfg)
	require.NoError(t, err, "start a member on %s", cfg.DataDir)
	t.Cleanup(func() { require.NoError(t, member.Close()) })
	return member
}

// startError returns the error of a Start that must fail.
func startError(t *testing.T, cfg embeddedetcd.Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	member, err := embeddedetcd.Start(ctx, cfg)
	if err == nil {
		require.NoError(t, member.Close())
	}
	require.Error(t, err, "start a member with %+v", cfg)
	return err
}

func onlyMember(t require.TestingT, member *embeddedetcd.Member) *etcdserverpb.Member {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got, err := member.Client().MemberList(ctx)
	require.NoError(t, err)
	require.Len(t, got.Members, 1)
	return got.Members[0]
}
