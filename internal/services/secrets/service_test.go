package secrets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdsecrets"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/secrets"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/memstore"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

const marker = "hunter2-marker"

// keyText is a source whose text a test replaces.
type keyText struct {
	mu    sync.Mutex
	text  string
	err   error
	loads int
}

func (k *keyText) Load(context.Context) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loads++
	return []byte(k.text), k.err
}

func (k *keyText) set(text string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text, k.err = text, err
}

func (k *keyText) loadCount() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.loads
}

type fixture struct {
	*secrets.Service
	client  *clientv3.Client
	prefix  string
	records *memstore.Store
	keys    *keyText
	log     *bytes.Buffer
	now     *atomic.Int64 // seconds
}

// daemon returns a further service on the store of the fixture, as another daemon has it.
func (f *fixture) daemon(t *testing.T, source secrets.KeySource, storeID string) *secrets.Service {
	t.Helper()
	service, err := secrets.New(secrets.Dependencies{
		Store: etcdsecrets.New(f.client, etcdsecrets.Options{Prefix: f.prefix}), Keys: source, Records: f.records, Intents: f.records,
	}, secrets.Config{
		StoreID: storeID, Clock: func() time.Time { return time.Unix(f.now.Load(), 0) },
		Logger: slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(t, err)
	return service
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		client: etcdtest.Client(t), prefix: etcdtest.Prefix(t), records: memstore.New(), log: &bytes.Buffer{}, now: &atomic.Int64{},
		keys: &keyText{text: newKey()},
	}
	f.now.Store(1_700_000_000)
	f.Service = f.daemon(t, f.keys, "store")
	return f
}

func newKey() string { return envelope.GenerateKey(time.Now()) }

func valuesOf(pairs ...string) secret.Values {
	values := secret.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = secret.NewValue(pairs[i+1])
	}
	return values
}

func (f *fixture) put(t *testing.T, name string, pairs ...string) secret.Metadata {
	t.Helper()
	m, err := f.Put(t.Context(), secret.PutInput{Name: name, Values: valuesOf(pairs...), Actor: "user:ada"})
	require.NoError(t, err)
	return m
}

func TestPutRevealAndList(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	m := f.put(t, "db", "PASSWORD", marker, "USER", "ada")
	require.Equal(t, int64(1), m.Version)
	require.Equal(t, []string{"PASSWORD", "USER"}, m.Keys)
	f.now.Add(60)
	m = f.put(t, "db", "PASSWORD", marker+"2")
	require.Equal(t, int64(2), m.Version)
	require.Equal(t, []string{"PASSWORD"}, m.Keys, "a write replaces all values")
	require.Equal(t, time.Minute, m.UpdatedAt.Sub(m.CreatedAt))

	found, values, err := f.Reveal(ctx, "db")
	require.NoError(t, err)
	require.Equal(t, m, found)
	require.Equal(t, map[string]string{"PASSWORD": marker + "2"}, values.Reveal())
	list, err := f.List(ctx)
	require.NoError(t, err)
	require.Equal(t, []secret.Metadata{m}, list)
	_, err = f.Get(ctx, "none")
	require.ErrorIs(t, err, secret.ErrNotFound)
	require.NotContains(t, f.log.String(), marker)
}

func TestEtcdNeverContainsAValue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(t, "db", "PASSWORD", marker)
	resp, err := f.client.Get(t.Context(), f.prefix, clientv3.WithPrefix())
	require.NoError(t, err)
	require.Len(t, resp.Kvs, 1)
	require.NotContains(t, string(resp.Kvs[0].Key)+string(resp.Kvs[0].Value), marker)
	require.Contains(t, string(resp.Kvs[0].Value), "PASSWORD", "names of values are not encrypted")
}

func TestADaemonWithoutKeysListsOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(t, "db", "A", marker)
	without := f.daemon(t, nil, "store")
	ctx := t.Context()
	require.NoError(t, without.LoadKeys(ctx))
	list, err := without.List(ctx)
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = without.Put(ctx, secret.PutInput{Name: "db", Values: valuesOf("A", "1")})
	require.ErrorIs(t, err, secret.ErrNoKeys)
	_, _, err = without.Reveal(ctx, "db")
	require.ErrorIs(t, err, secret.ErrNoKeys)
	_, err = without.Rotate(ctx)
	require.ErrorIs(t, err, secret.ErrNoKeys)
	_, err = without.ResolveSecrets(ctx, "g", []string{"db"})
	require.ErrorIs(t, err, secret.ErrUnresolved)
	require.ErrorIs(t, err, secret.ErrNoKeys)
	env, err := without.ResolveSecrets(ctx, "g", nil)
	require.NoError(t, err, "a game without secrets needs no keys")
	require.Empty(t, env.Values)
	_, _, found, err := without.CredentialsOf(ctx, "docker.io")
	require.NoError(t, err)
	require.False(t, found)
}

func TestUnusableKeysAreReportedWithoutTheirText(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.keys.set("k1 "+marker, nil)
	err := f.LoadKeys(t.Context())
	require.ErrorContains(t, err, "line 1 of the keys")
	require.NotContains(t, err.Error(), marker)
	f.keys.set("", errors.New("source failed"))
	require.ErrorContains(t, f.LoadKeys(t.Context()), "source failed")
}

func TestAWrongKeyIsUnreadable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(t, "db", "A", marker)
	wrong := f.daemon(t, &keyText{text: newKey()}, "store")
	_, _, err := wrong.Reveal(t.Context(), "db")
	require.ErrorIs(t, err, secret.ErrUnreadable)
	_, err = wrong.ResolveSecrets(t.Context(), "g", []string{"db"})
	require.ErrorIs(t, err, secret.ErrUnresolved)
	require.NotContains(t, err.Error(), marker)
	otherStore := f.daemon(t, f.keys, "another store")
	_, _, err = otherStore.Reveal(t.Context(), "db")
	require.ErrorIs(t, err, secret.ErrUnreadable)
}

func TestACiphertextOfAnotherNameOrATamperedOneIsRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.put(t, "db", "A", marker)
	f.put(t, "public", "A", "harmless")
	key := func(name string) string { return f.prefix + "/secrets/" + name }
	resp, err := f.client.Get(ctx, key("db"))
	require.NoError(t, err)
	original := string(resp.Kvs[0].Value)
	_, err = f.client.Put(ctx, key("public"), original)
	require.NoError(t, err)
	_, err = f.ResolveSecrets(ctx, "g", []string{"public"})
	require.ErrorIs(t, err, secret.ErrUnreadable, "copied to a name that another game may use")

	_, err = f.client.Put(ctx, key("db"), strings.Replace(original, `"version":1`, `"version":2`, 1))
	require.NoError(t, err)
	_, _, err = f.Reveal(ctx, "db")
	require.ErrorIs(t, err, secret.ErrUnreadable, "replayed as another version")

	tampered := strings.Replace(original, `"ciphertext":"A`, `"ciphertext":"B`, 1)
	if tampered == original {
		tampered = strings.Replace(original, `"ciphertext":"`, `"ciphertext":"AAAA`, 1)
	}
	_, err = f.client.Put(ctx, key("db"), tampered)
	require.NoError(t, err)
	_, _, err = f.Reveal(ctx, "db")
	require.ErrorIs(t, err, secret.ErrUnreadable)
	rotation, err := f.Rotate(ctx)
	require.NoError(t, err)
	require.Equal(t, 2, rotation.Current)
}

func TestRotate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	for i := range 5 {
		f.put(t, fmt.Sprint("s", i), "A", marker)
	}
	before, err := f.ResolveSecrets(ctx, "g", []string{"s0"})
	require.NoError(t, err)
	oldKey, newest := f.keys.text, newKey()
	f.keys.set(newest+oldKey, nil)
	rotation, err := f.Rotate(ctx)
	require.NoError(t, err)
	require.Equal(t, secret.Rotation{KeyID: strings.Fields(newest)[0], Rewrapped: 5}, rotation)
	rotation, err = f.Rotate(ctx)
	require.NoError(t, err)
	require.Equal(t, 5, rotation.Current, "a second rotation changes nothing")
	require.Zero(t, rotation.Rewrapped)

	f.keys.set(newest, nil)
	require.NoError(t, f.LoadKeys(ctx), "the old key can be removed")
	after, err := f.ResolveSecrets(ctx, "g", []string{"s0"})
	require.NoError(t, err)
	require.Equal(t, before, after, "values and fingerprints are the same")

	f.keys.set("no key", nil)
	_, err = f.Rotate(ctx)
	require.ErrorIs(t, err, secret.ErrNoKeys, "a problem of the settings, not of the program")
	require.ErrorContains(t, err, "line 1 of the keys has the id no and no key")
}

func TestRotateReportsSecretsOfMissingKeysAndContinues(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(t, "a", "A", marker)
	lost := f.keys.text
	second := newKey()
	f.keys.set(second, nil)
	require.NoError(t, f.LoadKeys(t.Context()))
	f.put(t, "b", "A", marker)
	newest := newKey()
	f.keys.set(newest+second, nil)
	rotation, err := f.Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, rotation.Rewrapped)
	require.Len(t, rotation.Failed, 1)
	require.Equal(t, "a", rotation.Failed[0].Name)
	require.Contains(t, rotation.Failed[0].Reason, strings.Fields(lost)[0])
	require.NotContains(t, rotation.Failed[0].Reason, marker)
	f.keys.set(newest+second+lost, nil)
	rotation, err = f.Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, rotation.Rewrapped)
	require.Empty(t, rotation.Failed)
}

func TestAnotherDaemonLoadsANewKeyByItself(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.put(t, "db", "A", marker)
	other := f.daemon(t, f.keys, "store")
	_, _, err := other.Reveal(ctx, "db")
	require.NoError(t, err)
	f.keys.set(newKey()+f.keys.text, nil)
	_, err = f.Rotate(ctx)
	require.NoError(t, err)

	_, _, err = other.Reveal(ctx, "db")
	require.ErrorIs(t, err, secret.ErrUnreadable, "the keys were loaded a moment before")
	f.now.Add(5)
	_, _, err = other.Reveal(ctx, "db")
	require.NoError(t, err)

	loads := f.keys.loadCount()
	lost := f.daemon(t, &keyText{text: newKey()}, "store")
	for range 20 {
		_, _, err = lost.Reveal(ctx, "db")
		require.ErrorIs(t, err, secret.ErrUnreadable)
	}
	require.Equal(t, loads, f.keys.loadCount())
}

func TestRotateUnderLoadLosesNoWrite(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	const count = 4
	for i := range count {
		f.put(t, fmt.Sprint("s", i), "A", "0")
	}
	stop := make(chan struct{})
	last := make([]string, count)
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() {
			name := fmt.Sprint("s", i)
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				text := fmt.Sprint(n)
				if _, err := f.Put(ctx, secret.PutInput{Name: name, Values: valuesOf("A", text)}); err != nil {
					t.Errorf("put %s: %v", name, err)
					return
				}
				last[i] = text
				if env, err := f.ResolveSecrets(ctx, "g", []string{name}); err != nil || env.Values["A"].Reveal() != text {
					t.Errorf("%s is %v, want %s: %v", name, env.Values.Reveal(), text, err)
					return
				}
			}
		})
	}
	for range 10 {
		f.keys.set(newKey()+f.keys.text, nil)
		rotation, err := f.Rotate(ctx)
		if err != nil || len(rotation.Failed) > 0 {
			t.Errorf("rotate: %+v, %v", rotation, err)
		}
	}
	close(stop)
	wg.Wait()
	rotation, err := f.Rotate(ctx)
	require.NoError(t, err)
	require.Equal(t, count, rotation.Rewrapped+rotation.Current)
	f.keys.set(strings.SplitAfter(f.keys.text, "\n")[0], nil)
	require.NoError(t, f.LoadKeys(ctx))
	for i := range count {
		_, values, err := f.Reveal(ctx, fmt.Sprint("s", i))
		require.NoError(t, err)
		require.Equal(t, last[i], values["A"].Reveal())
	}
}

func TestConcurrentPutsHaveVersionsInSequence(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			if _, err := f.Put(t.Context(), secret.PutInput{Name: "db", Values: valuesOf("A", fmt.Sprint(i))}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	m, err := f.Get(t.Context(), "db")
	require.NoError(t, err)
	require.Equal(t, int64(5), m.Version)
}

func TestResolveSecrets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.put(t, "a", "A", "a", "BOTH", "a")
	f.put(t, "b", "B", "b", "BOTH", "b")
	f.put(t, secret.OfGame("g"), "OWN", "g")
	f.put(t, secret.OfRegistry("docker.io"), secret.RegistryUser, "u", secret.RegistryPassword, marker)
	env, err := f.ResolveSecrets(ctx, "g", []string{"a", "b", secret.OfGame("g")})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"A": "a", "B": "b", "BOTH": "b", "OWN": "g"}, env.Values.Reveal())
	require.Len(t, env.Versions, 3)
	env, err = f.ResolveSecrets(ctx, "g", []string{"b", "a"})
	require.NoError(t, err)
	require.Equal(t, "a", env.Values["BOTH"].Reveal(), "a later secret takes precedence")

	for _, name := range []string{"none", secret.OfGame("other"), secret.OfRegistry("docker.io")} {
		_, err = f.ResolveSecrets(ctx, "g", []string{"a", name})
		require.ErrorIs(t, err, secret.ErrUnresolved, name)
		require.ErrorContains(t, err, name)
	}
	user, password, found, err := f.CredentialsOf(ctx, "docker.io")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "u", user)
	require.Equal(t, marker, password.Reveal())
}

func TestDeleteIsRejectedWhileAGameReferencesTheSecret(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.put(t, "db", "A", "1")
	record := runtime.RuntimeRecord{
		GameID: "g", Status: runtime.StatusRunning, CurrentContainerID: "c", CurrentImageRef: "i:1", Generation: 1,
		CreatedAt: time.Now(), LastOpAt: time.Now(),
	}
	require.NoError(t, f.records.Upsert(ctx, record))
	_, err := f.records.PutIntent(ctx, operation.Intent{GameID: "g", Spec: operation.Spec{Image: "i:1", Secrets: []string{"db"}}}, ports.IntentVersion{})
	require.NoError(t, err)

	err = f.Delete(ctx, "db", false, "")
	inUse := (*secret.InUseError)(nil)
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, []string{"g"}, inUse.Games)
	require.ErrorIs(t, f.Delete(ctx, "none", false, ""), secret.ErrNotFound)
	require.NoError(t, f.Delete(ctx, "db", true, ""))
	require.ErrorIs(t, f.Delete(ctx, "db", true, ""), secret.ErrNotFound)
}

func TestASecretIsForItsGamesOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	_, err := f.Put(ctx, secret.PutInput{Name: "db", Values: valuesOf("A", marker), Games: []string{"chess-*"}})
	require.NoError(t, err)
	env, err := f.ResolveSecrets(ctx, "chess-1", []string{"db"})
	require.NoError(t, err)
	require.Equal(t, marker, env.Values["A"].Reveal())
	_, err = f.ResolveSecrets(ctx, "go-1", []string{"db"})
	require.ErrorIs(t, err, secret.ErrUnresolved)
	require.ErrorContains(t, err, `secret "db" does not permit game "go-1"`)

	m := f.put(t, "db", "A", "2")
	require.Equal(t, []string{"chess-*"}, m.Games, "a write without games keeps them")
	key := f.prefix + "/secrets/db"
	resp, err := f.client.Get(ctx, key)
	require.NoError(t, err)
	_, err = f.client.Put(ctx, key, strings.Replace(string(resp.Kvs[0].Value), "chess-*", "*", 1))
	require.NoError(t, err)
	_, err = f.ResolveSecrets(ctx, "go-1", []string{"db"})
	require.ErrorIs(t, err, secret.ErrUnreadable, "games that were changed in etcd")

	_, err = f.Put(ctx, secret.PutInput{Name: "db", Values: valuesOf("A", marker), Games: []string{"*"}})
	require.NoError(t, err)
	_, err = f.ResolveSecrets(ctx, "go-1", []string{"db"})
	require.NoError(t, err)
}

// A daemon that has not rotated itself writes with the newest key nevertheless, so that the old
// one can be removed.
func TestAWriteUsesTheNewestKeyOfTheSource(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.put(t, "db", "A", marker)
	oldKey, newest := f.keys.text, newKey()
	f.keys.set(newest+oldKey, nil)
	require.Equal(t, strings.Fields(oldKey)[0], f.put(t, "db", "A", "1").KeyID, "the keys were loaded a moment before")
	f.now.Add(5)
	require.Equal(t, strings.Fields(newest)[0], f.put(t, "db", "A", "2").KeyID)

	f.now.Add(5)
	f.keys.set("", errors.New("source failed"))
	require.Equal(t, strings.Fields(newest)[0], f.put(t, "db", "A", "3").KeyID, "the previous keys")
	require.Contains(t, f.log.String(), "source failed")
	_, _, err := f.Reveal(ctx, "db")
	require.NoError(t, err)
}

func TestRotateContinuesAfterACorruptValue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(t, "db", "A", marker)
	_, err := f.client.Put(t.Context(), f.prefix+"/secrets/bad", marker)
	require.NoError(t, err)
	f.keys.set(newKey()+f.keys.text, nil)
	rotation, err := f.Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, rotation.Rewrapped)
	require.Len(t, rotation.Failed, 1)
	require.Contains(t, rotation.Failed[0].Reason, "/secrets/bad")
	require.NotContains(t, rotation.Failed[0].Reason, marker)
}

// slowKeys blocks every load after the first.
type slowKeys struct {
	text    string
	first   atomic.Bool
	release chan struct{}
}

func (k *slowKeys) Load(ctx context.Context) ([]byte, error) {
	if !k.first.Swap(true) {
		return []byte(k.text), nil
	}
	select {
	case <-k.release:
	case <-ctx.Done():
	}
	return nil, errors.New("slow")
}

func TestAHangingSourceDoesNotDelayReads(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	source := &slowKeys{text: f.keys.text, release: make(chan struct{})}
	service := f.daemon(t, source, "store")
	require.NoError(t, service.LoadKeys(t.Context()))
	f.put(t, "db", "A", marker)
	rotated := make(chan error, 1)
	go func() {
		_, err := service.Rotate(t.Context())
		rotated <- err
	}()
	for range 10 {
		_, _, err := service.Reveal(t.Context(), "db")
		require.NoError(t, err)
	}
	close(source.release)
	require.ErrorContains(t, <-rotated, "slow")
}
