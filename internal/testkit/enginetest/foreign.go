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
