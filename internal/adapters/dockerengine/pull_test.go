package dockerengine_test

import (
	"crypto/rand"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestPull(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	// The engine knows layers by their content: this one it has not seen.
	registry := newRegistry(t, "games/engine", "2.0.0", append(slices.Clone(machine.binary), rand.Text()...))
	image := registry.host + "/games/engine:2.0.0"
	machine.remember(image)
	var seen []container.ImageProgress
	require.NoError(t, r.EnsureImage(t.Context(), image, func(p container.ImageProgress) { seen = append(seen, p) }))
	require.NotEmpty(t, seen)
	last := seen[len(seen)-1]
	require.NotEmpty(t, last.Text)
	require.Equal(t, last.BytesTotal, last.BytesDone)
	require.Positive(t, last.BytesTotal, "bytes of the layer: %v", seen)

	spec := r.spec("g1")
	spec.Labels.Image = image
	ask(t, r.run(t, spec).Endpoint)

	asked := registry.requests.Load()
	require.NoError(t, r.EnsureImage(t.Context(), image, nil), "it is there already")
	require.Equal(t, asked, registry.requests.Load(), "it is not looked for elsewhere")
}

func TestImageThatCannotBeHad(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	registry := newRegistry(t, "games/engine", "2.0.0", machine.binary)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	unreachable := listener.Addr().String()
	require.NoError(t, listener.Close())
	for name, image := range map[string]string{
		"no such version":  registry.host + "/games/engine:9.9.9",
		"no such image":    registry.host + "/games/other:2.0.0",
		"no such registry": unreachable + "/games/engine:2.0.0",
		"not a name":       "../containers/json",
		"empty":            "",
	} {
		require.ErrorIs(t, r.EnsureImage(t.Context(), image, nil), container.ErrNoImage, name)
	}
}

// A pull that breaks off says so.
func TestPullThatBreaksOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	registry := newRegistry(t, "games/engine", "2.0.0", []byte(rand.Text()))
	registry.corrupt.Store(true)
	err := r.EnsureImage(t.Context(), registry.host+"/games/engine:2.0.0", nil)
	require.ErrorIs(t, err, container.ErrNoImage)
}
