package dockerengine

import (
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/ports"
)

// A container that exits at once can be noted to have done so before it had started.
func TestExitIsNotBeforeItsStart(t *testing.T) {
	t.Parallel()
	const start, end = "2026-03-01T12:00:00.000000300Z", "2026-03-01T12:00:00.000000200Z"
	described := new(Engine).describe(container.InspectResponse{
		State:  &container.State{Status: container.StateExited, StartedAt: start, FinishedAt: end},
		Config: &container.Config{}, HostConfig: &container.HostConfig{},
	}, ports.ContainerLabels{})
	require.NotNil(t, described.ExitedAt)
	require.Equal(t, *described.StartedAt, *described.ExitedAt)
}
