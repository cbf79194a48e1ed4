package processengine_test

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine"
	"galaxy/rtmanager/internal/domain/container"
)

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestInvalidConfigs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for want, change := range map[string]func(*processengine.Config){
		"are required":    func(c *processengine.Config) { c.Dir = "" },
		"Dir, ImagesDir":  func(c *processengine.Config) { c.ImagesDir = "" },
		"Store and Node":  func(c *processengine.Config) { c.Node = "" },
		"has a =":         func(c *processengine.Config) { c.Dir = filepath.Join(c.Dir, "a=b") },
		"not a directory": func(c *processengine.Config) { c.ImagesDir = gameFile() },
	} {
		config := f.config(owner)
		change(&config)
		_, err := processengine.Open(config)
		require.ErrorContains(t, err, want)
	}
}

func TestASecondEngineOnTheDirectoryFails(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the lock")
	}
	f := newFixture(t)
	e := f.open(t)
	_, err := processengine.Open(f.config(owner))
	require.ErrorContains(t, err, "another engine uses the directory")
	require.NoError(t, e.Close())
	require.NoError(t, f.open(t).Close())
}

func TestKind(t *testing.T) {
	t.Parallel()
	require.Equal(t, container.EngineKindProcess, newFixture(t).open(t).Kind())
}
