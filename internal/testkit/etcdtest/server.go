package etcdtest

import (
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

// Server is an etcd server of one test, which may stop, restart, fill or compact it. It
// is safe for concurrent use.
type Server struct {
	tb  testing.TB
	dir string

	mu       sync.Mutex
	cfg      *embed.Config
	member   *member // nil while stopped
	endpoint string
}

// Start returns a running server on a new directory. The options change its settings
// before it starts; see Quota. When the test ends, the server is stopped and its directory
// removed.
func Start(tb testing.TB, options ...func(*embed.Config)) *Server {
	tb.Helper()
	s := &Server{tb: tb, dir: tb.TempDir()}
	s.cfg = defaultConfig(s.dir)
	for _, option := range options {
		option(s.cfg)
	}
	s.Restart()
	tb.Cleanup(s.Stop)
	return s
}

// Quota limits the space of a server, in bytes. Beyond it etcd rejects every put with
// NOSPACE.
func Quota(bytes int64) func(*embed.Config) {
	return func(cfg *embed.Config) { cfg.QuotaBackendBytes = bytes }
}

// Client returns a new client of the server over TCP. It is closed when the test ends, and
// reconnects after a Restart.
func (s *Server) Client() *clientv3.Client {
	s.tb.Helper()
	return newClient(s.tb, s.Endpoint())
}

// InProcess returns a new client without a network. It is closed when the test ends. After
// a Restart it still calls the stopped member.
func (s *Server) InProcess() *clientv3.Client {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotNil(s.tb, s.member, "the server is stopped")
	return newInProcessClient(s.tb, s.member)
}

// Endpoint returns the client URL. A Restart does not change it.
func (s *Server) Endpoint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoint
}

// Dir returns the directory that contains the data directory "etcd".
func (s *Server) Dir() string { return s.dir }

// Stop stops the server, ends its clients' streams and keeps its data. It does nothing if
// the server is stopped.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.member != nil {
		s.member.stop()
		s.member = nil
	}
}

// Restart stops the server if it runs, and starts it on the same data and the same
// address.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	started, err := startMember(s.cfg)
	require.NoError(s.tb, err, "start an etcd server on %s", s.dir)
	s.member, s.endpoint = started, started.endpoint()
	s.cfg.ListenClientUrls = []url.URL{loopbackURL(started.etcd.Clients[0].Addr().String())}
}
