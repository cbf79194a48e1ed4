package auth_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdaccess"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/auth"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// fixture is two daemons on one store. requests counts the requests of the second one.
type fixture struct {
	first, second *auth.Service
	requests      *countingStore
}

// countingStore counts requests, and fails them while isDown.
type countingStore struct {
	ports.AccessStore
	count  atomic.Int64
	isDown atomic.Bool
}

var errDown = errors.New("etcd is down")

func (c *countingStore) Version(ctx context.Context) (string, error) {
	c.count.Add(1)
	if c.isDown.Load() {
		return "", errDown
	}
	return c.AccessStore.Version(ctx)
}

func (c *countingStore) Policy(ctx context.Context) (*access.Policy, error) {
	c.count.Add(1)
	return c.AccessStore.Policy(ctx)
}

func newFixture(t *testing.T, cfg auth.Config) *fixture {
	t.Helper()
	store := etcdaccess.New(etcdtest.InProcess(t), etcdaccess.Options{Prefix: etcdtest.Prefix(t)})
	f := &fixture{requests: &countingStore{AccessStore: store}}
	f.first = auth.New(auth.Dependencies{Store: store}, cfg)
	f.second = auth.New(auth.Dependencies{Store: f.requests}, cfg)
	require.NoError(t, f.first.Refresh(t.Context()))
	require.NoError(t, f.second.Refresh(t.Context()))
	return f
}

func grants(t *testing.T, texts ...string) []access.Grant {
	t.Helper()
	var parsed []access.Grant
	for _, text := range texts {
		grant, err := access.ParseGrant(text)
		require.NoError(t, err)
		parsed = append(parsed, grant)
	}
	return parsed
}

func (f *fixture) create(t *testing.T, name string, texts ...string) access.Credentials {
	t.Helper()
	_, text, err := f.first.CreateToken(t.Context(), name, grants(t, texts...), 0, "user:ada")
	require.NoError(t, err)
	return access.Credentials{Bearer: text}
}

// A token works at every daemon as soon as it is created. Guesses cost the store next to
// nothing.
func TestNewTokensAreKnownEverywhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t, auth.Config{})
	credentials := f.create(t, "ci", "operator")
	identity, err := f.second.Authenticate(t.Context(), credentials)
	require.NoError(t, err)
	require.Equal(t, "token:ci", identity.Subject)
	rights, err := f.second.Rights(identity)
	require.NoError(t, err)
	require.True(t, rights.AllowsAll(access.PermissionOperate))

	_, guess := access.NewToken("guess")
	before, started := f.requests.count.Load(), time.Now()
	for range 1000 {
		_, err := f.second.Authenticate(t.Context(), access.Credentials{Bearer: guess})
		require.ErrorIs(t, err, access.ErrUnauthenticated)
	}
	most := 2 * int64(time.Since(started)/(500*time.Millisecond)+1)
	require.LessOrEqual(t, f.requests.count.Load()-before, most)
}

// Run makes changes of another daemon effective.
func TestChangesAreEffectiveEverywhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t, auth.Config{RefreshInterval: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.second.Run(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-done)
	}()
	credentials := f.create(t, "ci", "reader")
	identity, err := f.second.Authenticate(t.Context(), credentials)
	require.NoError(t, err)

	changed := f.second.Changed()
	_, err = f.first.Grant(t.Context(), "token:ci", grants(t, "operator@eu")[0], "user:ada")
	require.NoError(t, err)
	<-changed
	rights, err := f.second.Rights(identity)
	require.NoError(t, err)
	require.Equal(t, "reader operator@eu", rights.String())

	changed = f.second.Changed()
	require.NoError(t, f.first.RevokeToken(t.Context(), "ci"))
	<-changed
	_, err = f.second.Rights(identity)
	require.ErrorIs(t, err, access.ErrUnauthenticated)
	_, err = f.second.Authenticate(t.Context(), credentials)
	require.ErrorIs(t, err, access.ErrUnauthenticated)
}

// While the store does not respond, the last policy stays in effect for MaxStaleness.
func TestPolicyOfAStoreThatDoesNotRespond(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	now := func() time.Time { return time.Unix(1_800_000_000+clock.Load(), 0) }
	f := newFixture(t, auth.Config{MaxStaleness: time.Minute, Clock: now})
	credentials := f.create(t, "ci", "reader")
	identity, err := f.second.Authenticate(t.Context(), credentials)
	require.NoError(t, err)

	f.requests.isDown.Store(true)
	clock.Add(60)
	require.ErrorIs(t, f.second.Refresh(t.Context()), errDown)
	_, err = f.second.Rights(identity)
	require.NoError(t, err)
	clock.Add(1)
	_, err = f.second.Rights(identity)
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	_, err = f.second.Rights(access.Identity{Subject: "node:eu/n1"})
	require.NoError(t, err, "a daemon has rights of its own")
	_, err = f.second.Rights(access.Identity{Subject: "oidc:ada", ExpiresAt: now()})
	require.ErrorIs(t, err, access.ErrUnauthenticated, "an expired proof ends streams")

	f.requests.isDown.Store(false)
	require.NoError(t, f.second.Refresh(t.Context()))
	_, err = f.second.Rights(identity)
	require.NoError(t, err)
}

// A daemon that has not read the policy yet rejects its callers as unavailable.
func TestNoPolicyYet(t *testing.T) {
	t.Parallel()
	service := auth.New(auth.Dependencies{}, auth.Config{})
	_, err := service.Rights(access.Identity{Subject: "user:ada", Groups: []string{access.PrefixGroup + access.AdminsOrganization}})
	require.ErrorIs(t, err, runtime.ErrUnavailable)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	f := newFixture(t, auth.Config{})
	token := f.create(t, "ci", "reader")
	certificate := func(name, organization string) []*x509.Certificate {
		return []*x509.Certificate{{Subject: pkix.Name{CommonName: name, Organization: []string{organization}}, NotAfter: time.Now().Add(time.Hour)}}
	}
	for name, row := range map[string]struct {
		credentials access.Credentials
		subject     string // empty: rejected
	}{
		"nothing":               {},
		"certificate":           {access.Credentials{Certificates: certificate("ada", "ops")}, "user:ada"},
		"token and certificate": {access.Credentials{Certificates: certificate("ada", "ops"), Bearer: token.Bearer}, "token:ci"},
		"bad token":             {access.Credentials{Certificates: certificate("ada", "ops"), Bearer: "x"}, ""},
		"daemon":                {access.Credentials{Certificates: certificate("eu/n1", access.NodesOrganization), Bearer: token.Bearer}, "node:eu/n1"},
		"no daemon":             {access.Credentials{Certificates: certificate("eu", access.NodesOrganization)}, ""},
		"without an issuer":     {access.Credentials{Bearer: "eyJhbGciOiJub25lIn0.e30."}, ""},
	} {
		identity, err := f.first.Authenticate(t.Context(), row.credentials)
		require.Equal(t, row.subject, identity.Subject, name)
		if row.subject == "" {
			require.ErrorIs(t, err, access.ErrUnauthenticated, name)
		}
	}
}

func TestRevokeRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t, auth.Config{})
	reader, operator := grants(t, "reader@eu")[0], grants(t, "operator")[0]
	for _, grant := range []access.Grant{reader, operator} {
		_, err := f.first.Grant(t.Context(), "user:ada", grant, "user:root")
		require.NoError(t, err)
	}
	binding, err := f.first.Revoke(t.Context(), "user:ada", &reader, "user:bob")
	require.NoError(t, err)
	require.Equal(t, []access.Grant{operator}, binding.Grants)
	require.Equal(t, "user:bob", binding.UpdatedBy)
	_, err = f.first.Revoke(t.Context(), "user:ada", &reader, "user:bob")
	require.ErrorIs(t, err, access.ErrUnknownSubject)
	_, err = f.first.Revoke(t.Context(), "user:ada", nil, "user:bob")
	require.NoError(t, err)
	bindings, err := f.first.Bindings(t.Context())
	require.NoError(t, err)
	require.Empty(t, bindings)
}

// usesStore keeps the uses of tokens in memory.
type usesStore struct {
	ports.AccessStore
	token access.Token
	uses  []map[string]time.Time
}

func (u *usesStore) Version(context.Context) (string, error) { return "1", nil }

func (u *usesStore) Policy(context.Context) (*access.Policy, error) {
	return access.NewPolicy(nil, []access.Token{u.token}), nil
}

func (u *usesStore) RecordTokenUses(_ context.Context, uses map[string]time.Time) error {
	u.uses = append(u.uses, uses)
	return nil
}

// The uses of tokens are stored once in ten minutes, not at every request.
func TestTokenUsesAreStoredRarely(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		token, text := access.NewToken("ci")
		store := &usesStore{token: token}
		service := auth.New(auth.Dependencies{Store: store}, auth.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = service.Run(ctx) }()
		synctest.Wait()
		for range 60 * 60 {
			_, err := service.Authenticate(t.Context(), access.Credentials{Bearer: text})
			require.NoError(t, err)
			time.Sleep(time.Second) // of the bubble's clock
		}
		cancel()
		synctest.Wait()
		require.GreaterOrEqual(t, len(store.uses), 3)
		require.LessOrEqual(t, len(store.uses), 6)
	})
}

// slowUses is a store that takes long to store the uses of tokens.
type slowUses struct {
	usesStore
	isRevoked atomic.Bool
}

func (s *slowUses) Version(context.Context) (string, error) {
	if s.isRevoked.Load() {
		return "2", nil
	}
	return "1", nil
}

func (s *slowUses) Policy(ctx context.Context) (*access.Policy, error) {
	if s.isRevoked.Load() {
		return access.NewPolicy(nil, nil), nil
	}
	return s.usesStore.Policy(ctx)
}

func (s *slowUses) RecordTokenUses(ctx context.Context, _ map[string]time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

// A revocation is in effect within five seconds, also while the uses of many tokens are stored.
func TestRevocationWhileUsesAreStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		token, text := access.NewToken("ci")
		store := &slowUses{usesStore: usesStore{token: token}}
		service := auth.New(auth.Dependencies{Store: store}, auth.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = service.Run(ctx) }()
		synctest.Wait()
		identity, err := service.Authenticate(t.Context(), access.Credentials{Bearer: text})
		require.NoError(t, err)
		time.Sleep(30 * time.Minute) // of the bubble's clock: the uses are being stored
		store.isRevoked.Store(true)
		time.Sleep(5 * time.Second)
		_, err = service.Rights(identity)
		require.ErrorIs(t, err, access.ErrUnauthenticated)
		cancel()
		synctest.Wait()
	})
}
