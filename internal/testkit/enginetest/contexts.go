package enginetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func contextTests() []contractTest {
	return []contractTest{
		{"every method returns ErrEngineUnavailable if its context has ended, and changes nothing", testCanceledContext},
		{"Events yields an error if its context has ended", func(t *testing.T, f *fixture) {
			var end error
			for _, err := range f.engine.Events(canceledContext(t)) {
				end = err
			}
			requireContextEnded(t, end)
		}},
	}
}

func canceledContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func testCanceledContext(t *testing.T, f *fixture) {
	c := f.run(t)
	ctx := canceledContext(t)
	for method, call := range map[string]func() error{
		"EnsureImage":  func() error { return f.engine.EnsureImage(ctx, f.Image, nil) },
		"HasImage":     func() error { _, err := f.engine.HasImage(ctx, f.Image); return err },
		"ValidateSpec": func() error { return f.engine.ValidateSpec(ctx, f.spec("game")) },
		"Create":       func() error { _, err := f.engine.Create(ctx, f.spec("game")); return err },
		"Start":        func() error { return f.engine.Start(ctx, c.ID) },
		"Stop":         func() error { return f.engine.Stop(ctx, c.ID, 0) },
		"Remove":       func() error { return f.engine.Remove(ctx, c.ID) },
		"Inspect":      func() error { _, err := f.engine.Inspect(ctx, c.ID); return err },
		"List":         func() error { _, err := f.engine.List(ctx, ""); return err },
		"Logs":         func() error { _, err := f.engine.Logs(ctx, c.ID, 10); return err },
		"Usage":        func() error { _, err := f.engine.Usage(ctx, c.ID); return err },
		"StreamLogs":   func() error { _, err := readLogs(ctx, f.engine, c.ID, container.LogOptions{Tail: 1}); return err },
	} {
		require.ErrorIs(t, call(), container.ErrEngineUnavailable, method)
	}
	require.Equal(t, c, f.inspect(t, c.ID))
}
