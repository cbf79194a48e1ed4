package lifecycle_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// A node reports whether it has the image, and the recent failed starts of the image.
func TestOffer(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	offer := func(image string) node.Offer {
		offer, err := n.Service.Offer(t.Context(), "g", operation.Spec{Image: image})
		require.NoError(t, err)
		return offer
	}
	require.Equal(t, node.Offer{HasImage: true}, offer("gameserver:1.0.0"))
	require.Equal(t, node.Offer{}, offer("gameserver:9.9.9"))

	_, err := n.Service.Offer(t.Context(), "g", operation.Spec{Image: "gameserver"})
	require.ErrorIs(t, err, runtime.ErrInvalid, "the engine cannot run it")

	missing := nodetest.GameSpec("9.9.9")
	_, err = n.Execute(nodetest.StartOp("missing", missing))
	require.ErrorIs(t, err, container.ErrNoImage)
	require.Equal(t, 1, offer("gameserver:9.9.9").Failures)
	require.Zero(t, offer("gameserver:1.0.0").Failures, "failures count by image")
}
