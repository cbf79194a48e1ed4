package enginetest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// foreignTests tests that an engine ignores the containers of other owners.
func foreignTests() []contractTest {
	var tests []contractTest
	for name, change := range map[string]func(*Owner){
		"another store":  func(o *Owner) { o.Store = uuid.NewString() },
		"another region": func(o *Owner) { o.Region = "eu-west-2" },
		"another node":   func(o *Owner) { o.Node = "node-12" },
	} {
		tests = append(tests, contractTest{"an engine neither returns nor changes containers of " + name, func(t *testing.T, f *fixture) {
			other := f.owner
			change(&other)
			testForeign(t, f, other)
		}})
	}
	return tests
}

// testForeign opens an engine of another owner and calls every method with containers of
// the fixture.
func testForeign(t *testing.T, f *fixture, otherOwner Owner) {
	spec := f.spec("game")
	running, created := f.start(t, f.create(t, spec).ID), f.create(t, f.spec("game"))

	other := &fixture{Harness: f.Harness, owner: otherOwner, engine: f.Open(t, otherOwner)}
	require.Empty(t, other.list(t, ""))
	require.Empty(t, other.list(t, "game"))
	for _, c := range []container.Container{running, created} {
		other.requireMissing(t, c.ID)
		other.remove(t, c.ID) // returns nil, since the other owner has no such container
	}
	spec.Labels.Store, spec.Labels.Region, spec.Labels.Node = otherOwner.Store, otherOwner.Region, otherOwner.Node
	_, err := other.engine.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrContainerExists, "a name is unique on the node, for all owners")

	f.reopen(t)
	require.ElementsMatch(t, []container.Container{running, created}, f.list(t, ""), "the containers are unchanged")
}

// foreignRemovalTests tests RemoveForeign.
func foreignRemovalTests(h Harness) []contractTest {
	if !h.IsShared {
		return []contractTest{
			{"RemoveForeign does nothing on an engine that only one node uses", func(t *testing.T, f *fixture) {
				running := f.run(t)
				require.NoError(t, f.engine.RemoveForeign(t.Context(), "game", 0))
				require.Equal(t, []container.Container{running}, f.list(t, ""))
			}},
		}
	}
	return []contractTest{
		{"RemoveForeign removes the containers of the game that other nodes of the store have created, and no others", testRemoveForeign},
		{"RemoveForeign stops a container as Stop does, within the grace", func(t *testing.T, f *fixture) {
			running := f.run(t)
			if f.RunsGames {
				clientOf(running).waitReady(t) // it handles the signal
			}
			other := f.openAs(t, func(o *Owner) { o.Node = "node-12" })
			require.NoError(t, other.engine.RemoveForeign(t.Context(), "game", longGrace))
			require.Empty(t, f.list(t, ""))
		}},
	}
}

// openAs opens an engine of an owner that differs from that of the fixture.
func (f *fixture) openAs(t *testing.T, change func(*Owner)) *fixture {
	t.Helper()
	owner := f.owner
	change(&owner)
	other := &fixture{Harness: f.Harness, owner: owner, engine: f.Open(t, owner)}
	t.Cleanup(func() { other.removeAll(t) })
	return other
}

func testRemoveForeign(t *testing.T, f *fixture) {
	local := f.run(t)
	otherNode := f.openAs(t, func(o *Owner) { o.Node = "node-12" })
	otherRegion := f.openAs(t, func(o *Owner) { o.Region = "eu-west-2" })
	otherStore := f.openAs(t, func(o *Owner) { o.Store = uuid.NewString() })
	otherNode.create(t, otherNode.spec("game"))
	otherNode.stop(t, otherNode.run(t).ID, 0)
	otherNode.run(t, "--ignore-sigterm")
	otherRegion.run(t)
	otherGame := otherNode.create(t, otherNode.spec("another game"))
	ofOtherStore := otherStore.run(t)

	for range 2 { // a second call returns nil
		require.NoError(t, f.engine.RemoveForeign(t.Context(), "game", 0))
		require.Equal(t, []container.Container{local}, f.list(t, ""))
		require.Equal(t, []container.Container{otherGame}, otherNode.list(t, ""))
		require.Empty(t, otherRegion.list(t, ""))
		require.Equal(t, []container.Container{ofOtherStore}, otherStore.list(t, ""))
	}
}
