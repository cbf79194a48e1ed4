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

// An intent of a newer version, and a key that nobody knows, are about one game at
// most: the others are looked after, and of that one nothing is concluded.
func TestDamagedIntentHidesNoOtherGame(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{Reconcile: reconcile.Config{Interval: 50 * time.Millisecond}})
	for _, gameID := range []string{"bad", "well", "bystander"} {
		n.MustExecute(nodetest.StartOp(gameID, nodetest.GameSpec("1.0.0")))
	}
	etcd := etcdtest.InProcess(t)
	for key, value := range map[string]string{"/operations/bad": `{"game_id":"bad","schema":2}`, "/operations/no/game": `{}`} {
		_, err := etcd.Put(t.Context(), n.Config.Prefix+key, value)
		require.NoError(t, err)
	}
	for _, gameID := range []string{"bad", "well"} {
		require.NoError(t, n.Engine.Remove(t.Context(), n.Record(gameID).CurrentContainerID))
	}
	n.Run()
	eventually(t, "the other game is settled", func() bool { return statusOf(n, t, "well") == runtime.StatusRemoved })
	report, err := n.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	require.Equal(t, drift.KindUnknown, report.Findings[0].Kind)
	require.Equal(t, drift.ActionNone, report.Findings[0].Action)
	require.Contains(t, report.Findings[0].Evidence, "/operations/bad")
	require.Equal(t, runtime.StatusRunning, statusOf(n, t, "bad"))
}
