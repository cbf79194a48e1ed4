// Package enginetest is the contract of ports.Engine written as tests: every
// sentence there is a named behaviour here, and every engine runs them all.
package enginetest

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
)

// Owner is whose containers an engine sees.
type Owner struct{ Store, Region, Node string }

// Harness says how to get at an engine and what it is able to do. A nil function
// and a false flag are something that it does not have; the behaviours that need
// it are then not registered.
type Harness struct {
	// Open opens an engine as the daemon of this owner would: over the containers
	// that the engines before it left, those of other owners included. It cleans up
	// by t.Cleanup. Engines opened before are not used again, so it may close them.
	// A store is a fresh one in every behaviour.
	Open func(t *testing.T, owner Owner) ports.Engine

	// Image is there. It understands the flags of cmd/gameserver, --ignore-sigterm
	// and --slow-exit at least. MissingImage is not to be had.
	Image, MissingImage string

	// Kill kills the first process of a running game with signal 9, behind the
	// engine's back.
	Kill func(t *testing.T, c container.Container)

	// Games is set where Image is cmd/gameserver and really runs: it answers at its
	// endpoint, has variables and arguments, and writes lines.
	Games bool

	// Crash makes a running game exit by itself with the code. Nil asks the game,
	// which needs Games.
	Crash func(t *testing.T, c container.Container, code int)

	// Lose takes the container away, whatever it does, behind the engine's back.
	Lose func(t *testing.T, c container.Container)

	// TakesPorts is set where a port of the node that somebody else has keeps a
	// container from starting.
	TakesPorts bool

	// Network is a network that containers can join; empty if the engine has none.
	Network string

	// Limits is set if the engine can limit CPUs and memory.
	Limits bool
}

// behaviour is one promise, named by a sentence, with the steps that prove it.
type behaviour struct {
	name string
	test func(t *testing.T, r *rig)
}

// Run proves every behaviour with a harness of its own, in parallel, and removes
// the containers that it left.
func Run(t *testing.T, harness func(t *testing.T) Harness) {
	can := harness(t)
	for _, group := range []struct {
		name       string
		behaviours []behaviour
	}{
		{"image", imageBehaviours()},
		{"create", createBehaviours(can)},
		{"refusal", refusalBehaviours()},
		{"label", labelBehaviours()},
		{"start", startBehaviours()},
		{"port", portBehaviours(can)},
		{"game", gameBehaviours(can)},
		{"exit", exitBehaviours()},
		{"stop", stopBehaviours()},
		{"processes", processBehaviours(can)},
		{"remove", removeBehaviours()},
		{"lost", lostBehaviours(can)},
		{"list", listBehaviours()},
		{"logs", logBehaviours(can)},
		{"event", eventBehaviours()},
		{"reopen", reopenBehaviours()},
		{"owner", ownerBehaviours()},
		{"context", contextBehaviours()},
		{"race", raceBehaviours(can)},
	} {
		if len(group.behaviours) == 0 {
			continue
		}
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, b := range group.behaviours {
				t.Run(b.name, func(t *testing.T) {
					t.Parallel()
					b.test(t, newRig(t, harness(t)))
				})
			}
		})
	}
}

// rig is what a behaviour works with.
type rig struct {
	Harness
	owner  Owner
	engine ports.Engine
}

func newRig(t *testing.T, h Harness) *rig {
	t.Helper()
	r := &rig{Harness: h, owner: Owner{Store: uuid.NewString(), Region: "eu-west", Node: "node-1"}}
	r.reopen(t)
	return r
}

// reopen goes on with another engine of the same owner.
func (r *rig) reopen(t *testing.T) {
	t.Helper()
	engine := r.Open(t, r.owner)
	r.engine = engine
	t.Cleanup(func() { // runs before the harness closes the engine
		if r.engine == engine {
			r.removeAll(t)
		}
	})
}

// removeAll removes the owner's containers; one that is already gone is success.
func (r *rig) removeAll(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	containers, err := r.engine.List(ctx, "")
	require.NoError(t, err, "list what the behaviour left")
	for _, c := range containers {
		require.NoError(t, r.engine.Remove(ctx, c.ID), "remove what the behaviour left")
	}
}
