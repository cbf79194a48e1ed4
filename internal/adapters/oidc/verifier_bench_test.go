package oidc_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/oidc"
	"galaxy/rtmanager/internal/testkit/oidctest"
)

// BenchmarkVerify measures a valid token, and tokens that attackers can make.
func BenchmarkVerify(b *testing.B) {
	issuer := oidctest.New(b)
	verifier, err := oidc.New(oidc.Config{Issuer: issuer.URL(), Audience: oidctest.ClientID})
	require.NoError(b, err)
	valid := issuer.Token(nil)
	for name, token := range map[string]string{
		"valid":         valid,
		"bad signature": valid[:len(valid)-8] + "AAAAAAAA",
		"garbage":       "eyJhbGciOiJub25lIn0.e30.e30",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := verifier.Verify(b.Context(), token)
				require.Equal(b, name == "valid", err == nil)
			}
		})
	}
}
