package reconcile_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// A corrupt intent affects its own game only: the other games are reconciled, and that
// one is unknown.
func TestCorruptIntentAffectsOneGame(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{Reconcile: reconcile.Config{Interval: 50 * time.Millisecond}})
	for _, gameID := range []string{"corrupt", "missing", "running"} {
		n.MustExecute(nodetest.StartOp(gameID, nodetest.GameSpec("1.0.0")))
	}
	etcd := etcdtest.InProcess(t)
	for key, value := range map[string]string{"/operations/corrupt": `{"game_id":"corrupt","schema":2}`, "/operations/no/game": `{}`} {
		_, err := etcd.Put(t.Context(), n.Config.Prefix+key, value)
		require.NoError(t, err)
	}
	for _, gameID := range []string{"corrupt", "missing"} {
		require.NoError(t, n.Engine.Remove(t.Context(), n.Record(gameID).CurrentContainerID))
	}
	n.Run()
	require.Eventually(t, func() bool { return statusOf(n, t, "missing") == runtime.StatusRemoved }, nodetest.Timeout, 10*time.Millisecond, "the other game is remediated")
	report, err := n.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 2)
	require.Equal(t, drift.KindNotRunning, report.Findings[1].Kind)
	require.Equal(t, drift.KindUnknown, report.Findings[0].Kind)
	require.Equal(t, drift.ActionNone, report.Findings[0].Action)
	require.Contains(t, report.Findings[0].Evidence, "/operations/corrupt")
	require.Equal(t, runtime.StatusRunning, statusOf(n, t, "corrupt"))
}
