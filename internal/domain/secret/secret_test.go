package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

const marker = "hunter2-marker"

func TestNothingPrintsAValue(t *testing.T) {
	t.Parallel()
	type wrapper struct {
		Public  secret.Values
		private secret.Value
		inner   map[string]secret.Value
		list    []secret.Value
	}
	value := secret.NewValue(marker)
	values := secret.Values{"A": value}
	samples := []any{value, &value, values, wrapper{values, value, values, []secret.Value{value}}, &wrapper{private: value}}
	for _, sample := range samples {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			require.NotContains(t, fmt.Sprintf(verb, sample), marker)
			require.NotContains(t, fmt.Sprintf(verb, sample), fmt.Sprintf("%x", marker))
		}
		text, err := json.Marshal(sample)
		require.NoError(t, err)
		require.NotContains(t, string(text), marker)
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "sample", sample)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "sample", sample)
		require.NotContains(t, log.String(), marker)
	}
	require.Equal(t, marker, value.Reveal())
	require.Empty(t, secret.Value{}.Reveal())
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "game-db", "db.prod_1", "game.any id/with ünicode", "registry.example.com:5000", "registry.docker.io", "registry.[::1]:5000", strings.Repeat("a", 128)} {
		require.NoError(t, secret.ValidateName(name), name)
	}
	for _, name := range []string{"", "-a", "a-", "A", "a/b", "a b", "a\x00", "game.", "game..", "registry.", "registry.a/b", "registry.UPPER", strings.Repeat("a", 129)} {
		require.ErrorIs(t, secret.ValidateName(name), runtime.ErrInvalid, name)
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	require.NoError(t, secret.ValidateReference("g", "db"))
	require.NoError(t, secret.ValidateReference("g", secret.OfGame("g")))
	require.NoError(t, secret.ValidateReference("", secret.OfGame("g")))
	require.ErrorContains(t, secret.ValidateReference("g", secret.OfGame("other")), "belongs to another game")
	require.ErrorContains(t, secret.ValidateReference("g", secret.OfRegistry("docker.io")), "credentials of a registry")
	require.ErrorContains(t, secret.ValidateReference("g", "A B"), "not the name of a secret")
}

func TestValuesValidate(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range secret.MaxKeys + 1 {
		many[fmt.Sprint("K", i)] = ""
	}
	for name, texts := range map[string]map[string]string{
		"none":       {},
		"too many":   many,
		"bad key":    {"1A": marker},
		"dash":       {"A-B": marker},
		"NUL":        {"A": marker + "\x00"},
		"not UTF-8":  {"A": marker + "\xff"},
		"too large":  {"A": strings.Repeat(marker, secret.MaxBytes/len(marker)+1)},
		"one too ma": {"A": strings.Repeat("x", secret.MaxBytes)},
	} {
		err := secret.NewValues(texts).Validate()
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
		require.NotContains(t, err.Error(), marker, name)
	}
	require.NoError(t, secret.NewValues(map[string]string{"A": "multi\nline 'quoted' = ü", "_b": ""}).Validate())
	require.NoError(t, secret.NewValues(map[string]string{"A": strings.Repeat("x", secret.MaxBytes-1)}).Validate())
}

func TestEncodeVersionsEscapesNames(t *testing.T) {
	t.Parallel()
	require.Empty(t, secret.EncodeVersions(nil))
	require.Equal(t, "db@1f,game.a%2Cb%40c@2e", secret.EncodeVersions([]secret.Version{{"db", "1f"}, {"game.a,b@c", "2e"}}))
}

func TestGamesOfASecret(t *testing.T) {
	t.Parallel()
	m := secret.Metadata{Games: []string{"chess-*", "go"}}
	for gameID, want := range map[string]bool{"chess-1": true, "chess-": true, "go": true, "chess": false, "go-1": false, "": false, "xchess-1": false} {
		require.Equal(t, want, m.Permits(gameID), gameID)
	}
	require.True(t, secret.Metadata{}.Permits("any"))
	require.True(t, secret.Metadata{Games: []string{"*"}}.Permits("any"))

	input := func(name string, games ...string) secret.PutInput {
		return secret.PutInput{Name: name, Values: secret.NewValues(map[string]string{"A": "1"}), Games: games}
	}
	require.NoError(t, input("db", "chess-*", "ü", "*").Validate())
	for _, pattern := range []string{"", "a*b", "**", "\x00", "\xff", strings.Repeat("a", 257)} {
		require.ErrorIs(t, input("db", pattern).Validate(), runtime.ErrInvalid, pattern)
	}
	require.ErrorContains(t, input("db", make([]string, 65)...).Validate(), "are 65 patterns")
	require.ErrorContains(t, input(secret.OfGame("g"), "*").Validate(), "reserved name")
	require.ErrorContains(t, input(secret.OfRegistry("docker.io"), "*").Validate(), "reserved name")
}
