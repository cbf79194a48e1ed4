package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func contextBehaviours() []behaviour {
	return []behaviour{
		{name: "every read ends when its context has ended", test: endedReads},
		{name: "every write ends when its context has ended and writes nothing", test: endedWrites},
	}
}

// ended returns a context that is over already.
func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func endedReads(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	ctx := ended(t)
	for method, call := range map[string]func() error{
		"Get":          func() error { _, err := s.Get(ctx, "a"); return err },
		"GetVersioned": func() error { _, err := s.GetVersioned(ctx, "a"); return err },
		"List":         func() error { _, err := s.List(ctx); return err },
		"ListByStatus": func() error { _, err := s.ListByStatus(ctx, runtime.StatusRunning); return err },
		"ListPage":     func() error { _, err := s.ListPage(ctx, ports.PageQuery{Limit: 1}); return err },
		"History":      func() error { _, err := s.History(ctx, "a"); return err },
		"Revision":     func() error { _, err := s.Revision(ctx); return err },
		"Info":         func() error { _, err := s.Info(ctx); return err },
		"Check":        func() error { _, err := s.Check(ctx, false); return err },
	} {
		require.ErrorIs(t, call(), context.Canceled, method)
	}
}

func endedWrites(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	before := stateOf(t, s, "a")
	ctx := ended(t)
	for method, call := range map[string]func() error{
		"Upsert":       func() error { return s.Upsert(ctx, removed("a")) },
		"Put":          func() error { _, err := s.Put(ctx, ports.PutInput{Record: removed("a")}); return err },
		"UpdateStatus": func() error { return s.UpdateStatus(ctx, stop("a", 5)) },
		"Transition":   func() error { _, err := s.Transition(ctx, operation(stop("a", 5), "op")); return err },
	} {
		require.ErrorIs(t, call(), context.Canceled, method)
	}
	requireUntouched(t, s, before)
}
