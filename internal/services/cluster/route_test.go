package cluster_test

import (
	"context"
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
	target, err := f.Route(ctx, ports.OperationRequest{GameID: "g", Kind: kind}, requested, forwarded)
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

// Without an engine here, a new game goes to the node with the fewest running games.
func TestRouteBalancesNewGames(t *testing.T) {
	t.Parallel()
	f := newFixture(nil)
	f.put(t, "other", "eu", "n2", runtime.StatusRunning)
	got, err := f.route(t.Context(), operation.KindStart, node.Ref{}, false)
	require.NoError(t, err)
	require.Equal(t, "us/u1", got)
}

// A daemon that is not part of a cluster knows only itself.
func TestServiceWithoutACluster(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	s := cluster.New(cluster.Dependencies{Records: store}, cluster.Config{Region: "eu", Node: "n1"})
	_, _, err := s.Nodes(t.Context())
	require.ErrorIs(t, err, node.ErrNotMember)
	_, err = s.Drift(t.Context())
	require.ErrorIs(t, err, node.ErrNoEngine)
	_, err = s.Route(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart}, node.Ref{}, false)
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
