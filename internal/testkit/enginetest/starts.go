package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// nowhere is the id of no container, though it looks like one.
const nowhere = "0123456789abcdef0123456789abcdef"

func startBehaviours() []behaviour {
	return []behaviour{
		{"a created container starts", startCreated},
		{"one that runs is left alone", startRunning},
		{"one that has exited starts again as the same container", startExited},
		{"no such container is ErrNoContainer", func(t *testing.T, r *rig) {
			for _, id := range noIDs {
				require.ErrorIs(t, r.engine.Start(t.Context(), id), container.ErrNoContainer, "start %q", id)
			}
		}},
		{"inspecting no such container is ErrNoContainer", func(t *testing.T, r *rig) {
			for _, id := range noIDs {
				_, err := r.engine.Inspect(t.Context(), id)
				require.ErrorIs(t, err, container.ErrNoContainer, "inspect %q", id)
			}
		}},
	}
}

// noIDs are ids that no container has, and some that no container could have.
var noIDs = []string{nowhere, "", "no-such-id", "..", "../x", "a/b"}

func startCreated(t *testing.T, r *rig) {
	created := r.create(t, r.spec("game"))
	c := r.start(t, created.ID)
	require.Equal(t, container.StateRunning, c.State)
	require.NotNil(t, c.StartedAt)
	require.Nil(t, c.ExitedAt)
	require.Nil(t, c.ExitCode)
	require.NotEmpty(t, c.Endpoint)
	require.Equal(t, created.Labels, c.Labels)
	require.Equal(t, created.Name, c.Name)
	require.Equal(t, created.Image, c.Image)
}

func startRunning(t *testing.T, r *rig) {
	first := r.run(t)
	require.Equal(t, first, r.start(t, first.ID))
}

func startExited(t *testing.T, r *rig) {
	first := r.run(t)
	stopped := r.stop(t, first.ID, 0)
	again := r.start(t, first.ID)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, container.StateRunning, again.State)
	require.Nil(t, again.ExitCode, "what it returned before is over")
	require.Nil(t, again.ExitedAt)
	require.False(t, again.StartedAt.Before(*stopped.ExitedAt), "it says when it started this time")
	require.Equal(t, first.Labels, again.Labels)
	require.Equal(t, first.StatePath, again.StatePath)
	if r.Games {
		game(again).ready(t)
	}
}
