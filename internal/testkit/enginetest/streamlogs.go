package enginetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
)

// logTimeTolerance is the precision of the times of lines.
const logTimeTolerance = 200 * time.Millisecond

func streamLogsTests(h Harness) []contractTest {
	tests := []contractTest{
		{"StreamLogs of an unknown container yields ErrNoContainer", func(t *testing.T, f *fixture) {
			for _, id := range unknownIDs {
				_, err := readLogs(t.Context(), f.engine, id, container.LogOptions{Tail: -1})
				require.ErrorIs(t, err, container.ErrNoContainer, "logs of %q", id)
			}
		}},
		{"StreamLogs of a container that was never started yields no lines, and does not follow it", func(t *testing.T, f *fixture) {
			id := f.create(t, f.spec("game")).ID
			require.Empty(t, f.streamLogs(t, id, container.LogOptions{Tail: -1, IsFollowing: true}))
			require.Empty(t, f.streamLogs(t, id, container.LogOptions{Tail: -1, IsPrevious: true}))
		}},
	}
	if !h.RunsGames {
		return tests
	}
	return append(tests,
		contractTest{"StreamLogs selects the last lines, oldest first", testStreamLogsTail},
		contractTest{"StreamLogs selects by time", testStreamLogsSince},
		contractTest{"StreamLogs selects the lines before the latest start", testStreamLogsPrevious},
		contractTest{"StreamLogs follows the log until the container has exited", testStreamLogsFollow},
		contractTest{"StreamLogs splits a line that is longer than the bound", testStreamLogsLongLine},
		contractTest{"StreamLogs ends with its context, and when the consumer stops", testStreamLogsEnd},
	)
}

// readLogs returns the lines of a stream, and the error that done it.
func readLogs(ctx context.Context, engine ports.Engine, id string, options container.LogOptions) (lines []container.LogLine, err error) {
	for line, err := range engine.StreamLogs(ctx, id, options) {
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

func (f *fixture) streamLogs(t *testing.T, id string, options container.LogOptions) []string {
	t.Helper()
	lines, err := readLogs(t.Context(), f.engine, id, options)
	require.NoError(t, err, "logs of %s", id)
	return textsOf(lines)
}

func textsOf(lines []container.LogLine) []string {
	texts := []string{}
	for _, line := range lines {
		texts = append(texts, line.Text)
	}
	return texts
}

func testStreamLogsTail(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	for i := range 5 {
		clientOf(c).log(t, fmt.Sprintf("line %d", i), 1)
	}
	f.waitLogged(t, c.ID, "line 4")
	require.Equal(t, []string{"line 3", "line 4"}, f.streamLogs(t, c.ID, container.LogOptions{Tail: 2}))
	require.Empty(t, f.streamLogs(t, c.ID, container.LogOptions{Tail: 0}))
	all := f.streamLogs(t, c.ID, container.LogOptions{Tail: -1})
	require.Subset(t, all, []string{"line 0", "line 1", "line 2", "line 3", "line 4"})
	require.Equal(t, all, f.streamLogs(t, c.ID, container.LogOptions{Tail: 1 << 20}))
}

func testStreamLogsSince(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	before := time.Now().Add(-logTimeTolerance)
	clientOf(c).log(t, "line", 1)
	f.waitLogged(t, c.ID, "line")
	lines, err := readLogs(t.Context(), f.engine, c.ID, container.LogOptions{Tail: 1})
	require.NoError(t, err)
	require.Len(t, lines, 1)
	require.WithinRange(t, lines[0].Time, before, time.Now().Add(logTimeTolerance))
	at := lines[0].Time
	require.Contains(t, f.streamLogs(t, c.ID, container.LogOptions{Tail: -1, Since: at}), "line")
	require.Equal(t, []string{"line"}, f.streamLogs(t, c.ID, container.LogOptions{Tail: 1, Since: at}))
	require.Empty(t, f.streamLogs(t, c.ID, container.LogOptions{Tail: -1, Since: at.Add(time.Minute)}))
}

func testStreamLogsPrevious(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	clientOf(c).log(t, "first run", 1)
	f.waitLogged(t, c.ID, "first run")
	require.Empty(t, f.streamLogs(t, c.ID, container.LogOptions{Tail: -1, IsPrevious: true}), "the first run")
	f.stop(t, c.ID, 0)
	restarted := f.start(t, c.ID)
	clientOf(restarted).waitReady(t)
	clientOf(restarted).log(t, "second run", 1)
	f.waitLogged(t, c.ID, "second run")
	previous := f.streamLogs(t, c.ID, container.LogOptions{Tail: -1, IsPrevious: true})
	require.Contains(t, previous, "first run")
	require.NotContains(t, previous, "second run")
	require.Equal(t, []string{"first run"}, f.streamLogs(t, c.ID, container.LogOptions{Tail: 1, IsPrevious: true, IsFollowing: true}))
}

func testStreamLogsFollow(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	clientOf(c).log(t, "first", 1)
	f.waitLogged(t, c.ID, "first")
	lines, done := make(chan string, 10), make(chan error, 1)
	go func() {
		defer close(done)
		for line, err := range f.engine.StreamLogs(t.Context(), c.ID, container.LogOptions{Tail: 1, IsFollowing: true}) {
			if err != nil {
				done <- err
				return
			}
			lines <- line.Text
		}
	}()
	require.Equal(t, "first", receive(t, lines))
	clientOf(c).log(t, "second", 1)
	require.Equal(t, "second", receive(t, lines))
	f.stop(t, c.ID, 0)
	require.NoError(t, receive(t, done), "the stream ends")
}

func testStreamLogsLongLine(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	clientOf(c).post(t, "/log?text=y&repeat=100000")
	clientOf(c).log(t, "end", 1)
	f.waitLogged(t, c.ID, "end")
	count := 0
	for _, line := range f.streamLogs(t, c.ID, container.LogOptions{Tail: -1}) {
		require.LessOrEqual(t, len(line), container.MaxLogLineBytes)
		count += strings.Count(line, "y")
	}
	require.GreaterOrEqual(t, count, 100000)
}

func testStreamLogsEnd(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	clientOf(c).log(t, "line", 3)
	f.waitLogged(t, c.ID, "line", "line", "line")
	for _, err := range f.engine.StreamLogs(t.Context(), c.ID, container.LogOptions{Tail: 3, IsFollowing: true}) {
		require.NoError(t, err)
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := readLogs(ctx, f.engine, c.ID, container.LogOptions{Tail: 3, IsFollowing: true})
		done <- err
	}()
	cancel()
	require.ErrorIs(t, receive(t, done), container.ErrEngineUnavailable)
}

// receive returns the next value, and the zero value once the channel is closed.
func receive[T any](t *testing.T, values <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-values:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "nothing was received in time")
	}
	return value
}
