package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func imageTests() []contractTest {
	return []contractTest{
		{"EnsureImage succeeds for an image on the node, any number of times", func(t *testing.T, f *fixture) {
			require.NoError(t, f.engine.EnsureImage(t.Context(), f.Image, nil))
			require.NoError(t, f.engine.EnsureImage(t.Context(), f.Image, func(container.ImageProgress) {}))
		}},
		{"EnsureImage returns ErrNoImage with the name of an image that cannot be obtained", func(t *testing.T, f *fixture) {
			err := f.engine.EnsureImage(t.Context(), f.MissingImage, nil)
			require.ErrorIs(t, err, container.ErrNoImage)
			require.ErrorContains(t, err, f.MissingImage)
		}},
		{"Kind names the engine, without a call to it", func(t *testing.T, f *fixture) {
			require.NotEmpty(t, f.engine.Kind())
			require.Equal(t, f.engine.Kind(), f.engine.Kind())
		}},
	}
}
