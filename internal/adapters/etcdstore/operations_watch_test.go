package etcdstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// TestListOfOperationsExpiresOlderIntentsOnly starts a watch of operations that exist. The store
// knows the intent of one as it is, and an older version of the other, which a read that started
// before the watch returns only after it.
func TestListOfOperationsExpiresOlderIntentsOnly(t *testing.T) {
	t.Parallel()
	r := newFaultyFixture(t)
	intent := func(gameID string, step operation.Step) operation.Intent {
		op := newOperation(operation.KindStart)
		op.ID, op.Step = "op-of-"+gameID, step
		return operation.Intent{GameID: gameID, Current: op}
	}
	r.putIntent(intent("current", operation.StepAccepted), ports.IntentVersion{})
	first := r.putIntent(intent("changed", operation.StepAccepted), ports.IntentVersion{})

	type readKey struct{}
	responded, listed, finished := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	r.faults.OnResponse(func(ctx context.Context) error {
		if ctx.Value(readKey{}) != nil {
			close(responded)
			<-listed
		}
		return nil
	})
	go func() {
		_, err := r.GetIntent(context.WithValue(context.Background(), readKey{}, true), "changed")
		finished <- err
	}()
	<-responded
	second := r.others.putIntent(intent("changed", operation.StepStarting), first)

	errListed := errors.New("the operations are listed")
	ctx, cancel := context.WithCancelCause(t.Context())
	games := map[string]bool{}
	err := r.WatchOperations(ctx, "eu", "n1", func(gameID string) {
		if games[gameID] = true; len(games) == 2 {
			cancel(errListed)
		}
	})
	require.ErrorIs(t, err, errListed)
	require.Equal(t, map[string]bool{"current": true, "changed": true}, games)
	close(listed)
	require.NoError(t, <-finished)
	_, _, isKnown := r.GetIntentAndRecordLocal("current")
	assert.True(t, isKnown, "no other store has written it")
	_, _, isKnown = r.GetIntentAndRecordLocal("changed")
	assert.False(t, isKnown, "it is outdated")
	require.Equal(t, second.Revision, r.intent("changed").Revision)
	_, _, isKnown = r.GetIntentAndRecordLocal("changed")
	require.True(t, isKnown)
}
