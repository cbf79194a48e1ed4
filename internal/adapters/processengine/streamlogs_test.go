package processengine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// A game that writes faster than its log is read must not keep a request forever.
func TestTheLogOfAFloodingGameEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "flood:1", "exec yes")
	config := f.config(owner)
	config.MaxLogBytes = 1 << 20
	e := f.openWith(t, config)
	c := e.start(t, imageSpec("flood:1"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	eventually(t, "the game has filled its log", func() bool {
		lines, err := e.Logs(ctx, c.ID, 1<<20)
		return err == nil && len(lines) > 30_000
	})
	for _, options := range []container.LogOptions{{Tail: 2}, {Tail: -1}, {Tail: 3, IsPrevious: true}} {
		count := 0
		for line, err := range e.StreamLogs(ctx, c.ID, options) {
			require.NoError(t, err)
			require.Equal(t, "y", line.Text)
			count++
		}
		if options.Tail >= 0 {
			require.LessOrEqual(t, count, options.Tail)
		}
	}
	// A consumer that leaves ends the read, also before the first line.
	leaving, leave := context.WithCancel(ctx)
	leave()
	for _, err := range e.StreamLogs(leaving, c.ID, container.LogOptions{Tail: 2, IsFollowing: true}) {
		require.Error(t, err)
	}
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
}
