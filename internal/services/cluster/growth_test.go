package cluster_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// A patch of a running game to more than its node has is rejected before it reaches the node.
func TestRouteOfAPatch(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	memory := func(n int64) *operation.Spec { return &operation.Spec{Image: "game:1.0.1", MemoryBytes: n * gib} }
	const tooMuch = "node eu/n2 does not fit: n2 has 4 GiB of 4 GiB memory free for the game and the game requests 100 GiB"
	for name, row := range map[string]struct {
		spec       *operation.Spec
		status     runtime.Status
		isBusy     bool
		wantErr    string
		isReserved bool
	}{
		"more than the node has":     {spec: memory(100), status: runtime.StatusRunning, wantErr: tooMuch},
		"a request for more":         {spec: &operation.Spec{Image: "game:1.0.1", RequestMemoryBytes: 100 * gib}, status: runtime.StatusRunning, wantErr: tooMuch},
		"what the node has":          {spec: memory(4), status: runtime.StatusRunning, isReserved: true},
		"as much as before":          {spec: memory(2), status: runtime.StatusRunning},
		"less":                       {spec: memory(1), status: runtime.StatusRunning},
		"image only":                 {status: runtime.StatusRunning},
		"an operation in progress":   {spec: memory(100), status: runtime.StatusRunning, isBusy: true},
		"a game that does not run":   {spec: memory(100), status: runtime.StatusStopped},
		"a game that exists no more": {spec: memory(100), status: runtime.StatusRemoved},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(&fakeLocal{})
			full := engineNode("eu", "n2")
			full.Capacity = node.Capacity{MemoryBytes: 4 * gib, Games: 1}
			f.registry.set(engineNode("eu", "n1"), full)
			f.put(t, "g", "eu", "n2", row.status)
			intent := operation.Intent{GameID: "g", Spec: *memory(2)}
			if row.isBusy {
				intent.Current = &operation.Operation{ID: "other", Kind: operation.KindRestart, Region: "eu", Node: "n2"}
			}
			_, err := f.store.PutIntent(t.Context(), intent, ports.IntentVersion{})
			require.NoError(t, err)
			request := ports.OperationRequest{
				GameID: "g", Kind: operation.KindPatch, Spec: row.spec, Image: "game:1.0.1", Origin: ports.Origin{OperationID: "op"},
			}
			target, release, err := f.Route(t.Context(), &request, node.Ref{}, false)
			if row.wantErr != "" {
				require.ErrorIs(t, err, node.ErrNoCapacity)
				require.EqualError(t, err, row.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "eu/n2", target.Ref().String())
			require.Equal(t, row.isReserved, release != nil)
		})
	}
}
