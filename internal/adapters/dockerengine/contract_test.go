package dockerengine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/gameports"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/enginetest"
)

func TestContract(t *testing.T) {
	api := machine.open(t)
	program := filepath.Join(t.TempDir(), "gameserver")
	require.NoError(t, enginetest.BuildGame(t.Context(), program, "1.0.0"))
	binary, err := os.ReadFile(program)
	require.NoError(t, err)
	image := machine.image("gameserver")
	require.NoError(t, machine.importImage(t.Context(), image, binary, "/game"))
	network := newNetwork(t, api)

	enginetest.Run(t, func(*testing.T) enginetest.Harness {
		gamePorts := enginetest.NewGamePorts()
		return enginetest.Harness{
			Open: func(t *testing.T, owner enginetest.Owner) ports.Engine {
				return openFor(t, owner, gamePorts, network)
			},
			GamePorts:    gamePorts,
			Image:        image,
			MissingImage: "127.0.0.1:1/" + image, // no registry listens there
			RunsGames:    true,
			ChecksPorts:  true,
			IsShared:     true,
			Network:      network,
			Limits:       true,
			Program:      func(container.Container) string { return "/game" },
			Kill: func(t *testing.T, c container.Container) {
				_, err := api.ContainerKill(t.Context(), c.ID, client.ContainerKillOptions{})
				require.NoError(t, err)
			},
			RemoveExternally: func(t *testing.T, c container.Container) {
				_, err := api.ContainerRemove(t.Context(), c.ID, client.ContainerRemoveOptions{Force: true})
				require.NoError(t, err)
			},
		}
	})
}

func openFor(t *testing.T, owner enginetest.Owner, gamePorts gameports.Range, networks ...string) ports.Engine {
	t.Helper()
	engine, err := dockerengine.Open(t.Context(), dockerengine.Config{Store: owner.Store, Region: owner.Region, Node: owner.Node, Networks: networks, GamePorts: gamePorts})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}
