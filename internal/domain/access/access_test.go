package access_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/access"
)

func TestParseGrant(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]access.Grant{
		"reader":                     {Role: access.RoleReader},
		"operator@eu":                {Role: access.RoleOperator, Scope: access.Scope{Regions: []string{"eu"}}},
		"operator@eu,us:chess-*,g:1": {Role: access.RoleOperator, Scope: access.Scope{Regions: []string{"eu", "us"}, Games: []string{"chess-*", "g:1"}}},
		"reader:a@b":                 {Role: access.RoleReader, Scope: access.Scope{Games: []string{"a@b"}}},
		"none":                       {Role: access.RoleNone},
		"operator/env=prod":          {Role: access.RoleOperator, Scope: access.Scope{Labels: access.Labels{"env": "prod"}}},
		"reader/a.b/c=,env=prod@eu:x-*": {Role: access.RoleReader, Scope: access.Scope{
			Labels: access.Labels{"a.b/c": "", "env": "prod"}, Regions: []string{"eu"}, Games: []string{"x-*"},
		}},
	} {
		grant, err := access.ParseGrant(text)
		require.NoError(t, err, text)
		require.Equal(t, want, grant, text)
		require.Equal(t, text, grant.String())
	}
	for _, text := range []string{
		"", "root", "node", "Reader", "reader ", "reader@", "reader:", "reader@eu,", "reader:,a", "reader@eu:", "none@eu", "reader:a\x00",
		"reader:" + strings.Repeat("x", 257), "reader@" + strings.Repeat("r,", 65) + "r", "reader:\xff",
		"reader/", "reader/env", "reader/env=a,env=b", "reader/env=a b", "none/env=a", "reader/=a", "reader/,",
	} {
		_, err := access.ParseGrant(text)
		require.Error(t, err, "%q", text)
	}
}

func rights(t *testing.T, grants ...string) access.Rights {
	t.Helper()
	var parsed []access.Grant
	for _, text := range grants {
		grant, err := access.ParseGrant(text)
		require.NoError(t, err)
		parsed = append(parsed, grant)
	}
	return access.RightsOf(parsed)
}

func TestRights(t *testing.T) {
	t.Parallel()
	const read, operate, admin, peer = access.PermissionRead, access.PermissionOperate, access.PermissionAdmin, access.Permission("peer")
	require.False(t, rights(t).AllowsSome(read), "deny by default")
	require.False(t, rights(t, "admin", "none").AllowsSome(read), "none overrides every grant")
	require.False(t, rights(t, "admin").AllowsSome(peer), "no role has an unknown permission")

	scoped := rights(t, "operator@eu:chess-*", "reader@us")
	for _, row := range []struct {
		permission     access.Permission
		region, gameID string
		want           bool
	}{
		{operate, "eu", "chess-1", true},
		{operate, "eu", "chess-", true},
		{operate, "eu", "chess", false},
		{operate, "eu", "go-1", false},
		{operate, "us", "chess-1", false},
		{operate, "EU", "chess-1", false},
		{operate, "", "chess-1", false},
		{read, "eu", "chess-1", true},
		{read, "us", "anything", true},
		{read, "ap", "chess-1", false},
		{admin, "eu", "chess-1", false},
	} {
		require.Equal(t, row.want, scoped.Allows(row.permission, row.region, row.gameID), "%+v", row)
	}
	visible := scoped.Visibility(read)
	require.True(t, visible.Contains("us", "x"))
	require.False(t, visible.Contains("eu", "x"))
	require.True(t, visible.ContainsGame("x"), "in us")
	require.Nil(t, rights(t, "reader@us", "operator").Visibility(read), "nil selects every game")

	labeled := rights(t, "operator/team=a@eu", "reader")
	require.False(t, labeled.Allows(operate, "eu", "g"), "labels that are not known")
	require.True(t, labeled.ForLabels(map[string]string{"team": "a", "env": "prod"}).Allows(operate, "eu", "g"))
	require.False(t, labeled.ForLabels(map[string]string{"team": "a"}).Allows(operate, "us", "g"))
	require.False(t, labeled.ForLabels(map[string]string{"team": "b"}).Allows(operate, "eu", "g"))
	require.False(t, labeled.ForLabels(nil).AllowsSome(operate))
	require.True(t, labeled.ForLabels(nil).Allows(read, "us", "g"))
	require.True(t, labeled.ForAnyLabels().Allows(operate, "eu", "g"))
	_, forEvery := labeled.AllowsRegion(operate, "eu")
	require.False(t, forEvery)
	_, inEvery := labeled.AllowsGame(operate, "g")
	require.False(t, inEvery)
	some, every := scoped.AllowsRegion(operate, "eu")
	require.True(t, some)
	require.False(t, every)
}

func TestTokensProveAnIdentity(t *testing.T) {
	t.Parallel()
	now := time.Now()
	token, text := access.NewToken("ci")
	token.Grants, token.ExpiresAt = []access.Grant{{Role: access.RoleOperator}}, now.Add(time.Hour)
	policy := access.NewPolicy([]access.Binding{{Subject: "token:ci", Grants: []access.Grant{{Role: access.RoleReader}}}}, []access.Token{token})

	identity, err := policy.Authenticate(text, now)
	require.NoError(t, err)
	require.Equal(t, "token:ci", identity.Subject)
	granted, isValid := policy.RightsOf(identity, now)
	require.True(t, isValid)
	require.Equal(t, "operator reader", granted.String())

	_, otherText := access.NewToken("ci")
	id, secret, _ := access.ParseToken(text)
	_, otherSecret, _ := access.ParseToken(otherText)
	for name, invalid := range map[string]string{
		"of another cluster": otherText, "other secret": "rtm_" + id + "_" + otherSecret, "no secret": "rtm_" + id + "_", "no id": "rtm__" + secret,
		"empty": "", "longer": text + "a", "upper case": strings.ToUpper(text), "with a space": text + " ", "hash as secret": "rtm_" + id + "_" + string(token.Hash),
	} {
		_, err := policy.Authenticate(invalid, now)
		require.ErrorIs(t, err, access.ErrUnauthenticated, name)
		require.Equal(t, "authentication is required: the token is not valid here", err.Error(), name)
	}
	_, err = policy.Authenticate(text, now.Add(time.Hour))
	require.ErrorContains(t, err, "has expired")
	_, isValid = policy.RightsOf(identity, now.Add(time.Hour))
	require.False(t, isValid, "an open stream ends when the token expires")
	_, isValid = access.NewPolicy(nil, nil).RightsOf(identity, now)
	require.False(t, isValid, "a revoked token has no rights")

	// The usual reaction to a leak: the token is revoked, and a new one gets its name.
	successor, _ := access.NewToken("ci")
	successor.Grants = token.Grants
	replaced := access.NewPolicy(nil, []access.Token{successor})
	_, isValid = replaced.RightsOf(identity, now)
	require.False(t, isValid, "the token of the same name is another proof")
	_, isValid = replaced.RightsOf(access.Identity{Subject: "token:ci"}, now)
	require.True(t, isValid, "a subject that is only named")
}

// A list that a client has computed and that is empty does not mean everything.
func TestEmptyListsOfAScope(t *testing.T) {
	t.Parallel()
	for text, isValid := range map[string]bool{
		`{"role":"operator"}`: true, `{"role":"operator","regions":["eu"]}`: true,
		`{"role":"operator","regions":[]}`: false, `{"role":"operator","labels":{}}`: false, `{"role":"operator","labels":{"env":"prod"}}`: true, `{"role":"operator","regions":["eu"],"games":[]}`: false,
	} {
		var grant access.Grant
		require.NoError(t, json.Unmarshal([]byte(text), &grant))
		require.Equal(t, isValid, grant.Validate() == nil, text)
	}
}

// No binding locks out all administrators by certificate. Each of them can be denied.
func TestAdministratorsCannotBeLockedOut(t *testing.T) {
	t.Parallel()
	const group = "group:" + access.AdminsOrganization
	none := access.Grant{Role: access.RoleNone}
	_, err := access.Binding{Subject: group}.With(none)
	require.ErrorContains(t, err, "no administrator could revoke it")
	policy := access.NewPolicy([]access.Binding{{Subject: group, Grants: []access.Grant{none}}, {Subject: "user:mallory", Grants: []access.Grant{none}}}, nil)
	for subject, want := range map[string]string{"user:root": "admin", "user:mallory": ""} {
		rights, isValid := policy.RightsOf(access.Identity{Subject: subject, Groups: []string{group}}, time.Now())
		require.True(t, isValid)
		require.Equal(t, want, rights.String(), subject)
	}
}

// Subjects of one method never equal those of another.
func TestCertificates(t *testing.T) {
	t.Parallel()
	identity := func(name string, organizations ...string) (access.Identity, error) {
		return access.FromCertificate(&x509.Certificate{Subject: pkix.Name{CommonName: name, Organization: organizations}})
	}
	ada, err := identity("token:ci", "ops", access.AdminsOrganization)
	require.NoError(t, err)
	require.Equal(t, "user:token:ci", ada.Subject)
	require.Equal(t, []string{"group:ops", "group:rtmanager:admins"}, ada.Groups)
	granted, _ := access.NewPolicy(nil, nil).RightsOf(ada, time.Now())
	require.True(t, granted.AllowsAll(access.PermissionAdmin), "administrators need no binding")

	daemon, err := identity("eu/eu-1", access.NodesOrganization, access.AdminsOrganization)
	require.NoError(t, err)
	ref, isNode := daemon.Node()
	require.True(t, isNode)
	require.Equal(t, "eu/eu-1", ref.String())
	granted, _ = access.NewPolicy(nil, nil).RightsOf(daemon, time.Now())
	require.False(t, granted.AllowsSome(access.PermissionOperate), "a daemon forwards requests of callers that have the permission")

	for _, name := range []string{"", " ", "a\nb", strings.Repeat("x", 257), "\xff"} {
		_, err := identity(name)
		require.ErrorIs(t, err, access.ErrUnauthenticated, "%q", name)
	}
	for _, name := range []string{"eu", "eu/a/b", "/a", "eu/", "0/\x10", "eu/" + strings.Repeat("x", 257)} {
		_, err := identity(name, access.NodesOrganization)
		require.ErrorIs(t, err, access.ErrUnauthenticated, "%q", name)
	}
}

// FuzzParseGrant: a grant that parses is valid, and its text parses to the same grant.
func FuzzParseGrant(f *testing.F) {
	for _, seed := range []string{"reader", "operator@eu,us:chess-*", "none", "admin:@", "reader@:a,b:c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		grant, err := access.ParseGrant(text)
		if err != nil {
			return
		}
		require.NoError(t, grant.Validate())
		reparsed, err := access.ParseGrant(grant.String())
		require.NoError(t, err)
		require.Equal(t, grant, reparsed)
	})
}

// FuzzTokens: no text but the token's own authenticates.
func FuzzTokens(f *testing.F) {
	token, text := access.NewToken("ci")
	policy := access.NewPolicy(nil, []access.Token{token})
	for _, seed := range []string{text, text[:len(text)-1], "rtm_", "rtm__", "", text + "=", strings.ToUpper(text)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, guess string) {
		identity, err := policy.Authenticate(guess, time.Now())
		require.Equal(t, guess == text, err == nil)
		if err != nil {
			require.Zero(t, identity)
		}
	})
}

// FuzzCertificateSubject: a subject is printable, has the prefix of its method, and only a
// valid name makes a certificate one of a daemon.
func FuzzCertificateSubject(f *testing.F) {
	f.Add("ada", "ops")
	f.Add("eu/eu-1", access.NodesOrganization)
	f.Add("a\nb", access.AdminsOrganization)
	f.Add("0/\x10", access.NodesOrganization)
	f.Fuzz(func(t *testing.T, name, organization string) {
		identity, err := access.FromCertificate(&x509.Certificate{Subject: pkix.Name{CommonName: name, Organization: []string{organization}}})
		if err != nil {
			require.ErrorIs(t, err, access.ErrUnauthenticated)
			return
		}
		_, isNode := identity.Node()
		require.Equal(t, organization == access.NodesOrganization, isNode)
		require.NotContains(t, identity.Subject, "\n")
		require.True(t, strings.HasSuffix(identity.Subject, ":"+name))
	})
}

// BenchmarkRejectedToken compares the time of rejections. An unknown id, and a secret that differs in
// its first or its last character, must cost the same.
func BenchmarkRejectedToken(b *testing.B) {
	token, text := access.NewToken("ci")
	policy := access.NewPolicy(nil, []access.Token{token})
	_, unknown := access.NewToken("ci")
	id, secret, _ := access.ParseToken(text)
	replace := func(i int) string {
		changed := []byte(secret)
		changed[i] ^= 1
		return "rtm_" + id + "_" + string(changed)
	}
	for name, guess := range map[string]string{"unknown id": unknown, "first character": replace(0), "last character": replace(len(secret) - 1)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := policy.Authenticate(guess, time.Time{}); err == nil {
					b.Fatal("the guess is accepted")
				}
			}
		})
	}
}
