// Package etcdtest runs real etcd servers for tests. Each test package shares one
// embedded server, which starts at its first use and which Main stops. A test that stops,
// fills or compacts a server starts its own with Start. Servers do not sync data to disk,
// and elections take 10 ms.
//
//	etcdtest.go  Main, the shared server and its clients
//	server.go    Start: a server of one test
//	cluster.go   StartCluster: several members of one test
//	member.go    config, start and stop of one embedded etcd
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

// shared is the server of the test package.
var shared struct {
	mu     sync.Mutex
	isMain bool // Main is running, and will close the server
	// hasCluster means that a test has started a cluster.
	hasCluster bool
	dir        string
	member     *member
}

// Main runs the tests of a package and closes the shared server. It fails if a goroutine
// remains after that. Its result is for os.Exit:
//
//	func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }
//
// The options are those of goleak.
func Main(m *testing.M, options ...goleak.Option) int {
	shared.mu.Lock()
	shared.isMain = true
	shared.mu.Unlock()

	code := m.Run()
	err := closeShared()
	if code == 0 {
		err = errors.Join(err, goleak.Find(append(options, clusterOptions()...)...))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcdtest:", err)
		return max(code, 1)
	}
	return code
}

// Client returns a client of the shared server over TCP. It is closed when the test ends.
func Client(tb testing.TB) *clientv3.Client {
	tb.Helper()
	return newClient(tb, sharedMember(tb).endpoint())
}

// InProcess returns a client that calls the shared server without a network. It is closed
// when the test ends.
func InProcess(tb testing.TB) *clientv3.Client {
	tb.Helper()
	return newInProcessClient(tb, sharedMember(tb))
}

// Prefix returns a unique key prefix: "/t/<uuid>", without a slash at the end.
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
	require.True(tb, shared.isMain, "the package's TestMain must call etcdtest.Main, which closes the shared server")
	if shared.member != nil {
		return shared.member
	}
	dir, err := os.MkdirTemp("", "etcdtest-")
	require.NoError(tb, err)
	shared.dir = dir
	shared.member, err = startMember(defaultConfig(dir))
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
