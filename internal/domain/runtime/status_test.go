package runtime_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

func TestStatusIsKnown(t *testing.T) {
	t.Parallel()
	for _, s := range runtime.Statuses() {
		require.True(t, s.IsKnown(), "%q", s)
		parsed, err := runtime.ParseStatus("status", string(s))
		require.NoError(t, err)
		require.Equal(t, s, parsed)
	}
	for _, name := range []string{"", "Running", " running", "paused", "removed\n"} {
		require.False(t, runtime.Status(name).IsKnown(), "%q", name)
		parsed, err := runtime.ParseStatus("to", name)
		require.Empty(t, parsed)
		var invalid *runtime.InvalidError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, "to", invalid.Field)
		require.ErrorContains(t, err, "running, stopped, removed")
	}
}

func TestStatusesReturnsNewSlice(t *testing.T) {
	t.Parallel()
	runtime.Statuses()[0] = "changed"
	require.Equal(t, []runtime.Status{"running", "stopped", "removed"}, runtime.Statuses())
}
