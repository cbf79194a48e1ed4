package dockerengine

import (
	"testing"

	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// The engine can record an exit before the start of a container that exits at once.
func TestExitIsNotBeforeStart(t *testing.T) {
	t.Parallel()
	const start, end = "2026-03-01T12:00:00.000000300Z", "2026-03-01T12:00:00.000000200Z"
	described := new(Engine).describe(mobycontainer.InspectResponse{
		State:  &mobycontainer.State{Status: mobycontainer.StateExited, StartedAt: start, FinishedAt: end},
		Config: &mobycontainer.Config{}, HostConfig: &mobycontainer.HostConfig{},
	}, container.Labels{})
	require.NotNil(t, described.ExitedAt)
	require.Equal(t, *described.StartedAt, *described.ExitedAt)
}

// The engine sets OOMKilled also if the kernel killed only a child of the game.
func TestOutOfMemoryOfAChildIsNoReasonForTheExit(t *testing.T) {
	t.Parallel()
	describe := func(code int) container.Container {
		return new(Engine).describe(mobycontainer.InspectResponse{
			State:  &mobycontainer.State{Status: mobycontainer.StateExited, ExitCode: code, OOMKilled: true},
			Config: &mobycontainer.Config{}, HostConfig: &mobycontainer.HostConfig{},
		}, container.Labels{})
	}
	require.False(t, describe(3).OOMKilled)
	require.True(t, describe(3).ChildOOMKilled)
	require.True(t, describe(137).OOMKilled)
	require.False(t, describe(137).ChildOOMKilled)
}
