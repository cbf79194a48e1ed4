package etcdsecrets_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdsecrets"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

func newStore(t *testing.T) (*etcdsecrets.Store, *clientv3.Client, string) {
	t.Helper()
	client, prefix := etcdtest.Client(t), etcdtest.Prefix(t)
	return etcdsecrets.New(client, etcdsecrets.Options{Prefix: prefix}), client, prefix
}

func encryptedOf(name string, version int64) secret.Encrypted {
	at := time.Date(2026, 3, 1, 0, 0, int(version), 0, time.UTC)
	return secret.Encrypted{
		Metadata: secret.Metadata{
			Name: name, Version: version, Keys: []string{"A"}, Games: []string{"chess-*"}, KeyID: "k1", CreatedAt: at, UpdatedAt: at, UpdatedBy: "user:ada",
		},
		WrappedKey: []byte{1, 2, byte(version)}, Ciphertext: []byte{3, 4, byte(version)},
	}
}

func TestPutReplacesTheRevisionThatWasRead(t *testing.T) {
	t.Parallel()
	store, _, _ := newStore(t)
	ctx := t.Context()
	first, second := encryptedOf("db", 1), encryptedOf("db", 2)
	require.NoError(t, store.PutSecret(ctx, first, 0))
	require.NoError(t, store.PutSecret(ctx, first, 0), "a repeated call")
	require.ErrorIs(t, store.PutSecret(ctx, second, 0), secret.ErrConflict)

	found, err := store.GetSecrets(ctx, "none", "db")
	require.NoError(t, err)
	require.Zero(t, found[0])
	require.Equal(t, first, found[1].Encrypted)
	require.NoError(t, store.PutSecret(ctx, second, found[1].Revision))
	require.ErrorIs(t, store.PutSecret(ctx, encryptedOf("db", 3), found[1].Revision), secret.ErrConflict)

	require.ErrorIs(t, store.DeleteSecret(ctx, "db", found[1].Revision), secret.ErrConflict)
	found, err = store.GetSecrets(ctx, "db")
	require.NoError(t, err)
	require.NoError(t, store.DeleteSecret(ctx, "db", found[0].Revision))
	require.NoError(t, store.DeleteSecret(ctx, "db", found[0].Revision), "a repeated call")
	found, err = store.GetSecrets(ctx, "db")
	require.NoError(t, err)
	require.Zero(t, found[0].Revision)
}

func TestListIsOrderedByName(t *testing.T) {
	t.Parallel()
	store, client, prefix := newStore(t)
	ctx := t.Context()
	names := []string{"a", "b", secret.OfGame("g/1 ü"), secret.OfRegistry("host:5000")}
	for _, name := range names {
		require.NoError(t, store.PutSecret(ctx, encryptedOf(name, 1), 0))
	}
	list, err := store.ListSecrets(ctx)
	require.NoError(t, err)
	var listed []string
	for _, found := range list {
		listed = append(listed, found.Name)
	}
	require.Equal(t, names, listed)

	keys, err := client.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(t, err)
	require.Equal(t, prefix+"/secrets/game.g%2F1%20%C3%BC", string(keys.Kvs[2].Key))
}

func TestCorruptValuesAreNamedAndNotShown(t *testing.T) {
	t.Parallel()
	store, client, prefix := newStore(t)
	ctx := t.Context()
	require.NoError(t, store.PutSecret(ctx, encryptedOf("good", 1), 0))
	const marker = "marker-value"
	for i, value := range []string{marker, "{}", `{"format":2,"keys":["` + marker + `"]}`, `{"format":1,"version":1,"key_id":"` + marker + `"}`, `{"format":1,"version":"` + marker + `"}`} {
		_, err := client.Put(ctx, fmt.Sprintf("%s/secrets/bad%d", prefix, i), value)
		require.NoError(t, err)
		_, err = store.GetSecrets(ctx, fmt.Sprintf("bad%d", i))
		corrupt := (*runtime.CorruptError)(nil)
		require.True(t, errors.As(err, &corrupt), "%v", err)
		require.NotContains(t, err.Error(), marker)
	}
	_, err := client.Put(ctx, prefix+"/secrets/UPPER%zz", "{}")
	require.NoError(t, err)
	list, err := store.ListSecrets(ctx)
	require.ErrorIs(t, err, runtime.ErrCorrupt)
	require.Len(t, list, 1, "the others are listed")
}

func TestAReadOnlyStoreRejectsWritesAndDeletes(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t, etcdtest.Quota(1<<20))
	client := server.Client()
	store := etcdsecrets.New(client, etcdsecrets.Options{})
	ctx := t.Context()
	require.NoError(t, store.PutSecret(ctx, encryptedOf("db", 1), 0))
	found, err := store.GetSecrets(ctx, "db")
	require.NoError(t, err)
	filler := string(make([]byte, 256<<10))
	for i := 0; err == nil && i < 100; i++ {
		_, err = client.Put(ctx, fmt.Sprint("filler", i), filler)
	}
	require.Error(t, err)
	require.ErrorIs(t, store.PutSecret(ctx, encryptedOf("db", 2), found[0].Revision), runtime.ErrReadOnly)
	require.NoError(t, store.DeleteSecret(ctx, "db", found[0].Revision))
}

func TestAStoppedEtcdIsUnavailableOrAmbiguous(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	store := etcdsecrets.New(server.Client(), etcdsecrets.Options{CallTimeout: 100 * time.Millisecond, OperationTimeout: 300 * time.Millisecond})
	require.NoError(t, store.PutSecret(t.Context(), encryptedOf("db", 1), 0))
	server.Stop()
	_, err := store.GetSecrets(t.Context(), "db")
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	err = store.PutSecret(t.Context(), encryptedOf("db", 2), 1)
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
}

func TestAnotherClusterIsRejected(t *testing.T) {
	t.Parallel()
	client := etcdtest.Client(t)
	store := etcdsecrets.New(client, etcdsecrets.Options{Prefix: etcdtest.Prefix(t), ClusterID: 1})
	_, err := store.GetSecrets(t.Context(), "db")
	require.ErrorIs(t, err, runtime.ErrIncompatible)
}
