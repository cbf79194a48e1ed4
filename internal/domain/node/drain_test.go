package node_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
)

// The events of a drain of a large cluster fit into one value of etcd.
func TestDrainEventsAreBounded(t *testing.T) {
	t.Parallel()
	var drain node.Drain
	for range 2 * node.MaxDrainEvents {
		drain.AddEvent(node.DrainEvent{GameID: strings.Repeat("g", 256), Text: strings.Repeat("; node eu/ñ has no space", 10_000)})
	}
	require.Len(t, drain.Events, node.MaxDrainEvents)
	require.Equal(t, 2*node.MaxDrainEvents, drain.Events[node.MaxDrainEvents-1].Seq)
	require.True(t, utf8.ValidString(drain.Events[0].Text))
	value, err := json.Marshal(drain)
	require.NoError(t, err)
	require.Less(t, len(value), 128<<10)
}
