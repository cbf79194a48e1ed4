package dockerengine_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
)

// fixture is an Engine of a fresh store on the machine's engine.
type fixture struct {
	*dockerengine.Engine
	api   *client.Client
	store string
}

// newFixture opens an Engine whose config change may modify. It removes the containers when
// the test ends.
func newFixture(t *testing.T, change func(*dockerengine.Config)) *fixture {
	t.Helper()
	api := machine.open(t)
	store := "store-" + strings.ToLower(rand.Text()[:10])
	cfg := dockerengine.Config{Store: store, Region: "eu", Node: "n1"}
	if change != nil {
		change(&cfg)
	}
	engine, err := dockerengine.Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, engine.Close())
		removeContainers(t, api, store)
	})
	return &fixture{Engine: engine, api: api, store: store}
}

// removeContainers removes all containers of the store.
func removeContainers(t *testing.T, api *client.Client, store string) {
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	listed, err := api.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", "io.galaxy.rtmanager.store="+store),
	})
	require.NoError(t, err)
	for _, c := range listed.Items {
		_, err := api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		require.NoError(t, err)
	}
}

// spec returns the spec of a container of the game.
func (f *fixture) spec(game string) container.Spec {
	return container.Spec{
		Name: f.store + "-" + game + "-1",
		Labels: container.Labels{
			Store: f.store, GameID: game, Region: "eu", Node: "n1", Image: machine.image("1.0.0"), Generation: 1, OperationID: "op-" + game,
		},
		Env: map[string]string{},
	}
}

// create creates a container.
func (f *fixture) create(t *testing.T, spec container.Spec) container.Container {
	t.Helper()
	created, err := f.Create(t.Context(), spec)
	require.NoError(t, err)
	return created
}

// run creates a container and starts it.
func (f *fixture) run(t *testing.T, spec container.Spec) container.Container {
	t.Helper()
	created := f.create(t, spec)
	require.NoError(t, f.Start(t.Context(), created.ID))
	return f.inspect(t, created.ID)
}

func (f *fixture) inspect(t *testing.T, id string) container.Container {
	t.Helper()
	found, err := f.Inspect(t.Context(), id)
	require.NoError(t, err)
	return found
}

// waitExit waits until the container has exited.
func (f *fixture) waitExit(t *testing.T, id string) container.Container {
	t.Helper()
	var found container.Container
	require.Eventually(t, func() bool {
		found = f.inspect(t, id)
		return found.State == container.StateExited
	}, waitTimeout, 20*time.Millisecond, "the container exits")
	return found
}

// uncanceled returns the context of the test without its end, for cleanup.
func uncanceled(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
