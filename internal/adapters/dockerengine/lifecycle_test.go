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

// gameReport is how the process of a game describes itself.
type gameReport struct {
	Env, Args        []string
	UID              int
	Status           string
	Root, Tmp, State bool
}

// fetchReport returns the report of the game once it listens.
func fetchReport(t *testing.T, endpoint string) gameReport {
	t.Helper()
	var report gameReport
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		response, err := (&http.Client{Timeout: waitTimeout, Transport: &http.Transport{DisableKeepAlives: true}}).Get(endpoint)
		require.NoError(c, err)
		defer response.Body.Close()
		require.NoError(c, json.NewDecoder(response.Body).Decode(&report))
	}, waitTimeout, 20*time.Millisecond, "the game responds at %s", endpoint)
	return report
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	spec := f.spec("g1")
	spec.Args = []string{"-a", "b c"}
	spec.Env = map[string]string{"MINE": "a=b", "PORT": "overridden"}
	spec.ContainerPort = 7000

	created := f.create(t, spec)
	require.Equal(t, container.Container{
		ID: created.ID, Name: spec.Name, Labels: spec.Labels, State: container.StateCreated, Image: spec.Labels.Image, Network: "bridge",
		ImageDigest: created.ImageDigest,
	}, created)
	require.Equal(t, f.imageDigest(t, spec.Labels.Image), created.ImageDigest)
	require.Equal(t, created, f.create(t, spec), "a second Create of the same operation")

	require.NoError(t, f.Start(t.Context(), created.ID))
	running := f.inspect(t, created.ID)
	require.Equal(t, container.StateRunning, running.State)
	require.NotNil(t, running.StartedAt)
	require.Nil(t, running.ExitCode)
	require.Nil(t, running.ExitedAt)
	report := fetchReport(t, running.Endpoint)
	require.Equal(t, []string{"-a", "b c"}, report.Args)
	require.Subset(t, report.Env, []string{
		"MINE=a=b", "PORT=7000", "RTMANAGER_GAME_ID=g1", "RTMANAGER_GENERATION=1", "RTMANAGER_IMAGE=" + spec.Labels.Image,
	})
	require.NoError(t, f.Start(t.Context(), created.ID), "Start of a running container")

	require.NoError(t, f.Stop(t.Context(), created.ID, 10*time.Second))
	exited := f.inspect(t, created.ID)
	require.Equal(t, container.StateExited, exited.State)
	require.Equal(t, 3, *exited.ExitCode, "it received SIGTERM and was not killed")
	require.False(t, exited.ExitedAt.Before(*exited.StartedAt))
	require.Empty(t, exited.Endpoint)
	require.NoError(t, f.Stop(t.Context(), created.ID, time.Second), "Stop of an exited container")

	require.NoError(t, f.Start(t.Context(), created.ID), "Start of an exited container")
	restarted := f.inspect(t, created.ID)
	require.Equal(t, container.StateRunning, restarted.State)
	require.Nil(t, restarted.ExitCode)
	require.NoError(t, f.Remove(t.Context(), created.ID), "Remove of a running container")
	require.NoError(t, f.Remove(t.Context(), created.ID), "Remove of a removed container")
	_, err := f.Inspect(t.Context(), created.ID)
	require.ErrorIs(t, err, container.ErrNoContainer)
	listed, err := f.List(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []container.Container{}, listed)
}

// The engine takes the grace in seconds; a grace of less than a second is not 0.
func TestStopWithAGraceOfLessThanASecond(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	running := f.run(t, f.spec("g1"))
	fetchReport(t, running.Endpoint)
	require.NoError(t, f.Stop(t.Context(), running.ID, time.Millisecond))
	require.Equal(t, 3, *f.inspect(t, running.ID).ExitCode, "it received SIGTERM and was not killed")
}

func (f *fixture) imageDigest(t *testing.T, image string) string {
	t.Helper()
	digest, err := f.ImageDigest(t.Context(), image)
	require.NoError(t, err)
	require.NotEmpty(t, digest)
	return digest
}
