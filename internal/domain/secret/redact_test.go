package secret_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/secret"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	values := secret.NewValues(map[string]string{
		"A": marker, "B": marker + "-longer", "KEY": "-----BEGIN KEY-----\nline one\n\tline two\n", "SHORT": "abc", "EMPTY": "",
	})
	for text, want := range map[string]string{
		"x " + marker + " y":               "x [redacted] y",
		marker + marker:                    "[redacted][redacted]",
		"url=db://u:" + marker + "-longer": "url=db://u:[redacted]",
		"line one, line two":               "[redacted], [redacted]",
		"abc and nothing":                  "abc and nothing",
		"":                                 "",
	} {
		require.Equal(t, want, values.Redactor().Replace(text))
	}
	require.Equal(t, "text", secret.Values(nil).Redactor().Replace("text"))
}

func TestParseVersions(t *testing.T) {
	t.Parallel()
	versions := []secret.Version{{Name: "db", Fingerprint: "1f"}, {Name: secret.OfGame("a,b@c %"), Fingerprint: "2e"}}
	parsed, err := secret.ParseVersions(secret.EncodeVersions(versions))
	require.NoError(t, err)
	require.Equal(t, versions, parsed)
	parsed, err = secret.ParseVersions("")
	require.NoError(t, err)
	require.Empty(t, parsed)
	for _, text := range []string{"db", "@1", "db@", "db@1,", "%zz@1", strings.Repeat("x", 100)} {
		_, err := secret.ParseVersions(text)
		require.Error(t, err, text)
	}
}
