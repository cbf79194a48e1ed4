package httpserver_test

import (
	"context"
	"iter"
	"sync/atomic"

	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// scriptedStore is a memory store whose watch yields the steps and then blocks until
// its context ends.
type scriptedStore struct {
	*memstore.Store
	steps   []watchStep
	options atomic.Pointer[ports.WatchOptions] // of the last watch
	open    atomic.Int64                       // watches that are being ranged over
}

// watchStep is one step of a watch.
type watchStep struct {
	event ports.RuntimeEvent
	err   error
	then  func() // runs once the consumer has taken the step; nil for nothing
}

func newScriptedStore(steps ...watchStep) *scriptedStore {
	return &scriptedStore{Store: memstore.New(), steps: steps}
}

func (s *scriptedStore) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		s.options.Store(&options)
		s.open.Add(1)
		defer s.open.Add(-1)
		for _, step := range s.steps {
			if !yield(step.event, step.err) {
				return
			}
			if step.then != nil {
				step.then()
			}
		}
		<-ctx.Done()
		yield(ports.RuntimeEvent{}, ctx.Err())
	}
}
