package enginetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func contextBehaviours() []behaviour {
	return []behaviour{
		{"every method ends when its context has ended: the engine was not asked", endedContexts},
		{"a stream whose context has ended says so", func(t *testing.T, r *rig) {
			var end error
			for _, err := range r.engine.Events(endedContext(t)) {
				end = err
			}
			requireEnded(t, end)
		}},
	}
}

func endedContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func endedContexts(t *testing.T, r *rig) {
	c := r.run(t)
	ctx := endedContext(t)
	for method, call := range map[string]func() error{
		"EnsureImage": func() error { return r.engine.EnsureImage(ctx, r.Image, nil) },
		"Create":      func() error { _, err := r.engine.Create(ctx, r.spec("game")); return err },
		"Start":       func() error { return r.engine.Start(ctx, c.ID) },
		"Stop":        func() error { return r.engine.Stop(ctx, c.ID, 0) },
		"Remove":      func() error { return r.engine.Remove(ctx, c.ID) },
		"Inspect":     func() error { _, err := r.engine.Inspect(ctx, c.ID); return err },
		"List":        func() error { _, err := r.engine.List(ctx, ""); return err },
		"Logs":        func() error { _, err := r.engine.Logs(ctx, c.ID, 10); return err },
	} {
		require.ErrorIs(t, call(), container.ErrEngineUnavailable, method)
	}
	require.Equal(t, c, r.inspect(t, c.ID))
}
