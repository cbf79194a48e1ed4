package etcdaccess_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdaccess"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

type fixture struct {
	*etcdaccess.Store
	client *clientv3.Client
	prefix string
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	client, prefix := etcdtest.InProcess(t), etcdtest.Prefix(t)
	return fixture{etcdaccess.New(client, etcdaccess.Options{Prefix: prefix}), client, prefix}
}

func newToken(name string) access.Token {
	token, _ := access.NewToken(name)
	token.Grants, token.CreatedAt = []access.Grant{{Role: access.RoleReader}}, time.Now().UTC().Truncate(time.Second)
	return token
}

func (f fixture) version(t *testing.T) string {
	t.Helper()
	version, err := f.Version(t.Context())
	require.NoError(t, err)
	return version
}

func (f fixture) policy(t *testing.T) *access.Policy {
	t.Helper()
	policy, err := f.Policy(t.Context())
	require.NoError(t, err)
	return policy
}

// add returns a change of UpdateBinding that adds a grant.
func add(grant string) func(access.Binding) (access.Binding, error) {
	return func(b access.Binding) (access.Binding, error) {
		parsed, err := access.ParseGrant(grant)
		if err != nil {
			return b, err
		}
		return b.With(parsed)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.Empty(t, f.policy(t).Tokens())
	token := newToken("ci / night")
	require.NoError(t, f.CreateToken(t.Context(), token))
	require.NoError(t, f.CreateToken(t.Context(), token), "the same token is a repeated try")
	require.ErrorIs(t, f.CreateToken(t.Context(), newToken("ci / night")), access.ErrExists)
	require.Equal(t, []access.Token{token}, f.policy(t).Tokens())

	used := time.Now().UTC().Truncate(time.Second)
	before := f.version(t)
	require.NoError(t, f.RecordTokenUses(t.Context(), map[string]time.Time{token.Name: used, "absent": used}))
	require.Equal(t, before, f.version(t), "a use does not change the policy")
	require.Equal(t, used, f.policy(t).Tokens()[0].LastUsedAt)

	require.NoError(t, f.DeleteToken(t.Context(), token.Name))
	require.ErrorIs(t, f.DeleteToken(t.Context(), token.Name), access.ErrUnknownSubject)
	remaining, err := f.client.Get(t.Context(), f.prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(t, err)
	require.Empty(t, remaining.Kvs, "token and use are deleted")
}

// The secret of a token is in no stored value.
func TestSecretsAreNotStored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token, text := access.NewToken("ci")
	require.NoError(t, f.CreateToken(t.Context(), token))
	_, secret, _ := access.ParseToken(text)
	stored, err := f.client.Get(t.Context(), f.prefix, clientv3.WithPrefix())
	require.NoError(t, err)
	require.NotEmpty(t, stored.Kvs)
	for _, kv := range stored.Kvs {
		require.NotContains(t, string(kv.Value), secret)
	}
}

func TestBindings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.UpdateBinding(t.Context(), "user:ada", add("operator@eu:chess-*")))
	require.NoError(t, f.UpdateBinding(t.Context(), "user:ada", add("reader")))
	require.NoError(t, f.UpdateBinding(t.Context(), "group:a/b", add("admin")))
	bindings := f.policy(t).Bindings()
	require.Len(t, bindings, 2)
	require.Equal(t, "group:a/b", bindings[0].Subject)
	require.Equal(t, "operator@eu:chess-* reader", access.RightsOf(bindings[1].Grants).String())

	failure := errors.New("not today")
	require.ErrorIs(t, f.UpdateBinding(t.Context(), "user:ada", func(b access.Binding) (access.Binding, error) { return b, failure }), failure)
	require.NoError(t, f.UpdateBinding(t.Context(), "user:ada", func(b access.Binding) (access.Binding, error) { b.Grants = nil; return b, nil }))
	require.Len(t, f.policy(t).Bindings(), 1, "a binding without grants is deleted")
}

// Concurrent changes of one binding are all applied.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var writers sync.WaitGroup
	for _, region := range []string{"a", "b", "c", "d", "e", "f"} {
		writers.Go(func() {
			if err := f.UpdateBinding(context.WithoutCancel(t.Context()), "user:ada", add("reader@"+region)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	require.Len(t, f.policy(t).Bindings()[0].Grants, 6)
}

// Each write and each deletion changes the version, a read does not. Equal policies may have
// equal versions.
func TestVersionFollowsThePolicy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	last := f.version(t)
	require.Equal(t, last, f.version(t))
	create := func(name string) func() error {
		return func() error { return f.CreateToken(t.Context(), newToken(name)) }
	}
	remove := func(name string) error { return f.DeleteToken(t.Context(), name) }
	for _, step := range []struct {
		name   string
		change func() error
	}{
		{"a token", create("first")},
		{"a grant", func() error { return f.UpdateBinding(t.Context(), "user:ada", add("reader")) }},
		{"another grant", func() error { return f.UpdateBinding(t.Context(), "user:ada", add("operator")) }},
		{"one deleted and one created", func() error { return errors.Join(remove("first"), create("second")()) }},
		{"one created and an older one deleted", func() error { return errors.Join(create("third")(), remove("second")) }},
		{"deleted", func() error { return remove("third") }},
	} {
		require.NoError(t, step.change(), step.name)
		current := f.version(t)
		require.NotEqual(t, last, current, step.name)
		last = current
	}
}

// A value that cannot be read grants nothing. A binding that cannot be read may have denied
// something, so it denies everything. Neither is overwritten.
func TestCorruptValues(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.UpdateBinding(t.Context(), "group:ops", add("reader")))
	for _, key := range []string{"/access/tokens/ci", "/access/bindings/user:ada"} {
		_, err := f.client.Put(t.Context(), f.prefix+key, "{broken")
		require.NoError(t, err)
	}
	policy := f.policy(t)
	require.Empty(t, policy.Tokens())
	rights, isValid := policy.RightsOf(access.Identity{Subject: "user:ada", Groups: []string{"group:ops"}}, time.Now())
	require.True(t, isValid)
	require.False(t, rights.AllowsSome(access.PermissionRead))
	require.ErrorIs(t, f.UpdateBinding(t.Context(), "user:ada", add("reader")), runtime.ErrCorrupt)
	require.ErrorIs(t, f.CreateToken(t.Context(), newToken("ci")), access.ErrExists)
	require.NoError(t, f.DeleteToken(t.Context(), "ci"), "an operator can revoke what cannot be read")
}

// A version of this program without label limits must not take a limited role for one without a
// limit: it does not know the role, and so denies.
func TestStoredFormOfLabelLimits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	token := newToken("ci")
	token.Grants = []access.Grant{{Role: access.RoleReader}, {Role: access.RoleOperator, Scope: access.Scope{Labels: access.Labels{"team": "a"}}}}
	require.NoError(t, f.CreateToken(t.Context(), token))
	require.NoError(t, f.CreateToken(t.Context(), token), "a repeated try")
	require.NoError(t, f.UpdateBinding(t.Context(), "user:ada", add("admin/team=a")))
	require.Equal(t, token.Grants, f.policy(t).Tokens()[0].Grants)
	require.Equal(t, "admin/team=a", f.policy(t).Bindings()[0].Grants[0].String())

	found, err := f.client.Get(t.Context(), f.prefix+"/access/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Len(t, found.Kvs, 2)
	for _, kv := range found.Kvs {
		var stored struct{ Grants []access.Grant }
		require.NoError(t, json.Unmarshal(kv.GetValue(), &stored))
		require.Error(t, stored.Grants[len(stored.Grants)-1].Validate(), "%s", kv.GetValue())
	}
	// A role with labels that is not in this form is not valid either.
	_, err = f.client.Put(t.Context(), f.prefix+"/access/bindings/user:ada", `{"subject":"user:ada","grants":[{"role":"admin","labels":{"team":"a"}}]}`)
	require.NoError(t, err)
	require.Equal(t, "none", f.policy(t).Bindings()[0].Grants[0].String())
}
