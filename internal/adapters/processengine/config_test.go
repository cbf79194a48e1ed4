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

func TestConfigsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for want, spoil := range map[string]func(*processengine.Config){
		"are required":    func(c *processengine.Config) { c.Dir = "" },
		"Dir, ImagesDir":  func(c *processengine.Config) { c.ImagesDir = "" },
		"Store and Node":  func(c *processengine.Config) { c.Node = "" },
		"has a =":         func(c *processengine.Config) { c.Dir = filepath.Join(c.Dir, "a=b") },
		"not a directory": func(c *processengine.Config) { c.ImagesDir = gameFile() },
	} {
		config := s.config(owner)
		spoil(&config)
		_, err := processengine.Open(config)
		require.ErrorContains(t, err, want)
	}
}

func TestOneEngineUsesADirectory(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	_, err := processengine.Open(s.config(owner))
	require.ErrorContains(t, err, "another engine uses the directory")
	require.NoError(t, e.Close())
	require.NoError(t, s.open(t).Close())
}

func TestKind(t *testing.T) {
	t.Parallel()
	require.Equal(t, container.EngineKindProcess, newSite(t).open(t).Kind())
}
