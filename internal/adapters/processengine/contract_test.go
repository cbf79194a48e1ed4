package processengine_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/enginetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, func(t *testing.T) enginetest.Harness {
		f := newFixture(t)
		var latest *processengine.Engine
		return enginetest.Harness{
			Open: func(t *testing.T, owner enginetest.Owner) ports.Engine {
				if latest != nil {
					require.NoError(t, latest.Close())
				}
				opened, err := processengine.Open(f.config(owner))
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, opened.Close()) })
				latest = opened
				return opened
			},
			Image:        image,
			MissingImage: "gameserver:9.9.9",
			RunsGames:    true,
			ChecksPorts:  true,
			Kill: func(t *testing.T, c container.Container) {
				game, _ := f.pids(t, c.ID)
				kill(t, game)
			},
			RemoveExternally: func(t *testing.T, c container.Container) {
				if c.State == container.StateRunning {
					_, parent := f.pids(t, c.ID)
					kill(t, -parent) // its whole group
				}
				require.NoError(t, os.RemoveAll(f.containerDir(c.ID)))
			},
		}
	})
}
