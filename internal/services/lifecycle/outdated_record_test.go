package lifecycle_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/lifecycle"
)

// supersededRecords lets another writer change the record before the next write that makes the game
// running. So the record that the write is based on is outdated.
type supersededRecords struct {
	*faultDaemon
	change func(*runtime.RuntimeRecord) // nil once it was made
}

func (r *supersededRecords) supersede(to runtime.Status) {
	if change := r.change; change != nil && to == runtime.StatusRunning {
		r.change = nil
		r.node.rewrite(change)
	}
}

// Transition implements ports.RuntimeWriter.
func (r *supersededRecords) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	r.supersede(input.To)
	return r.faultDaemon.Transition(ctx, input)
}

// Put implements ports.RuntimeWriter.
func (r *supersededRecords) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	r.supersede(input.Record.Status)
	return r.faultDaemon.Put(ctx, input)
}

// TestStartWithLabelsOfAnOutdatedRecord starts a stopped game with the labels and metadata that its
// record has, as far as the daemon knows. Another writer has changed them.
func TestStartWithLabelsOfAnOutdatedRecord(t *testing.T) {
	t.Parallel()
	d := newFaultNode().newDaemon(t)
	records := &supersededRecords{faultDaemon: d}
	service, err := lifecycle.New(t.Context(), lifecycle.Dependencies{
		Records: records, Intents: d, Engine: faultEngine{d.node.engine, d}, Session: d, Nodes: d.node, Prober: d.node,
	}, lifecycle.Config{Store: "store", Region: "eu", Node: "n1", MinUptime: time.Millisecond, RetryTimeout: 5 * time.Second})
	require.NoError(t, err)
	start := ports.OperationRequest{
		GameID: "g", Kind: operation.KindStart, Spec: &operation.Spec{Image: "game:1.0.0"},
		Labels: map[string]string{"env": "prod"}, Metadata: `{"map":"x"}`,
	}
	for range 2 {
		_, err = service.Execute(t.Context(), start, nil)
		require.NoError(t, err)
		found, err := d.node.store.Get(t.Context(), "g")
		require.NoError(t, err)
		require.Equal(t, runtime.StatusRunning, found.Status)
		require.Equal(t, start.Labels, found.Labels)
		require.Equal(t, start.Metadata, found.Metadata)
		_, err = service.Execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStop}, nil)
		require.NoError(t, err)
		records.change = func(record *runtime.RuntimeRecord) {
			record.Labels, record.Metadata = map[string]string{"env": "dev"}, ""
		}
	}
}
