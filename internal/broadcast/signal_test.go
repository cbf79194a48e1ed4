package broadcast_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/broadcast"
)

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestNotifyWakesEveryWaiter(t *testing.T) {
	t.Parallel()
	var s broadcast.Signal
	s.Notify() // without waiters
	first, second := s.Changed(), s.Changed()
	require.False(t, isClosed(first))
	s.Notify()
	require.True(t, isClosed(first))
	require.True(t, isClosed(second))
	require.False(t, isClosed(s.Changed()), "the next change is another one")
}
