// Package etcdtest gives tests a real etcd: one embedded server a test package,
// opened on first use and closed by TestMain, and servers of their own for tests
// that stop, fill or compact one. Nothing here is for product code: data is not
// synced to disk and elections take 10 ms.
package etcdtest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

// shared is the server of the test package that is running.
var shared struct {
	mu     sync.Mutex
	main   bool // Main is running, so somebody will close the server
	dir    string
	member *member
}

// Main runs the tests of a package, closes the shared server, and then fails
// the run if a goroutine was left behind. Its result is for os.Exit:
//
//	func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }
//
// The options go to goleak.
func Main(m *testing.M, options ...goleak.Option) int {
	shared.mu.Lock()
	shared.main = true
	shared.mu.Unlock()

	code := m.Run()
	err := closeShared()
	if code == 0 {
		err = errors.Join(err, goleak.Find(options...))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcdtest:", err)
		return max(code, 1)
	}
	return code
}

// Client returns a client that talks to the shared server over TCP. It is
// closed when the test ends.
func Client(tb testing.TB) *clientv3.Client {
	tb.Helper()
	return dial(tb, sharedMember(tb).endpoint())
}

// InProcess returns a client that calls the shared server without a network in
// between. It is closed when the test ends.
func InProcess(tb testing.TB) *clientv3.Client {
	tb.Helper()
	return inProcess(tb, sharedMember(tb))
}

// Prefix returns a key prefix that no other test has: "/t/<uuid>", without a
// slash at the end.
func Prefix(tb testing.TB) string {
	tb.Helper()
	id, err := uuid.NewRandom()
	require.NoError(tb, err)
	return "/t/" + id.String()
}

func sharedMember(tb testing.TB) *member {
	tb.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	require.True(tb, shared.main, "the package's TestMain must call etcdtest.Main, or nobody closes the shared server")
	if shared.member != nil {
		return shared.member
	}
	dir, err := os.MkdirTemp("", "etcdtest-")
	require.NoError(tb, err)
	shared.dir = dir
	shared.member, err = start(settings(dir))
	require.NoError(tb, err, "start the shared etcd server")
	return shared.member
}

func closeShared() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.member != nil {
		shared.member.stop()
		shared.member = nil
	}
	if shared.dir == "" {
		return nil
	}
	return os.RemoveAll(shared.dir)
}
