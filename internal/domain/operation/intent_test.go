package operation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// An intent with many outcomes does not have the metadata of its game as many times.
func TestOnlyTheNewestOutcomeKeepsMetadata(t *testing.T) {
	t.Parallel()
	var intent operation.Intent
	record := runtime.RuntimeRecord{GameID: "g", Metadata: `{"a":1}`}
	for _, id := range []string{"one", "two", "three"} {
		intent.AddOutcome(operation.Outcome{OperationID: id, Record: &record})
	}
	require.Equal(t, record, *intent.Recent[0].Record)
	for _, earlier := range intent.Recent[1:] {
		require.Empty(t, earlier.Record.Metadata)
	}
	require.NotEmpty(t, record.Metadata, "the record of the caller is not changed")
}
