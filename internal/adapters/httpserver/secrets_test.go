package httpserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/services/secrets"
	"galaxy/rtmanager/internal/testkit/memsecrets"
	"galaxy/rtmanager/internal/testkit/memstore"
)

const secretMarker = "hunter2-marker"

// newKeys is a source of one key.
type newKeys struct{ text string }

func (k newKeys) Load(context.Context) ([]byte, error) { return []byte(k.text), nil }

// newSecrets returns the service of secrets on a new store.
func newSecrets(t testing.TB, source secrets.KeySource) *secrets.Service {
	t.Helper()
	records := memstore.New()
	service, err := secrets.New(secrets.Dependencies{Store: memsecrets.New(), Keys: source, Records: records, Intents: records}, secrets.Config{StoreID: "s"})
	require.NoError(t, err)
	return service
}

func startWithSecrets(t testing.TB) (*fixture, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	f := start(t, httpserver.Config{
		Logger:  slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Secrets: newSecrets(t, newKeys{envelope.GenerateKey(time.Now())}),
	})
	return f, &log
}

func TestSecretsOverHTTP(t *testing.T) {
	t.Parallel()
	f, log := startWithSecrets(t)
	put := f.send("PUT", "/v1/secrets/db", "Rtmanager-Actor: ada\r\n", `{"values":{"PASSWORD":"`+secretMarker+`","USER":"u"}}`)
	require.Equal(t, 200, put.StatusCode, put.body)
	var stored api.Secret
	require.NoError(t, json.Unmarshal([]byte(put.body), &stored))
	require.Equal(t, []string{"PASSWORD", "USER"}, stored.Keys)
	require.Equal(t, "ada", stored.UpdatedBy)
	require.Equal(t, int64(1), stored.Version)
	for _, path := range []string{"/v1/secrets", "/v1/secrets/db", "/v1/secrets/db?reveal=false"} {
		got := f.send("GET", path, "", "")
		require.Equal(t, 200, got.StatusCode, got.body)
		require.NotContains(t, got.body, secretMarker, path)
		require.Contains(t, got.body, `"PASSWORD"`, path)
	}
	require.NotContains(t, put.body, secretMarker)
	revealed := f.send("GET", "/v1/secrets/db?reveal=true", "", "")
	require.Contains(t, revealed.body, secretMarker)
	require.Equal(t, "no-store", revealed.Header.Get("Cache-Control"))

	game := f.send("PUT", "/v1/secrets/game.a%2Fb", "", `{"values":{"A":"1"}}`)
	require.Equal(t, 200, game.StatusCode, game.body)
	require.Contains(t, game.body, `"name":"game.a/b"`)
	require.Equal(t, 200, f.send("POST", "/v1/secrets/rotate", "", "").StatusCode)
	require.Equal(t, 204, f.send("DELETE", "/v1/secrets/db", "", "").StatusCode)
	require.Equal(t, api.CodeSecretNotFound, tryProblem(f.send("DELETE", "/v1/secrets/db", "", "").body).Code)
	require.Equal(t, api.CodeSecretNotFound, tryProblem(f.send("GET", "/v1/secrets/db?reveal=true", "", "").body).Code)
	require.NotContains(t, log.String(), secretMarker)
}

func TestProblemsOfSecretsContainNoValue(t *testing.T) {
	t.Parallel()
	f, log := startWithSecrets(t)
	for name, tt := range map[string]struct{ path, body, location string }{
		"invalid key":        {"/v1/secrets/db", `{"values":{"1 A":"` + secretMarker + `"}}`, "body.values"},
		"NUL":                {"/v1/secrets/db", `{"values":{"A":"` + secretMarker + `\u0000"}}`, "body.values"},
		"number":             {"/v1/secrets/db", `{"values":{"A":"` + secretMarker + `","B":5}}`, "body.values"},
		"null":               {"/v1/secrets/db", `{"values":{"A":"` + secretMarker + `","B":null}}`, "body.values"},
		"list":               {"/v1/secrets/db", `{"values":["` + secretMarker + `"]}`, "body.values"},
		"text":               {"/v1/secrets/db", `{"values":"` + secretMarker + `"}`, "body.values"},
		"duplicate":          {"/v1/secrets/db", `{"values":{"A":"` + secretMarker + `","A":"` + secretMarker + `"}}`, "body"},
		"other member":       {"/v1/secrets/db", `{"values":{"A":"1"},"other":"` + secretMarker + `"}`, "body.other"},
		"truncated":          {"/v1/secrets/db", `{"values":{"A":"` + secretMarker, "body"},
		"trailing":           {"/v1/secrets/db", `{"values":{"A":"1"}}` + secretMarker, "body"},
		"invalid escape":     {"/v1/secrets/db", `{"values":{"A":"` + secretMarker + `\x"}}`, "body"},
		"games":              {"/v1/secrets/db", `{"values":{"A":"` + secretMarker + `"},"games":["a*b"]}`, "body.games"},
		"no values":          {"/v1/secrets/db", `{"values":{}}`, "body.values"},
		"missing":            {"/v1/secrets/db", `{}`, "body.values"},
		"too large":          {"/v1/secrets/db", `{"values":{"A":"` + strings.Repeat(secretMarker, 5000) + `"}}`, "body.values"},
		"name":               {"/v1/secrets/UPPER", `{"values":{"A":"` + secretMarker + `"}}`, "path.name"},
		"name with a slash":  {"/v1/secrets/a%2Fb", `{"values":{"A":"` + secretMarker + `"}}`, "path.name"},
		"name with NUL":      {"/v1/secrets/a%00b", `{"values":{"A":"` + secretMarker + `"}}`, "path.name"},
		"parent of the path": {"/v1/secrets/%2e%2e", `{"values":{"A":"` + secretMarker + `"}}`, "path.name"},
		"registry":           {"/v1/secrets/registry.a%2Fb", `{"values":{"A":"` + secretMarker + `"}}`, "path.name"},
	} {
		got := f.send("PUT", tt.path, "", tt.body)
		p := tryProblem(got.body)
		require.Equal(t, api.CodeInvalid, p.Code, "%s: %s", name, got.body)
		require.NotContains(t, got.body, secretMarker, name)
		require.NotEmpty(t, p.Errors, name)
		require.Equal(t, tt.location, p.Errors[0].Location, name)
	}
	require.NotContains(t, log.String(), secretMarker)
}

func TestADaemonWithoutKeysRejectsSecrets(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]httpserver.Config{"no service": {}, "no keys": {Secrets: newSecrets(t, nil)}} {
		f := start(t, cfg)
		got := f.send("PUT", "/v1/secrets/db", "", `{"values":{"A":"`+secretMarker+`"}}`)
		require.Equal(t, 501, got.StatusCode, name)
		require.Equal(t, api.CodeNoSecretKeys, tryProblem(got.body).Code, name)
		require.NotContains(t, got.body, secretMarker, name)
	}
}
