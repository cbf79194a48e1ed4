package enginetest

import (
	"errors"
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
		{"HasImage reports whether the image is on the node, and false for an invalid reference", func(t *testing.T, f *fixture) {
			for image, want := range map[string]bool{f.Image: true, f.MissingImage: false, "../x": false, "": false} {
				found, err := f.engine.HasImage(t.Context(), image)
				require.NoError(t, err, image)
				require.Equal(t, want, found, image)
			}
		}},
		{"PullImage succeeds for an image without a registry only if the engine has none", func(t *testing.T, f *fixture) {
			err := f.engine.PullImage(t.Context(), f.Image, nil)
			require.True(t, err == nil || errors.Is(err, container.ErrNoImage) || errors.Is(err, container.ErrRegistryUnreachable), "%v", err)
		}},
		{"ImageDigest is that of a container of the image, and empty for an image that is not on the node", func(t *testing.T, f *fixture) {
			for _, image := range []string{f.MissingImage, "../x", ""} {
				digest, err := f.engine.ImageDigest(t.Context(), image)
				require.NoError(t, err, image)
				require.Empty(t, digest, image)
			}
			digest, err := f.engine.ImageDigest(t.Context(), f.Image)
			require.NoError(t, err)
			require.NotEmpty(t, digest)
			require.Equal(t, digest, f.create(t, f.spec("g")).ImageDigest)
		}},
		{"EnsureImage returns ErrNoImage or ErrRegistryUnreachable with the name of an image that cannot be obtained", func(t *testing.T, f *fixture) {
			err := f.engine.EnsureImage(t.Context(), f.MissingImage, nil)
			require.True(t, errors.Is(err, container.ErrNoImage) || errors.Is(err, container.ErrRegistryUnreachable), "%v", err)
			require.ErrorContains(t, err, f.MissingImage)
		}},
		{"Kind names the engine, without a call to it", func(t *testing.T, f *fixture) {
			require.NotEmpty(t, f.engine.Kind())
			require.Equal(t, f.engine.Kind(), f.engine.Kind())
		}},
	}
}
