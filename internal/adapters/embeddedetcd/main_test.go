package embeddedetcd_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
)

// TestMain is also the program that the kill test starts and kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// config has short elections and free ports, and syncs to disk as in production.
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

func refused(t *testing.T, cfg embeddedetcd.Config) error {
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

// assertT is what a condition that is tried again and again reports to.
type assertT = assert.CollectT

func onlyMember(t require.TestingT, member *embeddedetcd.Member) *etcdserverpb.Member {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got, err := member.Client().MemberList(ctx)
	require.NoError(t, err)
	require.Len(t, got.Members, 1)
	return got.Members[0]
}
