package httpserver_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdaccess"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/services/auth"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// newAccess returns an access service on an empty store of its own.
func newAccess(t testing.TB) *auth.Service {
	t.Helper()
	store := etcdaccess.New(etcdtest.InProcess(t), etcdaccess.Options{Prefix: etcdtest.Prefix(t)})
	service := auth.New(auth.Dependencies{Store: store}, auth.Config{})
	require.NoError(t, service.Refresh(t.Context()))
	return service
}

// securedFixture is a server that authenticates its callers. It is eu/n1.
type securedFixture struct {
	*fixture
	access *auth.Service
	node   *fakeNode
}

func startSecured(t testing.TB, tune ...func(*servertest.Config)) *securedFixture {
	t.Helper()
	s := &securedFixture{access: newAccess(t), node: &fakeNode{}}
	cfg := servertest.Config{
		Config: httpserver.Config{Region: "eu", Node: "n1", Access: s.access, AccessAdmin: s.access},
		Local:  s.node, Nodes: &fakeRegistry{},
	}
	for _, change := range tune {
		change(&cfg)
	}
	s.fixture = start(t, cfg)
	return s
}

// token creates a token with the grants. It returns the headers of its requests.
func (s *securedFixture) token(name string, grants ...string) (headers string) {
	s.t.Helper()
	var parsed []access.Grant
	for _, text := range grants {
		grant, err := access.ParseGrant(text)
		require.NoError(s.t, err)
		parsed = append(parsed, grant)
	}
	_, text, err := s.access.CreateToken(s.t.Context(), name, parsed, time.Hour, "test")
	require.NoError(s.t, err)
	return "Authorization: Bearer " + text + "\r\n"
}
