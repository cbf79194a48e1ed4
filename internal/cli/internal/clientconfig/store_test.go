package clientconfig_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/clientconfig"
)

func newStore(t *testing.T) clientconfig.Store {
	t.Helper()
	return clientconfig.NewStore(filepath.Join(t.TempDir(), "rtmanager", "config.yaml"))
}

func set(t *testing.T, store clientconfig.Store, name string, c clientconfig.Context) {
	t.Helper()
	require.NoError(t, store.Update(func(file *clientconfig.File) error {
		file.Contexts[name], file.Current = c, name
		return nil
	}))
}

func TestContextsAreStored(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	empty, err := store.Load()
	require.NoError(t, err)
	require.Empty(t, empty)

	expiry := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	prod := clientconfig.Context{
		Server: "https://games.example.com:8080", CACert: "/ca.pem", Cert: "/c.pem", Key: "/c.key",
		Login: &clientconfig.Login{Issuer: "https://login.example.com", ClientID: "rtmanager", IDToken: "a.b.c", RefreshToken: "r", ExpiresAt: expiry},
	}
	set(t, store, "prod", prod)
	file, err := store.Load()
	require.NoError(t, err)
	require.Equal(t, clientconfig.File{Current: "prod", Contexts: map[string]clientconfig.Context{"prod": prod}}, file)

	info, err := os.Stat(store.Path())
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	info, err = os.Stat(filepath.Dir(store.Path()))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
}

func TestAFileOfOthersIsRejected(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o660, 0o604, 0o602, 0o610} {
		store := newStore(t)
		set(t, store, "prod", clientconfig.Context{Server: "https://a", Token: "secret"})
		require.NoError(t, os.Chmod(store.Path(), mode))
		_, err := store.Load()
		require.ErrorContains(t, err, "chmod 600", "%o", mode)
		require.NotContains(t, err.Error(), "secret")
		require.Error(t, store.Update(func(*clientconfig.File) error { return nil }), "%o", mode)
	}
	pipe := newStore(t)
	require.NoError(t, os.MkdirAll(pipe.Path(), 0o700)) // a directory in its place
	_, err := pipe.Load()
	require.ErrorContains(t, err, "not a regular file")
}

func TestInvalidContentIsRejected(t *testing.T) {
	t.Parallel()
	for content, reason := range map[string]string{
		"contexts: {prod: {server: https://a, password: hunter2}}": "unknown field",
		"contexts: [hunter2":                                                              "not valid YAML",
		"contexts: {prod: {server: hunter2}}":                                             "not the address",
		"contexts: {prod: {server: https://a, cert: hunter2}}":                            "together",
		"contexts: {prod: {server: https://a, token: hunter2, token-file: /f}}":           "exclude",
		"contexts: {prod: {server: https://a, token: 'hunter2 x'}}":                       "space",
		"contexts: {'a b': {server: https://a}}":                                          "cannot name a context",
		"contexts: {prod: {server: 'https://user:hunter2@a'}}":                            "not the address",
		"contexts: {prod: {server: https://a, token: " + strings.Repeat("a", 9000) + "}}": "bytes",
	} {
		store := newStore(t)
		require.NoError(t, os.MkdirAll(filepath.Dir(store.Path()), 0o700))
		require.NoError(t, os.WriteFile(store.Path(), []byte(content), 0o600))
		_, err := store.Load()
		require.ErrorContains(t, err, reason, content)
		require.NotContains(t, err.Error(), "hunter2")
		require.Error(t, store.Update(func(*clientconfig.File) error { return nil }), "it would lose the content")
		after, err := os.ReadFile(store.Path())
		require.NoError(t, err)
		require.Equal(t, content, string(after))
	}
}

func TestConcurrentChangesAreKept(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	var writers sync.WaitGroup
	for n := range 20 {
		writers.Go(func() {
			err := clientconfig.NewStore(store.Path()).Update(func(file *clientconfig.File) error {
				file.Contexts[fmt.Sprint(n)] = clientconfig.Context{Server: "https://a"}
				return nil
			})
			if err != nil {
				t.Errorf("update: %v", err)
			}
		})
	}
	writers.Wait()
	file, err := store.Load()
	require.NoError(t, err)
	require.Len(t, file.Contexts, 20)
}

func TestAFailedChangeLeavesTheFile(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	set(t, store, "prod", clientconfig.Context{Server: "https://a"})
	failure := errors.New("failed")
	err := store.Update(func(file *clientconfig.File) error {
		clear(file.Contexts)
		return failure
	})
	require.Equal(t, failure, err)
	file, err := store.Load()
	require.NoError(t, err)
	require.Contains(t, file.Contexts, "prod")
}

func TestALinkToTheFileIsKept(t *testing.T) {
	t.Parallel()
	target := filepath.Join(t.TempDir(), "dotfiles.yaml")
	require.NoError(t, os.WriteFile(target, []byte("{}"), 0o600))
	store := newStore(t)
	require.NoError(t, os.MkdirAll(filepath.Dir(store.Path()), 0o700))
	require.NoError(t, os.Symlink(target, store.Path()))
	set(t, store, "prod", clientconfig.Context{Server: "https://a"})
	linked, err := os.Readlink(store.Path())
	require.NoError(t, err)
	require.Equal(t, target, linked)
	file, err := clientconfig.NewStore(target).Load()
	require.NoError(t, err)
	require.Contains(t, file.Contexts, "prod")
}

func TestUserStore(t *testing.T) {
	t.Parallel()
	for want, env := range map[string]map[string]string{
		"/x/rtmanager/config.yaml":         {"XDG_CONFIG_HOME": "/x", "HOME": "/h"},
		"/h/.config/rtmanager/config.yaml": {"XDG_CONFIG_HOME": "relative", "HOME": "/h"},
		"":                                 {},
	} {
		store := clientconfig.UserStore(func(name string) (string, bool) { value, ok := env[name]; return value, ok })
		require.Equal(t, want, store.Path())
	}
	_, err := clientconfig.NewStore("").Load()
	require.NoError(t, err)
	require.ErrorContains(t, clientconfig.NewStore("").Update(nil), "set HOME")
}

func TestTokenFilesAreReadWhenTheyChange(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(name, []byte("first\n"), 0o600))
	file := clientconfig.NewTokenFile(name)
	token, err := file.Token()
	require.NoError(t, err)
	require.Equal(t, "first", token)
	require.NoError(t, os.WriteFile(name, []byte("second\n"), 0o600))
	require.Eventually(t, func() bool { token, err := file.Token(); return err == nil && token == "second" }, 30*time.Second, 10*time.Millisecond)

	require.NoError(t, os.Chmod(name, 0o644))
	_, err = clientconfig.NewTokenFile(name).Token()
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.Chmod(name, 0o600))
	require.NoError(t, os.WriteFile(name, []byte("two words"), 0o600))
	_, err = clientconfig.NewTokenFile(name).Token()
	require.ErrorContains(t, err, "space")
	require.NotContains(t, err.Error(), "words")
}
