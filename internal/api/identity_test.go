package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
)

func TestForwardedIdentities(t *testing.T) {
	t.Parallel()
	for _, identity := range []access.Identity{
		{Subject: "user:ada", Groups: []string{"group:ops", "group:rtmanager:admins"}, Method: access.MethodCertificate, ExpiresAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)},
		{Subject: "oidc:ädä@example.com", Groups: []string{"oidc-group:ops"}, Method: access.MethodOIDC},
		{Subject: "token:a b", Method: access.MethodToken, TokenID: "abc"},
	} {
		decoded, err := api.DecodeIdentity(api.EncodeIdentity(identity))
		require.NoError(t, err)
		require.Equal(t, identity, decoded)
	}
	for _, value := range []string{
		"", "{}", "null", "[]", `{"subject":"ada"}`, `{"subject":"node:eu/n1"}`, `{"subject":"user:"}`, `{"subject":"user:a\nb"}`,
		`{"subject":"user:a","groups":["rtmanager:admins"]}`, "UTF-8''%zz", `{"subject":"user:` + strings.Repeat("a", 50<<10) + `"}`,
	} {
		_, err := api.DecodeIdentity(value)
		require.Error(t, err, value)
	}
}

// All groups of the largest token that a daemon accepts can be forwarded.
func TestForwardedIdentityWithManyGroups(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"g", "я", "&", "50e7a3b4-4bb4-4d1c-8f0e-3a4d6f2a9b1c", strings.Repeat("ж", 20), strings.Repeat("字", 80)} {
		identity := access.Identity{Subject: "oidc:" + strings.Repeat("я", 120), Method: access.MethodOIDC, ExpiresAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
		const claims = (8 << 10) * 3 / 4 // of a token of 8 KiB, which is base64
		for size := 0; size < claims; size += len(group) + len(`"",`) {
			identity.Groups = append(identity.Groups, access.PrefixOIDCGroup+group)
		}
		decoded, err := api.DecodeIdentity(api.EncodeIdentity(identity))
		require.NoError(t, err, "%d groups %s", len(identity.Groups), group)
		require.Equal(t, identity, decoded)
	}
}

// FuzzForwardedIdentity: a header that decodes names a valid subject, never a daemon, and
// survives an encoding.
func FuzzForwardedIdentity(f *testing.F) {
	f.Add(api.EncodeIdentity(access.Identity{Subject: "user:ada", Groups: []string{"group:ops"}}))
	f.Add(`{"subject":"token:ci","method":"token"}`)
	f.Add("UTF-8''%7B%22subject%22%3A%22user%3Aa%22%7D")
	f.Fuzz(func(t *testing.T, value string) {
		identity, err := api.DecodeIdentity(value)
		if err != nil {
			return
		}
		require.NoError(t, access.ValidateSubject(identity.Subject))
		_, isNode := identity.Node()
		require.False(t, isNode)
		if identity.ExpiresAt.Year() > 9999 || identity.ExpiresAt.Year() < 0 {
			return
		}
		decoded, err := api.DecodeIdentity(api.EncodeIdentity(identity))
		require.NoError(t, err)
		require.Equal(t, identity.Subject, decoded.Subject)
		require.Equal(t, len(identity.Groups), len(decoded.Groups))
	})
}
