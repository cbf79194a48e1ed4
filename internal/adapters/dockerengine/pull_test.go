package dockerengine_test

import (
	"crypto/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestPull(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	// The engine identifies layers by their content; this layer is new.
	registry := newRegistry(t, "games/engine", "2.0.0", append(slices.Clone(machine.binary), rand.Text()...))
	image := registry.host + "/games/engine:2.0.0"
	machine.removeAtEnd(image)
	var reported []container.ImageProgress
	require.NoError(t, f.EnsureImage(t.Context(), image, func(p container.ImageProgress) { reported = append(reported, p) }))
	require.NotEmpty(t, reported)
	last := reported[len(reported)-1]
	require.NotEmpty(t, last.Text)
	require.Equal(t, last.BytesTotal, last.BytesDone)
	require.Positive(t, last.BytesTotal, "bytes of the layer: %v", reported)

	spec := f.spec("g1")
	spec.Labels.Image = image
	fetchReport(t, f.run(t, spec).Endpoint)

	requests := registry.requests.Load()
	require.NoError(t, f.EnsureImage(t.Context(), image, nil), "the image is on the node")
	require.Equal(t, requests, registry.requests.Load(), "no request to the registry")
}

func TestImagesThatCannotBePulled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	registry := newRegistry(t, "games/engine", "2.0.0", machine.binary)
	for name, image := range map[string]string{
		"no such version": registry.host + "/games/engine:9.9.9",
		"no such image":   registry.host + "/games/other:2.0.0",
		"invalid name":    "../containers/json",
		"empty":           "",
	} {
		require.ErrorIs(t, f.EnsureImage(t.Context(), image, nil), container.ErrNoImage, name)
	}
	err := f.EnsureImage(t.Context(), "127.0.0.1:1/games/engine:2.0.0", nil)
	require.ErrorIs(t, err, container.ErrRegistryUnreachable)
	require.NotErrorIs(t, err, container.ErrNoImage)
}

// The registry sends a corrupt layer.
func TestInterruptedPull(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	registry := newRegistry(t, "games/engine", "2.0.0", []byte(rand.Text()))
	registry.corrupt.Store(true)
	err := f.EnsureImage(t.Context(), registry.host+"/games/engine:2.0.0", nil)
	require.ErrorIs(t, err, container.ErrNoImage)
}
