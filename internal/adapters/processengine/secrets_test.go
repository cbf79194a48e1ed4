package processengine_test

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

const secretMarker = "hunter2-marker"

// fakeSecrets resolves the secret db.
type fakeSecrets struct {
	mu    sync.Mutex
	texts map[string]string
	err   error
}

func (f *fakeSecrets) set(texts map[string]string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts, f.err = texts, err
}

func (f *fakeSecrets) ResolveSecrets(context.Context, string, []string) (secret.Environment, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return secret.Environment{Values: secret.NewValues(f.texts)}, f.err
}

// openWithSecrets opens an engine with an image that writes its variables to the file env of
// its state directory.
func openWithSecrets(t *testing.T, texts map[string]string) (engine, *fakeSecrets) {
	f := newFixture(t)
	secrets := &fakeSecrets{texts: texts}
	config := f.config(owner)
	config.Secrets = secrets
	f.putScript(t, "show:1.0.0", `cat /proc/$$/environ >"$HOME/env.new"; mv "$HOME/env.new" "$HOME/env"; exec sleep 1000`)
	return f.openWith(t, config), secrets
}

func secretSpec() container.Spec {
	s := imageSpec("show:1.0.0")
	s.Secrets = []string{"db"}
	s.Labels.Secrets = "db@1"
	s.Env = map[string]string{"PLAIN": "p", "BOTH": "explicit"}
	return s
}

// variables returns the variables that the game has written.
func (e engine) variables(t *testing.T) map[string]string {
	t.Helper()
	file := filepath.Join(e.dir, "state", "a", "env")
	require.Eventually(t, func() bool { _, err := os.Stat(file); return err == nil }, waitTimeout, 10*time.Millisecond)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.Remove(file))
	found := map[string]string{}
	for variable := range strings.SplitSeq(strings.TrimSuffix(string(text), "\x00"), "\x00") {
		name, value, _ := strings.Cut(variable, "=")
		found[name] = value
	}
	return found
}

func TestAGameReceivesTheSecretsOfEachStart(t *testing.T) {
	t.Parallel()
	e, secrets := openWithSecrets(t, map[string]string{
		"PASSWORD": secretMarker, "LINES": "a\nb'\"$(id)\\ ü", "BOTH": "secret", "dir": "1", "IFS": "x", "UID": "7", "EMPTY": "", "PORT": "1",
	})
	c := e.create(t, secretSpec())
	require.Equal(t, "db@1", c.Labels.Secrets)
	require.NoError(t, e.Start(t.Context(), c.ID))
	found := e.variables(t)
	require.Equal(t, secretMarker, found["PASSWORD"])
	require.Equal(t, "a\nb'\"$(id)\\ ü", found["LINES"])
	require.Equal(t, "explicit", found["BOTH"], "explicit variables take precedence")
	require.Equal(t, "p", found["PLAIN"])
	require.NotEqual(t, "1", found["PORT"], "the port is that of the engine")
	for name, want := range map[string]string{"dir": "1", "IFS": "x", "UID": "7", "EMPTY": ""} {
		value, isSet := found[name]
		require.True(t, isSet, name)
		require.Equal(t, want, value, name)
	}
	names := "BOTH EMPTY HOME IFS LINES PASSWORD PATH PLAIN PORT RTMANAGER_CONTAINER_ID RTMANAGER_GAME_ID RTMANAGER_GENERATION RTMANAGER_IMAGE UID dir"
	for name := range maps.Keys(found) {
		require.Contains(t, strings.Fields(names), name, "no variable of the shell or the daemon")
	}

	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	secrets.set(map[string]string{"PASSWORD": "changed"}, nil)
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.Equal(t, "changed", e.variables(t)["PASSWORD"])
}

// No file of the engine and no argument of a process contains a value, at any time of a start.
func TestSecretsAreNeitherOnDiskNorInArguments(t *testing.T) {
	t.Parallel()
	e, _ := openWithSecrets(t, map[string]string{"PASSWORD": secretMarker})
	c := e.create(t, secretSpec())
	done := make(chan struct{})
	leaks := make(chan string, 1)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if leak := findArgument(secretMarker); leak != "" {
				select {
				case leaks <- leak:
				default:
				}
			}
		}
	})
	for range 5 {
		require.NoError(t, e.Start(t.Context(), c.ID))
		require.Equal(t, secretMarker, e.variables(t)["PASSWORD"])
		e.requireNoFileContains(t, secretMarker)
		require.NoError(t, e.Stop(t.Context(), c.ID, 0))
	}
	close(done)
	watcher.Wait()
	require.Empty(t, leaks, "arguments of a process")
	require.NoError(t, e.Remove(t.Context(), c.ID))
}

// findArgument returns the arguments of a process that contain the text, except of this one.
func findArgument(text string) string {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		if line, err := os.ReadFile(name); err == nil && strings.Contains(string(line), text) && !strings.Contains(name, fmt.Sprint(os.Getpid())) {
			return string(line)
		}
	}
	return ""
}

func (e engine) requireNoFileContains(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(e.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(content), text) {
			return fmt.Errorf("%s contains it", path)
		}
		return err
	}))
}

func TestASecretThatCannotBeProvidedFailsTheStart(t *testing.T) {
	t.Parallel()
	e, secrets := openWithSecrets(t, nil)
	c := e.create(t, secretSpec())
	secrets.set(nil, fmt.Errorf("%w: %w", secret.ErrUnresolved, &secret.NotFoundError{Name: "db"}))
	err := e.Start(t.Context(), c.ID)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorIs(t, err, secret.ErrUnresolved)
	require.ErrorContains(t, err, `"db"`)
	secrets.set(nil, runtime.ErrUnavailable)
	require.ErrorIs(t, e.Start(t.Context(), c.ID), container.ErrEngineUnavailable)
	found, err := e.Inspect(t.Context(), c.ID)
	require.NoError(t, err)
	require.Equal(t, container.StateCreated, found.State)
	secrets.set(map[string]string{"A": "1"}, nil)
	require.NoError(t, e.Start(t.Context(), c.ID))
}

func TestAnEngineWithoutSecretsRejectsThem(t *testing.T) {
	t.Parallel()
	e := newFixture(t).open(t)
	s := spec("a")
	s.Secrets = []string{"db"}
	require.ErrorIs(t, e.ValidateSpec(t.Context(), s), runtime.ErrInvalid)
	_, err := e.Create(t.Context(), s)
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

func TestAnImageThatCannotBeExecutedWithSecretsExits(t *testing.T) {
	t.Parallel()
	e, _ := openWithSecrets(t, map[string]string{"A": secretMarker})
	path := e.putScript(t, "broken:1.0.0", "")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte("\x7fELF broken"), 0o755))
	s := secretSpec()
	s.Labels.Image = "broken:1.0.0"
	c := e.start(t, s)
	require.Eventually(t, func() bool {
		found, err := e.Inspect(t.Context(), c.ID)
		return err == nil && found.State == container.StateExited && found.ExitCode != nil && *found.ExitCode >= 126
	}, waitTimeout, 10*time.Millisecond)
	lines, err := e.Logs(t.Context(), c.ID, 10)
	require.NoError(t, err)
	require.NotEmpty(t, lines)
	require.NotContains(t, strings.Join(lines, "\n"), secretMarker)
}
