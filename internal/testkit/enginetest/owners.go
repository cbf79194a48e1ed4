package enginetest

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func ownerBehaviours() []behaviour {
	var behaviours []behaviour
	for name, change := range map[string]func(*Owner){
		"another store":  func(o *Owner) { o.Store = uuid.NewString() },
		"another region": func(o *Owner) { o.Region = "eu-west-2" },
		"another node":   func(o *Owner) { o.Node = "node-12" },
	} {
		behaviours = append(behaviours, behaviour{"containers of " + name + " are neither seen nor touched", func(t *testing.T, r *rig) {
			strange := r.owner
			change(&strange)
			strangersAreLeftAlone(t, r, strange)
		}})
	}
	return behaviours
}

func strangersAreLeftAlone(t *testing.T, r *rig, strange Owner) {
	spec := r.spec("game")
	mine, stopped := r.start(t, r.create(t, spec).ID), r.create(t, r.spec("game"))

	other := &rig{Harness: r.Harness, owner: strange, engine: r.Open(t, strange)}
	require.Empty(t, other.list(t, ""))
	require.Empty(t, other.list(t, "game"))
	for _, c := range []container.Container{mine, stopped} {
		other.requireGone(t, c.ID)
		other.remove(t, c.ID) // there is no such container, which is success
	}
	spec.Labels.Store, spec.Labels.Region, spec.Labels.Node = strange.Store, strange.Region, strange.Node
	_, err := other.engine.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrContainerExists, "a name is one container's on the node, whoever owns it")

	r.reopen(t)
	require.ElementsMatch(t, []container.Container{mine, stopped}, r.list(t, ""), "all is as it was")
}
