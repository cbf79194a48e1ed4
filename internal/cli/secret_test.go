package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/services/secrets"
	"galaxy/rtmanager/internal/testkit/memsecrets"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

const secretMarker = "hunter2-marker"

// keyFile is a source of the present content of a file.
type keyFile struct{ name string }

func (k keyFile) Load(context.Context) ([]byte, error) { return os.ReadFile(k.name) }

// serveSecrets serves a daemon with secrets and the keys of a new file.
func serveSecrets(t *testing.T) (server, keys string) {
	t.Helper()
	keys = filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(keys, []byte(envelope.GenerateKey(noon)), 0o600))
	store := memstore.New()
	service, err := secrets.New(secrets.Dependencies{Store: memsecrets.New(), Keys: keyFile{keys}, Records: store, Intents: store}, secrets.Config{StoreID: "s"})
	require.NoError(t, err)
	api, closeIdle, err := servertest.New(store, servertest.Config{Config: httpserver.Config{Secrets: service, Clock: func() time.Time { return noon }}})
	require.NoError(t, err)
	t.Cleanup(closeIdle)
	return serveHandler(t, api.Handler()), keys
}

func TestSecretSetListGetAndDelete(t *testing.T) {
	t.Parallel()
	server, _ := serveSecrets(t)
	env, cert := writeFile(t, "file", "# c\nA=1\nB=two words\n"), writeFile(t, "file", "line 1\nline 2\n")
	set := run(t, server, "secret", "set", "db", "--from-file", env, "CERT=@"+cert)
	set.requireCode(t, exit.OK, "set")
	require.Equal(t, "secret db stored: version 1, 3 values\n", set.out)

	run(t, server, "secret", "set", "db", "--from-file", env, "CERT=@"+cert, "--games", "chess-*").requireCode(t, exit.OK, "set --games")
	list := run(t, server, "secret", "list")
	list.requireCode(t, exit.OK, "list")
	require.Contains(t, list.out, "chess-*")
	require.Contains(t, list.out, "A,B,CERT")
	require.NotContains(t, list.out, "two words")
	got := run(t, server, "secret", "get", "db")
	require.NotContains(t, got.out, "two words")
	revealed := run(t, server, "secret", "get", "db", "--reveal")
	require.Equal(t, "A=1\nB=two words\nCERT=\"line 1\\nline 2\"\n", revealed.out)
	exact := run(t, server, "secret", "get", "db", "--reveal", "-o", "json")
	var found api.Secret
	require.NoError(t, json.Unmarshal([]byte(exact.out), &found))
	require.Equal(t, "line 1\nline 2", found.Values["CERT"])
	require.Equal(t, "ada", found.UpdatedBy)

	stdin := commandLine{args: []string{"secret", "set", "db", "PASSWORD=@-"}, server: server, stdin: secretMarker + "\r\n"}.run(t.Context())
	stdin.requireCode(t, exit.OK, "set from standard input")
	require.NotContains(t, stdin.out+stdin.err, secretMarker)
	require.Equal(t, "PASSWORD="+secretMarker+"\n", run(t, server, "secret", "get", "db", "--reveal").out)
	run(t, server, "secret", "delete", "db").requireCode(t, exit.OK, "delete")
	run(t, server, "secret", "delete", "db").requireCode(t, exit.NotFound, "delete a second time")
	run(t, server, "secret", "get", "db").requireCode(t, exit.NotFound, "get")
}

func TestSecretSetRejectsValuesAsArguments(t *testing.T) {
	t.Parallel()
	server, _ := serveSecrets(t)
	for want, args := range map[string][]string{
		"PASSWORD=… is a value on the command line": {"db", "PASSWORD=" + secretMarker},
		"an argument is not KEY=@FILE":              {"db", secretMarker},
		"not the NAME of a secret":                  {"PASSWORD=" + secretMarker},
		"line 1 is not NAME=VALUE":                  {"db", "--from-file", writeFile(t, "file", secretMarker)},
		"standard input can be used once":           {"db", "A=@-", "B=@-"},
		"A is given twice":                          {"db", "A=@-", "--from-file", writeFile(t, "file", "A="+secretMarker)},
		"there are no values":                       {"db"},
		"not the name of a secret":                  {"UPPER", "A=@-"},
	} {
		got := run(t, server, append([]string{"secret", "set"}, args...)...)
		got.requireCode(t, exit.Usage, args)
		require.Contains(t, got.err, want)
		require.NotContains(t, got.err, secretMarker)
	}
}

func TestSecretRotateAndGenerateKey(t *testing.T) {
	t.Parallel()
	server, keys := serveSecrets(t)
	commandLine{args: []string{"secret", "set", "db", "A=@-"}, server: server, stdin: "1"}.run(t.Context()).requireCode(t, exit.OK, "set")
	generated := run(t, "", "secret", "generate-key", "--file", keys)
	generated.requireCode(t, exit.OK, "generate-key")
	rotated := run(t, server, "secret", "rotate")
	rotated.requireCode(t, exit.OK, "rotate")
	require.Contains(t, rotated.out, "1 changed to it, 0 had it before, 0 failed")
	require.Contains(t, run(t, server, "secret", "rotate").out, "0 changed to it, 1 had it before")

	require.NoError(t, os.WriteFile(keys, []byte(envelope.GenerateKey(noon)), 0o600))
	failed := run(t, server, "secret", "rotate")
	failed.requireCode(t, exit.Failure, "rotate without the old keys")
	require.Contains(t, failed.err, "1 secret could not be changed")
	require.Contains(t, failed.out, "db: ")
}

func TestGenerateKeyWritesPrivateFiles(t *testing.T) {
	t.Parallel()
	printed := run(t, "", "secret", "generate-key")
	printed.requireCode(t, exit.OK, "generate-key")
	_, err := envelope.ParseKeyring([]byte(printed.out))
	require.NoError(t, err)

	name := filepath.Join(t.TempDir(), "keys")
	for range 2 {
		got := run(t, "", "secret", "generate-key", "--file", name)
		got.requireCode(t, exit.OK, "generate-key --file")
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		keyring, err := envelope.ParseKeyring(text)
		require.NoError(t, err)
		require.Equal(t, "wrote key "+keyring.NewestID()+" to "+name+"\n", got.out)
		for word := range strings.FieldsSeq(string(text)) {
			require.False(t, len(word) > 40 && strings.Contains(got.out, word), "no key is printed")
		}
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(text), "\n"), "the second key is before the first")

	require.NoError(t, os.Chmod(name, 0o644))
	got := run(t, "", "secret", "generate-key", "--file", name)
	got.requireCode(t, exit.Failure, "a file of mode 644")
	require.Contains(t, got.err, "chmod 600")
	other := writeFile(t, "file", "not a key file "+secretMarker)
	got = run(t, "", "secret", "generate-key", "--file", other)
	got.requireCode(t, exit.Failure, "a file of another kind")
	require.NotContains(t, got.err, secretMarker)
}

func TestSecretRegistry(t *testing.T) {
	t.Parallel()
	server, _ := serveSecrets(t)
	set := commandLine{
		args: []string{"secret", "registry", "set", "localhost:5000", "--username", "ci", "--password-stdin"}, server: server, stdin: secretMarker + "\n",
	}.run(t.Context())
	set.requireCode(t, exit.OK, "registry set")
	run(t, server, "secret", "registry", "set", "Index.docker.io", "--username", "ada", "--password-file", writeFile(t, "file", secretMarker)).requireCode(t, exit.OK, "docker hub")
	list := run(t, server, "secret", "registry", "list")
	require.Contains(t, list.out, "localhost:5000")
	require.Contains(t, list.out, "docker.io")
	require.NotContains(t, list.out, secretMarker)
	require.Equal(t, "PASSWORD="+secretMarker+"\nUSERNAME=ci\n", run(t, server, "secret", "get", "registry.localhost:5000", "--reveal").out)
	run(t, server, "secret", "registry", "delete", "localhost:5000").requireCode(t, exit.OK, "delete")
	require.NotContains(t, run(t, server, "secret", "registry", "list").out, "localhost")
	for _, args := range [][]string{
		{"set", "a/b", "--username", "u", "--password-stdin"}, {"set", "host", "--password-stdin"}, {"set", "host", "--username", "u"},
		{"set", "host", "--username", "u", "--password-stdin"}, {"delete"},
	} {
		run(t, server, append([]string{"secret", "registry"}, args...)...).requireCode(t, exit.Usage, args)
	}
}

func TestADaemonWithoutKeysHints(t *testing.T) {
	t.Parallel()
	server := serveHandler(t, func() *httpserver.Server {
		api, closeIdle, err := servertest.New(memstore.New(), servertest.Config{})
		require.NoError(t, err)
		t.Cleanup(closeIdle)
		return api
	}().Handler())
	got := commandLine{args: []string{"secret", "set", "db", "A=@-"}, server: server, stdin: "1"}.run(t.Context())
	got.requireCode(t, exit.Failure, "set")
	require.Contains(t, got.err, "no key for secrets")
	require.Contains(t, got.err, "--secrets-key-file")
}

func TestStartWithSecrets(t *testing.T) {
	t.Parallel()
	keys := writeFile(t, "keys", envelope.GenerateKey(noon))
	store := memstore.New()
	service, err := secrets.New(secrets.Dependencies{Store: memsecrets.New(), Keys: keyFile{keys}, Records: store, Intents: store}, secrets.Config{StoreID: "s"})
	require.NoError(t, err)
	manager := &fakeManager{}
	api, closeIdle, err := servertest.New(store, servertest.Config{
		Config: httpserver.Config{Region: "eu", Node: "n1", Secrets: service}, Local: manager, Nodes: testNodes()[:1],
	})
	require.NoError(t, err)
	t.Cleanup(closeIdle)
	server := serveHandler(t, api.Handler())
	env := writeFile(t, "env", "PASSWORD="+secretMarker+"\n")
	got := run(t, server, "start", "g", "--image", "game:1", "--secret", "db", "--secret", "cache", "--env-from-file", env)
	got.requireCode(t, exit.OK, "start")
	require.NotContains(t, got.out+got.err, secretMarker)
	require.Equal(t, []string{"db", "cache", "game.g"}, manager.requests[0].Spec.Secrets)
	require.Empty(t, manager.requests[0].Spec.Env)
	require.Equal(t, "PASSWORD="+secretMarker+"\n", run(t, server, "secret", "get", "game.g", "--reveal").out)

	for want, args := range map[string][]string{
		"line 1 is not NAME=VALUE":                         {"g", "--image", "game:1", "--env-from-file", writeFile(t, "env", secretMarker)},
		"which is not the name of a secret":                {"g", "--image", "game:1", "--secret", "UPPER"},
		"a secret has 1 to":                                {"g", "--image", "game:1", "--env-from-file", writeFile(t, "env", "# nothing")},
		"credentials of a registry":                        {"g", "--image", "game:1", "--secret", "registry.docker.io"},
		"cannot both be standard input":                    {"g", "-f", "-", "--env-from-file", "-"},
		"contain \"db\" twice":                             {"g", "--image", "game:1", "--secret", "db", "--secret", "db"},
		"--env-from-file requires a file with one KEY=VAL": {"g", "--image", "game:1", "--env-from-file", env + "-none"},
	} {
		got := run(t, server, append([]string{"start"}, args...)...)
		require.NotZero(t, got.code, args)
		require.Contains(t, got.err, want)
		require.NotContains(t, got.err, secretMarker)
	}
	require.Len(t, manager.requests, 1)
}
