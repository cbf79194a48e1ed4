package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// unknownID is a valid id that no container has.
const unknownID = "0123456789abcdef0123456789abcdef"

func startTests() []contractTest {
	return []contractTest{
		{"Start starts a created container", testStartCreated},
		{"Start of a running container changes nothing", testStartRunning},
		{"Start starts an exited container, which keeps its id", testStartExited},
		{"Start of an unknown container returns ErrNoContainer", func(t *testing.T, f *fixture) {
			for _, id := range unknownIDs {
				require.ErrorIs(t, f.engine.Start(t.Context(), id), container.ErrNoContainer, "start %q", id)
			}
		}},
		{"Inspect of an unknown container returns ErrNoContainer", func(t *testing.T, f *fixture) {
			for _, id := range unknownIDs {
				_, err := f.engine.Inspect(t.Context(), id)
				require.ErrorIs(t, err, container.ErrNoContainer, "inspect %q", id)
			}
		}},
	}
}

// unknownIDs are ids that no container has, including invalid ids.
var unknownIDs = []string{unknownID, "", "no-such-id", "..", "../x", "a/b"}

func testStartCreated(t *testing.T, f *fixture) {
	created := f.create(t, f.spec("game"))
	c := f.start(t, created.ID)
	require.Equal(t, container.StateRunning, c.State)
	require.NotNil(t, c.StartedAt)
	require.Nil(t, c.ExitedAt)
	require.Nil(t, c.ExitCode)
	require.NotEmpty(t, c.Endpoint)
	require.Equal(t, created.Labels, c.Labels)
	require.Equal(t, created.Name, c.Name)
	require.Equal(t, created.Image, c.Image)
}

func testStartRunning(t *testing.T, f *fixture) {
	first := f.run(t)
	require.Equal(t, first, f.start(t, first.ID))
}

func testStartExited(t *testing.T, f *fixture) {
	first := f.run(t)
	stopped := f.stop(t, first.ID, 0)
	restarted := f.start(t, first.ID)
	require.Equal(t, first.ID, restarted.ID)
	require.Equal(t, container.StateRunning, restarted.State)
	require.Nil(t, restarted.ExitCode, "a running container has no exit code")
	require.Nil(t, restarted.ExitedAt)
	require.False(t, restarted.StartedAt.Before(*stopped.ExitedAt), "StartedAt is the time of the latest start")
	require.Equal(t, first.Labels, restarted.Labels)
	require.Equal(t, first.StatePath, restarted.StatePath)
	if f.RunsGames {
		clientOf(restarted).waitReady(t)
	}
}
