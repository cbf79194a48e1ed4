package processengine_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine"
	"galaxy/rtmanager/internal/adapters/processengine/internal/cgroups"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/enginetest"
)

// hasLimits reports whether this machine permits limits.
func hasLimits() bool {
	host := cgroups.Detect("/bin/sh")
	return host.CanLimitCPUs() && host.CanLimitMemory()
}

func TestContract(t *testing.T) {
	t.Parallel()
	runContract(t, hasLimits(), func(*processengine.Config) {})
}

// A machine without control groups has no limits, and all other features.
func TestContractWithoutControlGroups(t *testing.T) {
	t.Parallel()
	runContract(t, false, func(c *processengine.Config) { c.NoControlGroups = true })
}

func runContract(t *testing.T, hasLimits bool, configure func(*processengine.Config)) {
	enginetest.Run(t, func(t *testing.T) enginetest.Harness {
		f := newFixture(t)
		var latest *processengine.Engine
		gamePorts := enginetest.NewGamePorts()
		return enginetest.Harness{
			Open: func(t *testing.T, owner enginetest.Owner) ports.Engine {
				if latest != nil {
					require.NoError(t, latest.Close())
				}
				config := f.config(owner)
				config.GamePorts = gamePorts
				configure(&config)
				opened, err := processengine.Open(config)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, opened.Close()) })
				latest = opened
				return opened
			},
			GamePorts:    gamePorts,
			Image:        image,
			MissingImage: "gameserver:9.9.9",
			RunsGames:    true,
			ChecksPorts:  true,
			SignalsAll:   true,
			Limits:       hasLimits,
			Program:      func(c container.Container) string { return filepath.Join(f.containerDir(c.ID), "image") },
			Kill: func(t *testing.T, c container.Container) {
				game, _ := f.pids(t, c.ID)
				kill(t, game)
			},
			RemoveExternally: func(t *testing.T, c container.Container) {
				if c.State == container.StateRunning {
					_, parent := f.pids(t, c.ID)
					kill(t, -parent) // its whole group, so also the shim
				}
				// The killed processes may create a last file.
				require.Eventually(t, func() bool { return os.RemoveAll(f.containerDir(c.ID)) == nil }, waitTimeout, 10*time.Millisecond)
			},
		}
	})
}
