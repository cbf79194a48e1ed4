package dockerengine_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// told is what a game says of itself.
type told struct {
	Env, Args        []string
	UID              int
	Status           string
	Root, Tmp, State bool
}

// ask asks the game of itself, as soon as it listens.
func ask(t *testing.T, endpoint string) told {
	t.Helper()
	var answer told
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		response, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}).Get(endpoint)
		require.NoError(c, err)
		defer response.Body.Close()
		require.NoError(c, json.NewDecoder(response.Body).Decode(&answer))
	}, patience, 20*time.Millisecond, "the game answers at %s", endpoint)
	return answer
}

func TestLifeOfAContainer(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec("g1")
	spec.Args = []string{"-a", "b c"}
	spec.Env = map[string]string{"MINE": "a=b", "PORT": "overridden"}
	spec.ContainerPort = 7000

	made := r.create(t, spec)
	require.Equal(t, container.Container{
		ID: made.ID, Name: spec.Name, Labels: spec.Labels, State: container.StateCreated, Image: spec.Labels.Image, Network: "bridge",
	}, made)
	require.Equal(t, made, r.create(t, spec), "the same operation again")

	require.NoError(t, r.Start(t.Context(), made.ID))
	running := r.inspect(t, made.ID)
	require.Equal(t, container.StateRunning, running.State)
	require.NotNil(t, running.StartedAt)
	require.Nil(t, running.ExitCode)
	require.Nil(t, running.ExitedAt)
	said := ask(t, running.Endpoint)
	require.Equal(t, []string{"-a", "b c"}, said.Args)
	require.Subset(t, said.Env, []string{
		"MINE=a=b", "PORT=7000", "RTMANAGER_GAME_ID=g1", "RTMANAGER_GENERATION=1", "RTMANAGER_IMAGE=" + spec.Labels.Image,
	})
	require.NoError(t, r.Start(t.Context(), made.ID), "it runs already")

	require.NoError(t, r.Stop(t.Context(), made.ID, 10*time.Second))
	exited := r.inspect(t, made.ID)
	require.Equal(t, container.StateExited, exited.State)
	require.Equal(t, 3, *exited.ExitCode, "it was asked, not killed")
	require.False(t, exited.ExitedAt.Before(*exited.StartedAt))
	require.Empty(t, exited.Endpoint)
	require.NoError(t, r.Stop(t.Context(), made.ID, time.Second), "it has exited already")

	require.NoError(t, r.Start(t.Context(), made.ID), "the same container resumes")
	again := r.inspect(t, made.ID)
	require.Equal(t, container.StateRunning, again.State)
	require.Nil(t, again.ExitCode)
	require.NoError(t, r.Remove(t.Context(), made.ID), "it runs")
	require.NoError(t, r.Remove(t.Context(), made.ID), "it is gone already")
	_, err := r.Inspect(t.Context(), made.ID)
	require.ErrorIs(t, err, container.ErrNoContainer)
	listed, err := r.List(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []container.Container{}, listed)
}

// The engine counts in seconds; a part of one is not none.
func TestStopWithAGraceOfLessThanASecond(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	running := r.run(t, r.spec("g1"))
	ask(t, running.Endpoint)
	require.NoError(t, r.Stop(t.Context(), running.ID, time.Millisecond))
	require.Equal(t, 3, *r.inspect(t, running.ID).ExitCode, "it was asked, not killed")
}
