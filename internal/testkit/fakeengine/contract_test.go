package fakeengine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/enginetest"
	"galaxy/rtmanager/internal/testkit/fakeengine"
)

func TestContract(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, func(*testing.T) enginetest.Harness {
		machine := fakeengine.New("game:1.0.0")
		exit := func(t *testing.T, c container.Container, code int) {
			t.Helper()
			require.NoError(t, machine.Exit(c.ID, code))
		}
		return enginetest.Harness{
			Open: func(_ *testing.T, owner enginetest.Owner) ports.Engine {
				return machine.Engine(fakeengine.Owner(owner))
			},
			GamePorts: fakeengine.GamePorts(), Image: "game:1.0.0", MissingImage: "game:9.9.9", Network: "galaxy", Limits: true, IsShared: true,
			Kill:             func(t *testing.T, c container.Container) { exit(t, c, 128+9) },
			Crash:            exit,
			RemoveExternally: func(_ *testing.T, c container.Container) { machine.RemoveExternally(c.ID) },
		}
	})
}
