package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/logtest"
)

const secretMarker = "hunter2-marker"

// writeKeys writes a new key file.
func writeKeys(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(name, []byte(envelope.GenerateKey(time.Now())), 0o600))
	return name
}

// secretSettings returns the settings of a daemon with secrets, the process engine and the
// image game:1, which writes the variable PASSWORD to its state directory.
func secretSettings(t *testing.T) config.Config {
	t.Helper()
	cfg := newSettings(t)
	cfg.Engine, cfg.SecretsKeyFile = config.EngineProcess, writeKeys(t)
	image := filepath.Join(cfg.DataDir, "images", "game", "1")
	require.NoError(t, os.MkdirAll(filepath.Dir(image), 0o755))
	script := "#!/bin/sh\nprintf %s \"$PASSWORD\" | base64 >\"$HOME/password.new\"; mv \"$HOME/password.new\" \"$HOME/password\"; exec sleep 1000\n"
	require.NoError(t, os.WriteFile(image, []byte(script), 0o755))
	return cfg
}

// putSecret stores a secret with the value of PASSWORD.
func (r *runningDaemon) putSecret(t *testing.T, name, value string) {
	t.Helper()
	_, err := r.client.PutSecret(t.Context(), secret.PutInput{Name: name, Values: secret.NewValues(map[string]string{"PASSWORD": value}), Actor: "ada"})
	require.NoError(t, err)
}

// get returns the body of a GET of the API. A stream is read for a short time.
func (r *runningDaemon) get(t *testing.T, path string, timeout time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.API+path, nil)
	require.NoError(t, err)
	request.Header.Set("Accept", "application/x-ndjson, application/json, */*")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body) // a stream ends with ctx
	return string(body)
}

// requireNoFile fails if a file below the directory contains the text.
func requireNoFile(t *testing.T, dir, text string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // the file was removed in the meantime
		}
		if content, err := os.ReadFile(path); err == nil && bytes.Contains(content, []byte(text)) {
			return fmt.Errorf("%s contains it", path)
		}
		return nil
	}))
}

// A value reaches the game, and is in no other place.
func TestAValueIsInNoOtherPlaceThanTheGame(t *testing.T) {
	t.Parallel()
	cfg := secretSettings(t)
	log := &logtest.Buffer{}
	d := startLogged(t, cfg, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	d.putSecret(t, "db", secretMarker)
	d.putSecret(t, secret.OfRegistry("localhost:5000"), secretMarker)
	d.putSecret(t, secret.OfGame("g"), secretMarker+"-own")
	spec := sleepingGame()
	spec.Secrets = []string{"db", secret.OfGame("g")}
	d.execute(t, operation.KindStart, "g", spec)
	t.Cleanup(func() {
		_, err := d.client.Execute(context.WithoutCancel(t.Context()), ports.OperationRequest{GameID: "g", Kind: operation.KindStop, StopGrace: new(time.Duration)}, nil)
		require.NoError(t, err)
	})
	var password string
	require.Eventually(t, func() bool {
		files, _ := filepath.Glob(filepath.Join(cfg.DataDir, "nodes", "*", "*", "state", "g", "password"))
		if len(files) == 1 {
			text, err := os.ReadFile(files[0])
			require.NoError(t, err)
			password = string(text)
		}
		return password != ""
	}, timeout, 10*time.Millisecond)
	require.Equal(t, "aHVudGVyMi1tYXJrZXItb3du\n", password, "base64 of the marker and -own")

	_, err := d.client.Execute(t.Context(), ports.OperationRequest{GameID: "h", Kind: operation.KindStart, Spec: &operation.Spec{Image: "game:1", Secrets: []string{"db", "none"}}}, nil)
	require.ErrorIs(t, err, secret.ErrUnresolved)
	require.NotContains(t, err.Error(), secretMarker)

	for _, path := range []string{
		"/v1/secrets", "/v1/secrets/db", "/v1/runtimes", "/v1/runtimes/g", "/v1/runtimes/g/history", "/v1/runtimes/g/explain", "/v1/nodes",
		"/v1/drift", "/v1/cluster", "/metrics", "/v1/secrets/none?reveal=true", "/v1/secrets/DB?reveal=true",
	} {
		body := d.get(t, path, timeout)
		require.NotEmpty(t, body, path)
		require.NotContains(t, body, secretMarker, path)
	}
	watched := d.get(t, "/v1/watch", time.Second)
	require.Contains(t, watched, `"game_id":"g"`)
	require.NotContains(t, watched, secretMarker)

	client, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(d.Etcd, ",")})
	require.NoError(t, err)
	defer client.Close()
	all, err := client.Get(t.Context(), "", clientv3.WithPrefix())
	require.NoError(t, err)
	require.NotEmpty(t, all.Kvs)
	for _, kv := range all.Kvs {
		require.NotContains(t, string(kv.Key)+string(kv.Value), secretMarker)
	}
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	backup := cfg
	backup.EtcdEndpoints = strings.Split(d.Etcd, ",")
	saveBackup(t, backup, snapshot)
	requireNoFile(t, filepath.Dir(snapshot), secretMarker)
	requireNoFile(t, cfg.DataDir, secretMarker)
	require.Contains(t, log.String(), "secret written")
	require.NotContains(t, log.String(), secretMarker)
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range lines {
		if line, err := os.ReadFile(name); err == nil {
			require.NotContains(t, string(line), secretMarker, name)
		}
	}
}

func TestTheSecretOfAGameIsDeletedWithTheGame(t *testing.T) {
	t.Parallel()
	d := start(t, secretSettings(t))
	d.putSecret(t, secret.OfGame("g"), secretMarker)
	d.putSecret(t, secret.OfGame("g2"), secretMarker)
	spec := sleepingGame()
	spec.Secrets = []string{secret.OfGame("g")}
	d.execute(t, operation.KindStart, "g", spec)
	require.ErrorIs(t, d.client.DeleteSecret(t.Context(), secret.OfGame("g"), false, ""), secret.ErrInUse)
	_, err := d.client.Execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStop, StopGrace: new(time.Duration)}, nil)
	require.NoError(t, err)
	d.execute(t, operation.KindCleanup, "g", nil)
	require.NoError(t, d.client.Delete(t.Context(), ports.DeleteInput{GameID: "g"}))
	list, err := d.client.Secrets(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, secret.OfGame("g2"), list[0].Name)
}

// A backup that is restored into another cluster keeps its secrets, with the same keys.
func TestSecretsSurviveARestore(t *testing.T) {
	t.Parallel()
	cfg := newSettings(t)
	cfg.Engine, cfg.SecretsKeyFile = config.EngineNone, writeKeys(t)
	d := start(t, cfg)
	d.putSecret(t, "db", secretMarker)
	require.NoError(t, d.client.Upsert(t.Context(), record("g")))
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	backup := cfg
	backup.EtcdEndpoints = strings.Split(d.Etcd, ",")
	saveBackup(t, backup, snapshot)
	require.NoError(t, d.stop())

	restored := newSettings(t)
	restored.Engine, restored.SecretsKeyFile, restored.EtcdClusterToken = config.EngineNone, cfg.SecretsKeyFile, "restored"
	require.NoError(t, os.Remove(restored.DataDir))
	require.NoError(t, restore(t, restored, snapshot))
	second := start(t, restored)
	require.Equal(t, d.Store, second.Store, "nodes find their containers by the identity of the store")
	found, err := second.client.Secret(t.Context(), "db", true)
	require.NoError(t, err)
	require.Equal(t, secretMarker, found.Values["PASSWORD"])
	_, err = second.client.Get(t.Context(), "g")
	require.NoError(t, err)
}

func TestUnusableSecretKeysStopTheStart(t *testing.T) {
	t.Parallel()
	open := writeKeys(t)
	require.NoError(t, os.Chmod(open, 0o644))
	garbage := filepath.Join(t.TempDir(), "garbage")
	require.NoError(t, os.WriteFile(garbage, []byte(secretMarker), 0o600))
	for want, change := range map[string]func(*config.Config){
		"--secrets-key-file: load the keys of secrets: " + open:                    func(c *config.Config) { c.SecretsKeyFile = open },
		"line 1 of the keys is not a key":                                          func(c *config.Config) { c.SecretsKeyFile = garbage },
		"no such file":                                                             func(c *config.Config) { c.SecretsKeyFile = garbage + "-none" },
		"--secrets-key-command: load the keys of secrets: the key command failed":  func(c *config.Config) { c.SecretsKeyCommand = "echo " + secretMarker + "; exit 1" },
		"--secrets-key-command: load the keys of secrets: line 1 of the keys is":   func(c *config.Config) { c.SecretsKeyCommand = "echo " + secretMarker },
		"--secrets-key-file and --secrets-key-command exclude each other; set one": func(c *config.Config) { c.SecretsKeyCommand, c.SecretsKeyFile = "true", open },
	} {
		cfg := newSettings(t)
		cfg.Engine = config.EngineNone
		change(&cfg)
		err := startError(t, cfg)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), secretMarker)
	}
}

// A key command provides the keys, and a rotation runs it a second time.
func TestKeysOfACommand(t *testing.T) {
	t.Parallel()
	keys := writeKeys(t)
	cfg := newSettings(t)
	cfg.Engine, cfg.SecretsKeyCommand = config.EngineNone, "cat '"+keys+"'"
	d := start(t, cfg)
	d.putSecret(t, "db", secretMarker)
	text, err := os.ReadFile(keys)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keys, append([]byte(envelope.GenerateKey(time.Now())), text...), 0o600))
	rotation, err := d.client.RotateSecrets(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, rotation.Rewrapped)
	require.Empty(t, rotation.Failed)
	_, err = d.client.Secret(t.Context(), "none", true)
	require.ErrorIs(t, err, secret.ErrNotFound)
	require.NotErrorIs(t, err, runtime.ErrNotFound)
}

// A game that prints its secrets and fails does not put them into the failure, the ledger or the
// explanation.
func TestALogIsRedacted(t *testing.T) {
	t.Parallel()
	cfg := secretSettings(t)
	image := filepath.Join(cfg.DataDir, "images", "game", "leak")
	require.NoError(t, os.WriteFile(image, []byte("#!/bin/sh\necho connect to db://u:$PASSWORD@host\nsleep 0.2\nexit 3\n"), 0o755))
	runs := filepath.Join(cfg.DataDir, "images", "game", "runs")
	require.NoError(t, os.WriteFile(runs, []byte("#!/bin/sh\necho connect to db://u:$PASSWORD@host\nexec sleep 1000\n"), 0o755))
	d := start(t, cfg)
	d.putSecret(t, "db", secretMarker)
	spec := operation.Spec{Image: "game:leak", Secrets: []string{"db"}, HealthTimeout: operation.Duration(5 * time.Second)}
	_, err := d.client.Execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: &spec}, nil)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, "db://u:[redacted]@host")
	require.NotContains(t, err.Error(), secretMarker)
	require.NotContains(t, d.get(t, "/v1/runtimes/g/explain", timeout), secretMarker)

	spec.Image, spec.HealthPath = "game:runs", "none"
	d.execute(t, operation.KindStart, "h", &spec)
	t.Cleanup(func() {
		_, err := d.client.Execute(context.WithoutCancel(t.Context()), ports.OperationRequest{GameID: "h", Kind: operation.KindStop, StopGrace: new(time.Duration)}, nil)
		require.NoError(t, err)
	})
	require.Eventually(t, func() bool {
		return strings.Contains(d.get(t, "/v1/runtimes/h/explain", timeout), "db://u:[redacted]@host")
	}, timeout, 10*time.Millisecond)
	d.putSecret(t, "db", "changed")
	explained := d.get(t, "/v1/runtimes/h/explain", timeout)
	require.Contains(t, explained, "the log is withheld")
	require.NotContains(t, explained, secretMarker, "a former value")
	client, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(d.Etcd, ",")})
	require.NoError(t, err)
	defer client.Close()
	all, err := client.Get(t.Context(), "", clientv3.WithPrefix())
	require.NoError(t, err)
	for _, kv := range all.Kvs {
		require.NotContains(t, string(kv.Value), secretMarker)
	}
}
