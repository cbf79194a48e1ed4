package reconcile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// A container of a deleted game, on a node that was away for longer than the retention, is
// reported and not adopted. An operator can adopt it.
func TestOldOrphanIsNotAdopted(t *testing.T) {
	t.Parallel()
	const maxAge = time.Hour
	f := newFixture(t)
	engine := f.machine.Engine(f.owner)
	c, err := engine.Create(t.Context(), container.Spec{Name: "game-1", Labels: container.Labels{
		Store: f.owner.Store, Region: "eu", Node: "n1", GameID: "game", Image: "game:1.0.0", Generation: 1, OperationID: "op",
	}})
	require.NoError(t, err)
	require.NoError(t, engine.Start(t.Context(), c.ID))
	now := time.Now().Add(2 * maxAge)
	f.now.Store(&now)
	w, err := reconcile.New(reconcile.Dependencies{
		Records: f.node.Store, Intents: f.node.Store, Engine: engine, Remediator: f.node.Service, Queue: reconcile.NewQueue(nil),
	}, reconcile.Config{Region: "eu", Node: "n1", AdoptAfter: time.Nanosecond, AdoptObservations: 1, AdoptMaxAge: maxAge, Clock: func() time.Time { return now }})
	require.NoError(t, err)
	defer w.Close()
	for range 3 {
		require.NoError(t, w.PassAndHandle(t.Context()))
	}
	_, err = f.node.Store.GetVersioned(t.Context(), "game")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	report, err := w.Report(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	require.Equal(t, drift.KindOrphan, report.Findings[0].Kind)
	require.Contains(t, report.Findings[0].BlockedBy, "may have been deleted")
	results := w.Apply(t.Context(), report.Findings, "operator")
	require.Equal(t, drift.ApplyDone, results[0].Status, results[0].Reason)
	require.Equal(t, runtime.StatusRunning, f.node.Record("game").Status)
}
