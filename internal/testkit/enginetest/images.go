package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func imageBehaviours() []behaviour {
	return []behaviour{
		{"an image that is there is made available, however often", func(t *testing.T, r *rig) {
			require.NoError(t, r.engine.EnsureImage(t.Context(), r.Image, nil))
			require.NoError(t, r.engine.EnsureImage(t.Context(), r.Image, func(container.ImageProgress) {}))
		}},
		{"one that cannot be had is ErrNoImage and is named", func(t *testing.T, r *rig) {
			err := r.engine.EnsureImage(t.Context(), r.MissingImage, nil)
			require.ErrorIs(t, err, container.ErrNoImage)
			require.ErrorContains(t, err, r.MissingImage)
		}},
		{"Kind names the engine, without a call to it", func(t *testing.T, r *rig) {
			require.NotEmpty(t, r.engine.Kind())
			require.Equal(t, r.engine.Kind(), r.engine.Kind())
		}},
	}
}
