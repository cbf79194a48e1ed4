package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/cluster"
	"galaxy/rtmanager/internal/testkit/memstore"
)

func ref(region, name string) node.Ref { return node.Ref{Region: region, Name: name} }

// local is the result of Route for this node.
const local = "local"

// route returns the node that Route selects, or its error.
func (f *fixture) route(ctx context.Context, kind operation.Kind, requested node.Ref, forwarded bool) (string, error) {
	target, release, err := f.Route(ctx, &ports.OperationRequest{GameID: "g", Kind: kind, Spec: &operation.Spec{Image: "game:1.0.0"}}, requested, forwarded)
	if release != nil {
		defer release()
	}
	switch {
	case err != nil:
		return "", err
	case target == nil:
		return local, nil
	}
	return target.Ref().String(), nil
}

func TestRoute(t *testing.T) {
	t.Parallel()
	const start, stop = operation.KindStart, operation.KindStop
	for name, row := range map[string]struct {
		home      string // the node of the game's record in eu; empty for no record
		status    runtime.Status
		noEngine  bool
		kind      operation.Kind
		requested node.Ref
		forwarded bool
		want      string
		err       error
	}{
		"new game":                               {kind: start, want: local},
		"new game in this region":                {kind: start, requested: ref("eu", ""), want: local},
		"new game in another region":             {kind: start, requested: ref("us", ""), want: "us/u1"},
		"new game on another node":               {kind: start, requested: ref("eu", "n2"), want: "eu/n2"},
		"new game on a node of this region":      {kind: start, requested: ref("", "n2"), want: "eu/n2"},
		"new game on an absent node":             {kind: start, requested: ref("eu", "n9"), err: node.ErrUnreachable},
		"new game in an empty region":            {kind: start, requested: ref("ap", ""), err: node.ErrUnreachable},
		"new game without a local engine":        {noEngine: true, kind: start, want: "eu/n2"},
		"new game here without a local engine":   {noEngine: true, kind: start, requested: ref("eu", "n1"), err: node.ErrNoEngine},
		"forwarded new game":                     {kind: start, forwarded: true, want: local},
		"forwarded new game of another region":   {kind: start, requested: ref("us", ""), forwarded: true, err: node.ErrMisrouted},
		"unknown game":                           {kind: stop, want: local},
		"unknown game without a local engine":    {noEngine: true, kind: stop, err: runtime.ErrNotFound},
		"local game":                             {home: "n1", status: runtime.StatusRunning, kind: stop, want: local},
		"local game without a local engine":      {home: "n1", status: runtime.StatusRunning, noEngine: true, kind: stop, err: node.ErrNoEngine},
		"game of another node":                   {home: "n2", status: runtime.StatusRunning, kind: stop, want: "eu/n2"},
		"game of an absent node":                 {home: "n9", status: runtime.StatusRunning, kind: stop, err: node.ErrUnreachable},
		"forwarded game of another node":         {home: "n2", status: runtime.StatusRunning, kind: stop, forwarded: true, err: node.ErrMisrouted},
		"start of a placed game":                 {home: "n2", status: runtime.StatusRunning, kind: start, want: "eu/n2"},
		"start of a placed game on its node":     {home: "n2", status: runtime.StatusRunning, kind: start, requested: ref("eu", "n2"), want: "eu/n2"},
		"start of a placed game on another node": {home: "n2", status: runtime.StatusRunning, kind: start, requested: ref("eu", "n1"), err: operation.ErrRejected},
		"start of a removed game":                {home: "n2", status: runtime.StatusRemoved, kind: start, want: "eu/n2"},
		"start of a removed game elsewhere":      {home: "n2", status: runtime.StatusRemoved, kind: start, requested: ref("us", ""), want: "us/u1"},
		"start of a removed game, node absent":   {home: "n9", status: runtime.StatusRemoved, kind: start, want: local},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(&fakeLocal{})
			if row.noEngine {
				f = newFixture(nil)
			}
			if row.home != "" {
				f.put(t, "g", "eu", row.home, row.status)
			}
			got, err := f.route(t.Context(), row.kind, row.requested, row.forwarded)
			require.ErrorIs(t, err, row.err)
			require.Equal(t, row.want, got)
		})
	}
}

// A new game goes to the best node of the region, whichever daemon receives the start.
func TestRouteSelectsTheBestNodeOfTheRegion(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, row := range map[string]struct {
		noEngine bool
		running  []string // nodes of eu that run a game
		n1, n2   fakeLocal
		want     string
	}{
		"equal nodes":                  {want: local},
		"fewer games":                  {running: []string{"n1"}, want: "eu/n2"},
		"never another region":         {noEngine: true, running: []string{"n2", "n2"}, want: "eu/n2"},
		"image on the other node":      {n2: fakeLocal{offer: node.Offer{HasImage: true}}, want: "eu/n2"},
		"recent failures here":         {n1: fakeLocal{offer: node.Offer{HasImage: true, Failures: 1}}, want: "eu/n2"},
		"the local node cannot run it": {n1: fakeLocal{offerErr: broken}, want: "eu/n2"},
		"the other node cannot run it": {running: []string{"n1"}, n2: fakeLocal{offerErr: broken}, want: local},
		"no node can run it":           {running: []string{"n1"}, n1: fakeLocal{offerErr: broken}, n2: fakeLocal{offerErr: broken}, want: "eu/n2"},
		"starts in progress at a node": {n1: fakeLocal{offer: node.Offer{Starting: 2}}, want: "eu/n2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(&row.n1)
			if row.noEngine {
				f = newFixture(nil)
			}
			*f.peer.nodes["n2"] = row.n2
			for i, name := range row.running {
				f.put(t, fmt.Sprintf("other-%d", i), "eu", name, runtime.StatusRunning)
			}
			got, err := f.route(t.Context(), operation.KindStart, node.Ref{}, false)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
		})
	}
}

// A repeated start reaches the operation that it repeats.
func TestRouteFindsTheOperationInProgress(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{})
	_, err := f.store.PutIntent(t.Context(), operation.Intent{GameID: "g", Current: &operation.Operation{
		ID: "op", Kind: operation.KindStart, Region: "eu", Node: "n2",
	}}, ports.IntentVersion{})
	require.NoError(t, err)
	got, err := f.route(t.Context(), operation.KindStart, node.Ref{}, false)
	require.NoError(t, err)
	require.Equal(t, "eu/n2", got)
}

// A stop during a move goes to the node that runs the move, unless that is absent. Each of the two nodes
// accepts a forwarded stop that belongs there.
func TestRouteOfAStopDuringAMove(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ target, want string }{
		"move at its target":          {"n2", "eu/n2"},
		"move at its source":          {"n1", local},
		"move whose target is absent": {"n9", local},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(&fakeLocal{})
			f.put(t, "g", "eu", "n1", runtime.StatusRunning)
			_, err := f.store.PutIntent(t.Context(), operation.Intent{GameID: "g", Current: &operation.Operation{
				ID: "op", Kind: operation.KindMove, Region: "eu", Node: row.target, Session: 1,
			}}, ports.IntentVersion{})
			require.NoError(t, err)
			got, err := f.route(t.Context(), operation.KindStop, node.Ref{}, false)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			got, err = f.route(t.Context(), operation.KindRestart, node.Ref{}, false)
			require.NoError(t, err)
			require.Equal(t, local, got, "other requests go to the node of the record")
		})
	}
}

// A daemon that is not part of a cluster knows only itself.
func TestServiceWithoutACluster(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	s := cluster.New(cluster.Dependencies{Records: store}, cluster.Config{Region: "eu", Node: "n1"})
	_, err := s.Nodes(t.Context())
	require.ErrorIs(t, err, node.ErrNotMember)
	_, err = s.Drift(t.Context())
	require.ErrorIs(t, err, node.ErrNoEngine)
	_, release, err := s.Route(t.Context(), &ports.OperationRequest{GameID: "g", Kind: operation.KindStart}, node.Ref{}, false)
	require.Nil(t, release)
	require.ErrorIs(t, err, node.ErrNoEngine)
	_, err = s.Execute(t.Context(), ports.OperationRequest{}, nil)
	require.ErrorIs(t, err, node.ErrNoEngine)
	_, err = s.ReleaseBrake(t.Context(), ref("eu", "n2"), false)
	require.ErrorIs(t, err, node.ErrUnreachable)
}

func TestPresenceEndsWithTheNode(t *testing.T) {
	t.Parallel()
	f := newFixture(&fakeLocal{})
	ctx, stop := f.WithPresence(t.Context(), engineNode("eu", "n2"))
	defer stop()
	require.NoError(t, ctx.Err())
	f.registry.set(engineNode("eu", "n1"))
	select {
	case <-ctx.Done():
		require.ErrorIs(t, context.Cause(ctx), node.ErrUnreachable)
	case <-time.After(30 * time.Second):
		require.Fail(t, "the context has not ended")
	}
}
